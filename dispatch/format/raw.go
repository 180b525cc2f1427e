package format

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// raw is the mail itself as message/rfc822, which is what the relay ingress of Rails takes.
type raw struct{}

// Form implements [dispatch.Format].
func (raw) Form(_ context.Context, c *dispatch.Copy) (*dispatch.Form, error) {
	return &dispatch.Form{
		MediaType: "message/rfc822", // exactly: Rails compares it
		Write: func(ctx context.Context, w io.Writer, _ dispatch.Stamp) error {
			if _, err := w.Write(delivered(c)); err != nil {
				return err
			}
			return copyRaw(ctx, w, c)
		},
	}, nil
}

// Refuses implements [dispatch.Format].
func (raw) Refuses(*storage.Endpoint, int) bool { return false }

// delivered are the trace fields of a mail with those that name its recipients, which Rails routes by: the To field need not.
func delivered(c *dispatch.Copy) []byte {
	var b strings.Builder
	b.Write(c.Trace())
	for _, r := range c.Event.Data.Recipients {
		fmt.Fprintf(&b, "Delivered-To: %s\r\nX-Original-To: %[1]s\r\n", r.Address)
	}
	return []byte(b.String())
}
