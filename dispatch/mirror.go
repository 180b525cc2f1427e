package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// maxMirror bounds the body of a mirrored request, in octets.
const maxMirror = 32 << 20

// ErrMirrorTooLarge says that a request is too large to be mirrored.
var ErrMirrorTooLarge = fmt.Errorf("the request has more than %d MiB", maxMirror>>20)

// Mirrored is a request that an endpoint gets, for somebody who looks on.
type Mirrored struct {
	ID     string      // the webhook-id
	Header http.Header // without what the endpoint's declaration adds, which may be secret
	Body   []byte
}

// mirrorName stands for the endpoint of somebody who names none.
const mirrorName = "listener"

// Mirror makes the requests that an endpoint gets about a mail, the first attempt of each of its deliveries, and gives them to send one
// after the other; an error of send ends it. Without an endpoint it is one in the native format for all recipients whose mail anybody
// gets. Nothing is posted or recorded, and no delivery waits for it. With signed the endpoint's own secrets sign, else nothing does.
//
// A mail that wanted holds no recipient of, or that filters keep back, makes none. It works within the memory of the attempts.
func (d *Dispatcher) Mirror(ctx context.Context, id string, ep *storage.Endpoint, wanted func(*inbound.Recipient) bool, signed bool, send func(*Mirrored) error) error {
	own := storage.Endpoint{ID: mirrorName, Name: mirrorName}
	if ep != nil {
		own = *ep
		own.Headers, own.Access = nil, storage.Access{}
		if !signed {
			own.FormatKey = nil
		}
	}
	l := newLetter(id)
	mail, err := d.cfg.Store.Mail(ctx, id)
	if err != nil {
		return err
	}
	l.mail = mail
	for _, part := range mirrorParts(mail.Envelope.Recipients, ep, wanted) {
		m, err := d.mirror(ctx, l, &own, part, signed)
		switch _, filtered := errors.AsType[*filteredError](err); {
		case filtered:
			continue
		case err != nil:
			return err
		}
		if err := send(m); err != nil {
			return err
		}
	}
	return nil
}

// mirrorPart is what one request is about.
type mirrorPart struct {
	number     int // as that of a delivery
	recipients []inbound.Recipient
}

// mirrorParts are the requests about a mail that somebody wants.
func mirrorParts(all []inbound.Recipient, ep *storage.Endpoint, wanted func(*inbound.Recipient) bool) []mirrorPart {
	var parts []mirrorPart
	together := mirrorPart{}
	for i := range all {
		r := all[i]
		switch {
		case !wanted(&r):
		case ep == nil && len(r.Endpoints) > 0:
			together.recipients = append(together.recipients, led(r, mirrorName))
		case ep == nil || !slices.Contains(r.Endpoints, ep.ID):
		case slices.Contains(r.Apart, ep.ID):
			parts = append(parts, mirrorPart{i + 1, []inbound.Recipient{r}})
		default:
			together.recipients = append(together.recipients, r)
		}
	}
	if len(together.recipients) > 0 {
		parts = append(parts, together)
	}
	return parts
}

func (d *Dispatcher) mirror(ctx context.Context, l *letter, ep *storage.Endpoint, part mirrorPart, signed bool) (*Mirrored, error) {
	desk := &share{from: d.desk}
	defer desk.release()
	mail, content, err := d.prepare(ctx, l, desk)
	if err != nil {
		return nil, err
	}
	recipients, filtered, err := d.passing(mail, content, ep, part.recipients)
	if err != nil {
		return nil, err
	}
	format, err := d.format(ep)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c, err := d.copyFor(ctx, mail, content, ep, recipients, part.number, now)
	if err != nil {
		return nil, err
	}
	form, err := format.Form(ctx, c)
	if err != nil {
		return nil, err
	}
	post := &Post{Endpoint: ep, ID: c.ID, Attempt: 1, Form: form, Filtered: filtered}
	var keys keyring
	if signed {
		keys = ring(ep, d.sender.stored(ep.ID), now)
	}
	return d.written(ctx, post, keys, now)
}

// written is the request as it would go out.
func (d *Dispatcher) written(ctx context.Context, post *Post, keys keyring, now time.Time) (*Mirrored, error) {
	sealed, err := post.seal(ctx, now, keys)
	if err != nil {
		return nil, err
	}
	if sealed.length > maxMirror {
		return nil, ErrMirrorTooLarge
	}
	body, err := io.ReadAll(sealed.open(ctx))
	if err != nil {
		return nil, fmt.Errorf("writing the body: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/", nil)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	d.sender.setHeader(req, post, sealed, "")
	return &Mirrored{ID: post.ID, Header: req.Header, Body: body}, nil
}
