package parser_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
)

func report(reportType, partType, body string) string {
	return "Content-Type: multipart/report; report-type=" + reportType + "; boundary=b\n\n--b\n\nSorry.\n--b\nContent-Type: " + partType + "\n\n" + body + "\n--b--\n"
}

func TestKind(t *testing.T) {
	for _, c := range []struct {
		name, mail, kind string
		reasons          []string
	}{
		{"human", "Subject: undelivered mail returned to sender\n\n", parser.KindHuman, nil},
		{"bounce", report("delivery-status", "message/delivery-status", "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x\nAction: Failed (really)\nStatus: 5.1.1\n"), parser.KindBounce, []string{"part:delivery-status", "action:failed"}},
		{"delay", report("delivery-status", "message/delivery-status", "Reporting-MTA: dns; x\n\nAction: delayed\n"), parser.KindDeliveryReport, []string{"part:delivery-status", "action:delayed"}},
		{"some failed", report("delivery-status", "message/delivery-status", "Action: delivered\n\nAction: failed\n"), parser.KindBounce, []string{"part:delivery-status", "action:delivered", "action:failed"}},
		{"report without its part", report("delivery-status", "text/plain", "x"), parser.KindBounce, []string{"report-type:delivery-status"}},
		{"read receipt", report("disposition-notification", "message/disposition-notification", "Disposition: x"), parser.KindReadReceipt, []string{"part:disposition-notification"}},
		{"complaint", report("feedback-report", "message/feedback-report", "Feedback-Type: abuse"), parser.KindComplaint, []string{"part:feedback-report"}},
		{"auto reply", "Auto-Submitted: auto-replied (vacation)\n\n", parser.KindAutoReply, []string{"auto-submitted:auto-replied"}},
		{"automated", "Auto-Submitted: auto-generated; type=x\nList-Id: <l>\n\n", parser.KindAutomated, []string{"auto-submitted:auto-generated"}},
		{"by a person, it says", "Auto-Submitted: no\n\n", parser.KindHuman, nil},
		{"list", "List-Id: <l.example>\nList-Unsubscribe: <mailto:x>\nPrecedence: bulk\n\n", parser.KindList, []string{"list-id", "list-unsubscribe"}},
		{"precedence list", "Precedence: list\n\n", parser.KindList, []string{"precedence:list"}},
		{"bulk", "Precedence: Bulk\n\n", parser.KindAutomated, []string{"precedence:bulk"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.mail)
			if m.Kind != c.kind || !cmp.Equal(m.KindReasons, c.reasons) {
				t.Errorf("%s %q, want %s %q", m.Kind, m.KindReasons, c.kind, c.reasons)
			}
		})
	}
}
