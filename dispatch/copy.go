package dispatch

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// copyFor makes the copy of a mail for one endpoint.
func (d *Dispatcher) copyFor(ctx context.Context, mail *storage.Mail, content *content, ep *storage.Endpoint, now time.Time) (*Copy, error) {
	ev, err := d.event(ctx, mail, content, ep.ID, now)
	if err != nil {
		return nil, err
	}
	c := &Copy{Endpoint: ep, ID: mail.ID, Event: ev, Envelope: mail.Envelope, Hostname: d.cfg.Hostname}
	c.Envelope.Recipients = slices.DeleteFunc(slices.Clone(mail.Envelope.Recipients), func(r inbound.Recipient) bool {
		return !slices.Contains(r.Endpoints, ep.ID)
	})
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

// rawReader reads a mail from its beginning.
type rawReader struct {
	io.Reader
	io.Closer
}
