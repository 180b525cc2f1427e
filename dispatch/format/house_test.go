package format

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"io"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/golden/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readFile(t, path)), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stamp is that of every golden file; its time and token are those of the vector for Mailgun.
var stamp = dispatch.Stamp{Time: time.Unix(1539112500, 0), Token: "7VwW7k6Ak7zcTwoSoNm7aTtbk1g67MKAnsYLfUB7PdszbgR5Xi"}

const mailgunKey = "tbsy84uSV1Kt3ZJZELY2TmShPRs91E3yL4tzf96297vBCkDWgL"

// sendgridKey signs in tests only.
const sendgridKey = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnhnES5qRXaOYE6m77JNU/MA8dzagiWGPL4tgugfCYlKhRANCAASDmDlV/bOWC87P+Ki9SKWiM/lVrGcVHb+H8E27Uz8ctwyUyuPVROHBZRHc3ARCmSbnIjkRjIg4LHmEEYmVt5Ep"

// keyOf is the key that an endpoint of the format has in tests.
func keyOf(format string) []byte {
	switch format {
	case SendGrid, SendGridRaw:
		return []byte(sendgridKey)
	case Mailgun, MailgunMIME:
		return []byte(mailgunKey)
	case Mandrill:
		return []byte("1l9Qf7lutEf7h73VXfBwhw")
	}
	return nil
}

var received = time.Date(2026, 11, 21, 18, 30, 0, 123e6, time.UTC)

// copyOf is a copy of a mail to reply+k3y@in.example, as the dispatcher would make it.
func copyOf(t testing.TB, raw []byte) *dispatch.Copy {
	t.Helper()
	msg, err := parser.Parse(parser.Octets(raw), int64(len(raw)), parser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := dispatch.DataOf(msg, int64(len(raw)), sha256.Sum256(raw), "1.0.0-test")
	if err != nil {
		t.Fatal(err)
	}
	return copyAround(data, msg, raw)
}

func copyAround(data *dispatch.EventData, msg *parser.Message, raw []byte) *dispatch.Copy {
	path := inbound.Path{LocalPart: "reply+k3y", Domain: "in.example"}
	env := inbound.Envelope{
		ReversePath: inbound.Path{LocalPart: "bounces+42", Domain: "sender.example"}, ESMTP: true,
		Recipients: []inbound.Recipient{{Path: path}}, Helo: "mail.sender.example",
		RemoteIP: netip.MustParseAddr("203.0.113.7"), RemoteHost: "mail.sender.example", Listener: "mx", ReceivedAt: received,
	}
	data.ID, data.ReceivedAt = "msg_01kab0000000000000000000aa", dispatch.Time{Time: received}
	data.Envelope = &dispatch.Envelope{
		MailFrom: env.ReversePath.String(), RcptTo: []string{path.String()}, Helo: env.Helo, RemoteIP: env.RemoteAddress(),
		TLS: &dispatch.TLS{Version: "TLS 1.3"}, Listener: "mx",
	}
	data.Recipients = []dispatch.Recipient{{Address: path.String(), LocalPart: "reply", Detail: "k3y", Domain: path.Domain}}
	data.Authentication = &dispatch.Authentication{
		SPF: dispatch.SPF{Result: "pass", Domain: "sender.example", Explanation: "matched a"},
		DKIM: []dispatch.DKIM{
			{Result: "pass", Domain: "sender.example", Selector: "s1", Aligned: true}, {Result: "fail", Domain: "list.example", Selector: "l"},
		},
		DMARC: dispatch.DMARC{Result: "pass", Domain: "sender.example", Policy: "reject", SPFAligned: true, DKIMAligned: true},
	}
	data.Spam = &dispatch.Spam{
		Engine: "rspamd", Score: 1.5, Required: 15, Action: "no action", Symbols: []dispatch.SpamSymbol{{Name: "MIME_GOOD", Score: -0.1}},
	}
	for i := range data.Attachments {
		url := "https://letterhook.example/v1/blobs/" + data.Attachments[i].ID
		data.Attachments[i].URL, data.Attachments[i].Omitted = &url, nil
	}
	return &dispatch.Copy{
		Endpoint: &storage.Endpoint{ID: "ep_1", URL: "https://app.example/hook", IncludeRaw: true},
		ID:       data.ID, Event: &dispatch.Event{Data: data}, Envelope: env, Hostname: "mx.in.example",
		OpenRaw: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil },
		OpenAttachment: func(_ context.Context, i int) (io.ReadCloser, error) {
			return io.NopCloser(msg.Attachments[i].Open()), nil
		},
	}
}

// bodyOf writes the body of a form twice, which must give the same, and its signature.
func bodyOf(t testing.TB, f dispatch.Format, c *dispatch.Copy) (form *dispatch.Form, body []byte) {
	t.Helper()
	form, err := f.Form(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, into := range []*bytes.Buffer{&first, &second} {
		if err := form.Write(t.Context(), into, stamp); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Fatal("written twice it is not the same")
	}
	return form, first.Bytes()
}

// tracedMail is the mail as formats hand it on.
func tracedMail(c *dispatch.Copy, raw []byte) []byte { return append(c.Trace(), raw...) }
