package report_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/letterhook/letterhook/parser/report"
)

// checkDelivery holds what was read of any octets against what is promised of any report.
func checkDelivery(t *testing.T, d report.Delivery) {
	t.Helper()
	if len(d.Recipients) > report.MostRecipients {
		t.Errorf("%d recipients", len(d.Recipients))
	}
	for _, r := range d.Recipients {
		switch r.Action {
		case report.ActionFailed, report.ActionDelayed, report.ActionDelivered, report.ActionRelayed, report.ActionExpanded:
		default:
			t.Errorf("action %q", r.Action)
		}
		if len(r.Status) < 5 || strings.Trim(r.Status[:1], "245") != "" || strings.Count(r.Status, ".") != 2 {
			t.Errorf("status %q", r.Status)
		}
		if strings.ContainsAny(r.Address+r.Diagnostic+r.RemoteMTA, "\n") {
			t.Errorf("more than a line: %+v", r)
		}
	}
}

// FuzzDelivery reads any text as a delivery-status part.
func FuzzDelivery(f *testing.F) {
	f.Add("Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n")
	f.Add("Final-Recipient: utf-8; \\x{F6}@x\n\nAction: delayed")
	f.Fuzz(func(t *testing.T, text string) {
		d := report.ParseDelivery(text)
		checkDelivery(t, d)
		d.Complete(report.Read(report.Notice{Text: text}))
		checkDelivery(t, d)
		report.ParseDisposition(text)
	})
}

// FuzzFeedback reads any text as a feedback report.
func FuzzFeedback(f *testing.F) {
	f.Add("Feedback-Type: abuse\nOriginal-Rcpt-To: <a@x>\nIncidents: 3\nSource-IP: [IPv6:2001:db8::1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := report.ParseFeedback(text)
		if r.Incidents < 0 || r.SourcePort < 0 || len(r.OriginalRcptTo) > report.MostRecipients || r.Type != strings.ToLower(r.Type) {
			t.Errorf("%+v", r)
		}
	})
}

// FuzzNotice reads any text as the bounce of a system that nobody knows.
func FuzzNotice(f *testing.F) {
	for _, c := range notices {
		f.Add(c.notice.Text, strings.Join(c.notice.Failed, ","))
	}
	f.Fuzz(func(t *testing.T, text, failed string) {
		n := report.Notice{Text: text, To: []string{"a@x"}}
		if failed != "" {
			n.Failed = strings.Split(failed, ",")
		}
		r := report.Read(n)
		for i := range r.Recipients {
			if utf8.ValidString(text) && !utf8.ValidString(r.Recipients[i].Diagnostic) {
				t.Errorf("%q cut within a character", r.Recipients[i].Diagnostic)
			}
		}
		if len(n.Failed) == 0 {
			checkDelivery(t, r.Delivery)
		}
		report.VERP(text)
	})
}
