package dispatch

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

const bounce = "From: MAILER-DAEMON@b.example\r\nTo: bounces+bob=b.example@in.example\r\nSubject: Undelivered\r\n" +
	"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
	"Reporting-MTA: dns; mx.b.example\r\n\r\nFinal-Recipient: rfc822; bob@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no\r\n" +
	"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <1@in.example>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nTo: bob@b.example\r\n\r\n--b--\r\n"

// contentFor is what the content of a mail alone makes of an event.
func contentFor(t *testing.T, raw string) *EventData {
	t.Helper()
	msg, err := parser.Parse(bytes.NewReader([]byte(raw)), int64(len(raw)), parser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return contentOf(msg, make([]attachment, len(msg.Attachments)), "v")
}

// TestBounce: the event says what became of each recipient, what mail it was, and whom the forward-path of this endpoint
// encodes; the event of another endpoint knows nothing of that.
func TestBounce(t *testing.T) {
	data := contentFor(t, bounce)
	mail := sampleMail([]byte(bounce))
	mail.Envelope.Recipients = []inbound.Recipient{
		{Path: inbound.Path{LocalPart: "bounces+bob=b.example", Domain: "in.example"}, Decision: inbound.Decision{Endpoints: []string{"ep_1"}}},
		{Path: inbound.Path{LocalPart: "all", Domain: "in.example"}, Decision: inbound.Decision{Endpoints: []string{"ep_2"}}},
	}
	text := func(s string) *string { return &s }
	want := &Bounce{
		ReportingMTA: "mx.b.example",
		Recipients:   []BounceRecipient{{Address: "bob@b.example", Action: "failed", Status: "5.1.1", Diagnostic: text("smtp; 550 5.1.1 no")}},
		Original:     ReportedMail{MessageID: text("1@in.example"), To: text("bob@b.example"), Subject: text("caf\u00e9")},
	}
	for endpoint, verp := range map[string]*VERP{"ep_1": {Address: "bob@b.example"}, "ep_2": nil} {
		own := *data
		address(&own, mail, endpoint)
		want.VERP = verp
		if diff := cmp.Diff(want, own.Bounce); diff != "" {
			t.Errorf("%s (-want +got):\n%s", endpoint, diff)
		}
	}
}

func TestComplaint(t *testing.T) {
	const raw = "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\r\nHi.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
		"Feedback-Type: abuse\r\nUser-Agent: Some/1.0\r\nSource-IP: 192.0.2.1\r\nOriginal-Rcpt-To: <bob@b.example>\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <1@in.example>\r\nFrom: news@in.example\r\nSubject: News\r\n\r\nBuy!\r\n--b--\r\n"
	text := func(s string) *string { return &s }
	want := &Complaint{FeedbackType: "abuse", UserAgent: text("Some/1.0"), SourceIP: text("192.0.2.1"), OriginalRcptTo: []string{"bob@b.example"},
		Original: ReportedMail{MessageID: text("1@in.example"), From: text("news@in.example"), Subject: text("News")}}
	data := contentFor(t, raw)
	if diff := cmp.Diff(want, data.Complaint); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if data.Bounce != nil || contentFor(t, bounce).Complaint != nil {
		t.Error("a bounce is no complaint, and a complaint no bounce")
	}
}

// TestNullReversePath: what only the envelope knows decides what a mail is.
func TestNullReversePath(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	const undeliverable = "From: sysadmin@b.example\r\nTo: ann@in.example\r\nSubject: Undeliverable Message\r\n\r\nNo valid recipients: bob@b.example\r\n550 unknown\r\n"
	for _, c := range []struct {
		reversePath inbound.Path
		raw, kind   string
		bounced     bool
	}{
		{inbound.Path{}, undeliverable, parser.KindBounce, true},
		{inbound.Path{LocalPart: "sysadmin", Domain: "b.example"}, undeliverable, parser.KindHuman, false},
		{inbound.Path{}, mail("hello"), parser.KindAutomated, false},
	} {
		h.acceptFrom(c.reversePath, c.raw, "one")
		data := (<-hits).event.Data
		if data.Kind != c.kind || (data.Bounce != nil) != c.bounced {
			t.Errorf("from %v: %s %q, bounce %+v; want %s", c.reversePath, data.Kind, data.KindReasons, data.Bounce, c.kind)
		}
		if null := c.reversePath == (inbound.Path{}); slices.Contains(data.KindReasons, "null-reverse-path") != null {
			t.Errorf("from %v: %q", c.reversePath, data.KindReasons)
		}
	}
}
