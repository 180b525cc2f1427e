package dispatch

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// filteredError says that filters keep a mail back from all recipients of a delivery.
type filteredError struct {
	reason  string
	content *content
}

func (e *filteredError) Error() string { return e.reason }

// filter gives the recipients of a delivery that no filter keeps the mail back from, and says of the others why. Filters of the
// endpoint concern all of them. The error Is a filteredError when nobody is left.
func (d *Dispatcher) filter(mail *storage.Mail, c *content, ep *storage.Endpoint, j *job) (left []inbound.Recipient, filtered []string, err error) {
	all := recipientsOf(mail.Envelope.Recipients, ep.ID, &j.delivery)
	if j.lane == nil || j.delivery.Unfiltered { // held: its sender waits for the endpoint itself to decide
		return all, nil, nil
	}
	return d.passing(mail, c, ep, all)
}

// passing gives those of some recipients that no filter keeps the mail back from.
func (d *Dispatcher) passing(mail *storage.Mail, c *content, ep *storage.Endpoint, all []inbound.Recipient) (left []inbound.Recipient, filtered []string, err error) {
	traits := traitsOf(mail, c)
	for i := range ep.Filters {
		if f := &ep.Filters[i]; f.Keeps(traits) {
			return nil, nil, &filteredError{`filter "` + f.Name + `" of the endpoint`, c}
		}
	}
	directory := d.cfg.Directory()
	for _, r := range all {
		if f := keptBy(directory.RouteFilters(r.Route), traits); f != nil {
			filtered = append(filtered, `filter "`+f.Name+`" of the route of `+r.Path.String())
			continue
		}
		left = append(left, r)
	}
	if len(left) == 0 && len(filtered) > 0 {
		return nil, nil, &filteredError{strings.Join(filtered, "; "), c}
	}
	return left, filtered, nil
}

func keptBy(filters []storage.Filter, traits *storage.Traits) *storage.Filter {
	for i := range filters {
		if filters[i].Keeps(traits) {
			return &filters[i]
		}
	}
	return nil
}

func traitsOf(mail *storage.Mail, c *content) *storage.Traits {
	t := &storage.Traits{Kind: c.data.Kind, Size: mail.Size}
	if r := mail.Envelope.ScanResults; r != nil && r.Spam != nil {
		t.Spam = r.Spam.IsSpam
	}
	if r := mail.Envelope.AuthResults; r != nil {
		t.Verified = r.Identity.Verified
	}
	t.Fields = func(name string) (values []string) {
		for i := range c.data.Headers {
			if h := &c.data.Headers[i]; strings.EqualFold(h.Name, name) {
				values = append(values, h.Value)
			}
		}
		return values
	}
	return t
}

// filtered records that a delivery is kept back. No attempt is made.
func (d *Dispatcher) filtered(j *job, ep *storage.Endpoint, e *filteredError) {
	now := time.Now()
	res := Result{At: now, Outcome: outcomeFiltered}
	d.board.unspent(j)
	d.board.posted(j, &res, now)
	d.metrics.filtered.Inc()
	c := completion(j, ep, &res)
	c.Unattempted, c.State, c.Reason = true, storage.StateFiltered, e.reason
	c.Summary, c.Parsed = e.content.summary, e.content.counted
	d.log.LogAttrs(context.Background(), slog.LevelInfo, "filtered", slog.String("message", j.delivery.Message),
		slog.String("delivery", j.delivery.ID), slog.String("endpoint", ep.ID))
	d.record(j, c)
}
