package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser/report"
)

func TestParseDelivery(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       report.Delivery
	}{
		{"RFC 3464", "Reporting-MTA: dns; mail.a.example (a comment)\r\nOriginal-Envelope-Id: env1\r\nArrival-Date: Sat, 21 Nov 2026 18:30:00 +0000\r\n\r\n" +
			"Original-Recipient: rfc822;info@b.example\r\nFinal-Recipient: RFC822; <bob@b.example>\r\nAction: Failed (really)\r\nStatus: 5.1.1 (bad address)\r\n" +
			"Remote-MTA: dns; mx.b.example\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n  user unknown\r\n",
			report.Delivery{ReportingMTA: "mail.a.example", EnvelopeID: "env1", ArrivalDate: "Sat, 21 Nov 2026 18:30:00 +0000", Recipients: []report.Recipient{
				{Address: "bob@b.example", Original: "info@b.example", Action: "failed", Status: "5.1.1", Diagnostic: "smtp; 550 5.1.1 user unknown", RemoteMTA: "mx.b.example"},
			}}},
		{"RFC 6533", "Reporting-MTA: dns; x\n\nFinal-Recipient: utf-8; b\\x{F6}b@b.example\nAction: delivered\nStatus: 2.1.5\n",
			report.Delivery{ReportingMTA: "x", Recipients: []report.Recipient{{Address: "böb@b.example", Action: "delivered", Status: "2.1.5"}}}},
		{"escapes that are none", "Final-Recipient: utf-8; \\x{}\\x{110000}\\x{0}\\x{41@x\n",
			report.Delivery{Recipients: []report.Recipient{{Address: "\\x{}\\x{110000}\\x{0}\\x{41@x", Action: "failed", Status: "5.0.0"}}}},
		{"an empty line too many", "Final-Recipient: rfc822; bob@b.example\n\nAction: delayed\nStatus: 4.4.1\n",
			report.Delivery{Recipients: []report.Recipient{{Address: "bob@b.example", Action: "delayed", Status: "4.4.1"}}}},
		{"one group of all", "Reporting-MTA: dns; x\nFinal-Recipient: rfc822; a@x\nAction: failed\nStatus: 5.1.1\nFinal-Recipient: rfc822; b@x\nAction: relayed\nStatus: 2.0.0\n",
			report.Delivery{ReportingMTA: "x", Recipients: []report.Recipient{{Address: "a@x", Action: "failed", Status: "5.1.1"}, {Address: "b@x", Action: "relayed", Status: "2.0.0"}}}},
		{"recipients without name", "Action: delivered\n\nAction: failed\n",
			report.Delivery{Recipients: []report.Recipient{{Action: "delivered", Status: "2.0.0"}, {Action: "failed", Status: "5.0.0"}}}},
		{"no type", "Final-Recipient: bob@b.example\nStatus: 4.2.2\n",
			report.Delivery{Recipients: []report.Recipient{{Address: "bob@b.example", Action: "failed", Status: "4.2.2"}}}},
		{"success without action", "Final-Recipient: rfc822; bob@b.example\nStatus: 2.1.5\n",
			report.Delivery{Recipients: []report.Recipient{{Address: "bob@b.example", Action: "delivered", Status: "2.1.5"}}}},
		{"X.400", "Final-Recipient: x400; /G=Bob/S=Smith/O=B/C=GB/\nAction: failed\nStatus: 5.1.1\n",
			report.Delivery{Recipients: []report.Recipient{{Address: "/G=Bob/S=Smith/O=B/C=GB/", Action: "failed", Status: "5.1.1"}}}},
		{"an unknown action", "Final-Recipient: rfc822; a@x\nAction: exploded\n",
			report.Delivery{Recipients: []report.Recipient{{Address: "a@x", Action: "failed", Status: "5.0.0"}}}},
		{"nothing", "\n\nno field here\n : x\n", report.Delivery{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, report.ParseDelivery(c.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestStatus: which of the codes in a report becomes the status of its recipient.
func TestStatus(t *testing.T) {
	for _, c := range []struct{ status, diagnostic, action, want string }{
		{"5.1.1", "", "failed", "5.1.1"},
		{"5.1.1.", "", "failed", "5.1.1"},
		{"5.0.0", "smtp; 550 5.7.1 no", "failed", "5.7.1"},
		{"5.0.0", "no such user (#5.1.1)", "failed", "5.1.1"},
		{"4.4.7", "smtp; 452 4.4.5 disk full", "failed", "4.4.5"},
		{"4.4.7", "smtp; 550 5.1.1 gone", "failed", "4.4.7"}, // another class: the last try was not why it failed
		{"5.1.1", "see 5.7.1 of the policy", "failed", "5.1.1"},
		{"", "smtp; 550-5.7.26 not accepted", "failed", "5.7.26"},
		{"", "smtp; 550 no such user", "failed", "5.0.0"},
		{"", "421 too busy", "failed", "4.0.0"},
		{"", "the server said: 552, too large", "failed", "5.0.0"},
		{"", "gave up after 432 minutes", "delayed", "4.0.0"},
		{"", "Status: Error, ResponseCode 421, , Host not reachable.", "failed", "4.0.0"},
		{"", "#550 rejected", "failed", "5.0.0"},
		{"", "250 2.1.5 recipient ok, then 452 4.2.2 full", "failed", "4.2.2"},
		{"", "host 4.1.2.3 is down", "failed", "5.0.0"},
		{"", "sendmail 5.6.7.8 from 5.1.1beta", "delayed", "4.0.0"},
		{"", "", "relayed", "2.0.0"},
		{"9.1.1", "", "delayed", "4.0.0"},
		{"5.1.1234", "", "failed", "5.0.0"},
	} {
		text := "Final-Recipient: rfc822; a@x\nAction: " + c.action + "\nDiagnostic-Code: " + c.diagnostic + "\nStatus: " + c.status + "\n"
		if got := report.ParseDelivery(text).Recipients[0].Status; got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestDeliveryBounds: a report that is too long is read in part, and says so.
func TestDeliveryBounds(t *testing.T) {
	var many strings.Builder
	for i := range report.MostRecipients + 1 {
		fmt.Fprintf(&many, "Final-Recipient: a;%d@x\n\n", i)
	}
	for _, text := range []string{many.String(), "Final-Recipient: rfc822; a@x\n" + strings.Repeat("X-Filler: filler\n", 5000)} {
		d := report.ParseDelivery(text)
		if !d.Cut || len(d.Recipients) == 0 || len(d.Recipients) > report.MostRecipients {
			t.Errorf("cut %v with %d recipients", d.Cut, len(d.Recipients))
		}
	}
	if r := report.Read(report.Notice{Text: "<a@b.example>: 550 no\n" + strings.Repeat("x\n", report.MostOctets)}); !r.Cut || len(r.Recipients) != 1 {
		t.Errorf("a long notice: %v with %d recipients", r.Cut, len(r.Recipients))
	}
}

func TestParseFeedback(t *testing.T) {
	const text = "Feedback-Type: Abuse (a comment)\r\nUser-Agent: Some/1.0\r\nVersion: 1\r\nSource-IP: 192.0.2.1 (host.example)\r\nSource-Port: 25\r\n" +
		"Original-Rcpt-To: <a@x.example>\r\nOriginal-Rcpt-To: b@x.example\r\nOriginal-Mail-From: <s@y.example>\r\nReporting-MTA: dns; mail.x.example\r\n" +
		"Received-Date: Sat, 21 Nov 2026 18:30:00 +0000\r\nIncidents: 3\r\nReported-Domain: y.example\r\nReported-Uri: http://y.example/\r\n" +
		"Auth-Failure: DMARC\r\nDKIM-Canonicalized-Body: YWJj\r\n ZGVm\r\nFeedback-Type: fraud\r\n"
	want := report.Feedback{Type: "abuse", UserAgent: "Some/1.0", Version: "1", SourceIP: "192.0.2.1", SourcePort: 25, OriginalRcptTo: []string{"a@x.example", "b@x.example"},
		OriginalMailFrom: "s@y.example", ReportingMTA: "mail.x.example", ArrivalDate: "Sat, 21 Nov 2026 18:30:00 +0000", Incidents: 3,
		ReportedDomain: []string{"y.example"}, ReportedURI: []string{"http://y.example/"}, AuthFailure: "dmarc", DKIMCanonicalizedBody: "YWJjZGVm"}
	if diff := cmp.Diff(want, report.ParseFeedback(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := report.ParseFeedback("Incidents: -4\nSource-Port: x\n"); got.Incidents != 1 || got.SourcePort != 0 {
		t.Errorf("numbers that are none: %+v", got)
	}
	if got := report.ParseFeedback(strings.Repeat("Reported-Domain: x\n", report.MostRecipients+1)); !got.Cut || len(got.ReportedDomain) != report.MostRecipients {
		t.Errorf("too many: %d, cut %v", len(got.ReportedDomain), got.Cut)
	}
}

func TestParseDisposition(t *testing.T) {
	const text = "Reporting-UA: mua.example; Mail 1.0\r\nOriginal-Recipient: rfc822;info@b.example\r\nFinal-Recipient: rfc822;bob@b.example\r\n" +
		"Original-Message-ID: <1@a.example>\r\nDisposition: manual-action/MDN-sent-automatically; Displayed/error\r\n"
	want := report.Disposition{ReportingUA: "mua.example; Mail 1.0", Original: "info@b.example", Recipient: "bob@b.example", MessageID: "1@a.example",
		Mode: "manual-action", Sending: "mdn-sent-automatically", Type: "displayed"}
	if diff := cmp.Diff(want, report.ParseDisposition(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
