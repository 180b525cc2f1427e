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

// copyFor makes the copy of a mail for one endpoint: for the recipient of the number part alone, or for all that are not apart.
func (d *Dispatcher) copyFor(ctx context.Context, mail *storage.Mail, content *content, ep *storage.Endpoint, part int, now time.Time) (*Copy, error) {
	own := *mail
	own.Envelope.Recipients = recipientsOf(mail.Envelope.Recipients, ep.ID, part)
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
func recipientsOf(all []inbound.Recipient, endpoint string, part int) []inbound.Recipient {
	if part > 0 && part <= len(all) {
		return all[part-1 : part : part]
	}
	return slices.DeleteFunc(slices.Clone(all), func(r inbound.Recipient) bool {
		return !slices.Contains(r.Endpoints, endpoint) || slices.Contains(r.Apart, endpoint)
	})
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
