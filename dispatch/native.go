package dispatch

import (
	"bytes"
	"compress/gzip"
	"context"

	"github.com/letterhook/letterhook/storage"
)

// native is the format of the contract (docs/payload.md), fitted to what the endpoint asks for.
type native struct{ render renderer }

// gzipFrom is the size in octets from which on a body is worth compressing.
const gzipFrom = 1 << 10

// Form implements [Format].
func (n *native) Form(ctx context.Context, c *Copy) (*Form, error) {
	ep := c.Endpoint
	chooseHeaders(c.Event.Data, ep.HeaderFields)
	if ep.Attachments == storage.AttachmentsNone {
		withhold(c.Event.Data)
	}
	body, err := n.render.render(c.Event, ep.MaxBody, c.Smallest)
	if err != nil {
		return nil, err
	}
	if ep.Attachments == storage.AttachmentsInline && !c.Smallest {
		if body, err = n.inline(ctx, c, body); err != nil {
			return nil, err
		}
	}
	f := &Form{MediaType: "application/json", Body: body}
	if ep.Gzip && len(body) >= gzipFrom {
		if f.Body, err = compress(body); err != nil {
			return nil, err
		}
		f.Plain, f.Encoding = body, "gzip"
	}
	f.sent = func() { n.render.recycle(body) }
	return f, nil
}

// inline puts the content of attachments into the event that body was made of, as far as the endpoint's limits let it, and makes
// the body anew.
func (n *native) inline(ctx context.Context, c *Copy, body []byte) ([]byte, error) {
	limit := c.Endpoint.MaxBody
	if limit <= 0 {
		limit = defaultMaxBody
	}
	changed, err := inlineContents(ctx, c, limit-len(body))
	if err != nil || !changed {
		return body, err
	}
	return n.render.render(c.Event, limit, false)
}

// Refuses implements [Format]: every failure is tried again.
func (*native) Refuses(*storage.Endpoint, int) bool { return false }

func compress(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
