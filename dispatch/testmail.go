package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// testForm makes the request of a test in the format of the endpoint. The vendors have no event for that, so their applications get a
// mail that says what it is, from and to an address at our host name, and new each time.
func (d *Dispatcher) testForm(ctx context.Context, ep *storage.Endpoint, t *storage.EndpointTest) (*Form, error) {
	format, err := d.format(ep)
	if err != nil {
		return nil, err
	}
	if format == &d.native {
		body, err := json.Marshal(&TestEvent{
			Type: EventTest, Version: EventVersion, Timestamp: Time{t.AskedAt}, Data: TestEventData{ID: t.ID, EndpointID: t.Endpoint},
		})
		if err != nil {
			return nil, fmt.Errorf("writing the test event: %w", err)
		}
		return &Form{MediaType: "application/json", Body: body}, nil
	}
	c, err := d.testCopy(ctx, ep, t)
	if err != nil {
		return nil, err
	}
	return format.Form(ctx, c)
}

// testCopy is the mail of a test. It is stored nowhere: the link to its raw bytes leads to nothing.
func (d *Dispatcher) testCopy(ctx context.Context, ep *storage.Endpoint, t *storage.EndpointTest) (*Copy, error) {
	address := inbound.Path{LocalPart: "test", Domain: d.cfg.Hostname}
	raw := fmt.Appendf(nil, "From: Letterhook <%[1]s>\r\nTo: %[1]s\r\nSubject: Letterhook test\r\nDate: %[2]s\r\nMessage-ID: <%[3]s@%[4]s>\r\n"+
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"+
		"A test of this endpoint that somebody asked Letterhook for. There is nothing to do.\r\n",
		address, t.AskedAt.UTC().Format(time.RFC1123Z), t.ID, d.cfg.Hostname)
	msg, err := d.parse(parser.Octets(raw), int64(len(raw)), parser.Limits{})
	if err != nil {
		return nil, fmt.Errorf("parsing the mail of the test: %w", err)
	}
	recipient := inbound.Recipient{Path: address, Decision: inbound.Decision{Account: ep.Account, Endpoints: []string{ep.ID}}}
	mail := &storage.Mail{ID: t.ID, Account: ep.Account, ReceivedAt: t.AskedAt, Size: int64(len(raw)), Envelope: inbound.Envelope{
		ReversePath: address, Recipients: []inbound.Recipient{recipient}, ReceivedAt: t.AskedAt, Helo: d.cfg.Hostname,
		RemoteIP: netip.IPv6Loopback(), Listener: "test",
	}}
	c, err := d.copyFor(ctx, mail, &content{data: contentOf(msg, nil, d.cfg.Version)}, ep, mail.Envelope.Recipients, 0, time.Now())
	if err != nil {
		return nil, err
	}
	c.OpenRaw = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	return c, nil
}
