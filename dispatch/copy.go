package dispatch

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// copyFor makes the copy of a mail for one endpoint: for some of its recipients: the number part alone, or all that
// are not apart.
func (d *Dispatcher) copyFor(ctx context.Context, mail *storage.Mail, content *content, ep *storage.Endpoint, recipients []inbound.Recipient, part int, now time.Time) (*Copy, error) {
	own := *mail
	own.Envelope.Recipients = recipients
	ev, err := d.event(ctx, &own, content, ep.ID, now)
	if err != nil {
		return nil, err
	}
	c := &Copy{Endpoint: ep, ID: eventID(mail.ID, part), Event: ev, Envelope: own.Envelope, Hostname: d.cfg.Hostname}
	c.OpenRaw = func(ctx context.Context) (io.ReadCloser, error) {
		raw, err := d.cfg.Store.OpenRaw(ctx, mail)
		if err != nil {
			return nil, err
		}
		return rawReader{io.NewSectionReader(raw, 0, raw.Size()), raw}, nil
	}
	found := content.found
	c.OpenAttachment = func(ctx context.Context, index int) (io.ReadCloser, error) {
		return d.cfg.Blobs.OpenRange(ctx, found[index].key, 0, -1)
	}
	return c, nil
}

// recipientsOf are those of a mail that a delivery is for.
func recipientsOf(all []inbound.Recipient, endpoint string, d *storage.Delivery) []inbound.Recipient {
	if d.Part > 0 && d.Part <= len(all) {
		return []inbound.Recipient{led(all[d.Part-1], endpoint)}
	}
	if numbers := d.RecipientNumbers(); numbers != nil {
		var chosen []inbound.Recipient
		for _, n := range numbers {
			if n <= len(all) {
				chosen = append(chosen, led(all[n-1], endpoint))
			}
		}
		return chosen
	}
	return slices.DeleteFunc(slices.Clone(all), func(r inbound.Recipient) bool {
		return !slices.Contains(r.Endpoints, endpoint) || slices.Contains(r.Apart, endpoint)
	})
}

// led is the recipient as one whose mail goes to the endpoint: a replay may lead it elsewhere than its route did.
func led(r inbound.Recipient, endpoint string) inbound.Recipient {
	if !slices.Contains(r.Endpoints, endpoint) {
		r.Endpoints = append(slices.Clone(r.Endpoints), endpoint)
	}
	return r
}

// eventID is the webhook-id of an event about a mail.
func eventID(message string, part int) string {
	if part == 0 {
		return message
	}
	return message + "_" + strconv.Itoa(part)
}

// rawReader reads a mail from its beginning.
type rawReader struct {
	io.Reader
	io.Closer
}
