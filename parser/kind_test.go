package parser_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/report"
)

func testReport(reportType, partType, body string) string {
	return "Content-Type: multipart/report; report-type=" + reportType + "; boundary=b\n\n--b\n\nSorry.\n--b\nContent-Type: " + partType + "\n\n" + body + "\n--b--\n"
}

func TestKind(t *testing.T) {
	for _, c := range []struct {
		name, mail, kind string
		reasons          []string
	}{
		{"human", "Subject: undelivered mail returned to sender\n\n", parser.KindHuman, nil},
		{"bounce", testReport("delivery-status", "message/delivery-status", "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x\nAction: Failed (really)\nStatus: 5.1.1\n"), parser.KindBounce, []string{"part:delivery-status", "action:failed"}},
		{"delay", testReport("delivery-status", "message/delivery-status", "Reporting-MTA: dns; x\n\nAction: delayed\n"), parser.KindDeliveryReport, []string{"part:delivery-status", "action:delayed"}},
		{"some failed", testReport("delivery-status", "message/delivery-status", "Action: delivered\n\nAction: failed\n"), parser.KindBounce, []string{"part:delivery-status", "action:delivered", "action:failed"}},
		{"report without its part", testReport("delivery-status", "text/plain", "x"), parser.KindBounce, []string{"report-type:delivery-status"}},
		{"read receipt", testReport("disposition-notification", "message/disposition-notification", "Disposition: x"), parser.KindReadReceipt, []string{"part:disposition-notification", "disposition:x"}},
		{"complaint", testReport("feedback-report", "message/feedback-report", "Feedback-Type: abuse"), parser.KindComplaint, []string{"part:feedback-report", "feedback-type:abuse"}},
		{"auto reply", "Auto-Submitted: auto-replied (vacation)\n\n", parser.KindAutoReply, []string{"auto-submitted:auto-replied"}},
		{"automated", "Auto-Submitted: auto-generated; type=x\nList-Id: <l>\n\n", parser.KindAutomated, []string{"auto-submitted:auto-generated"}},
		{"by a person, it says", "Auto-Submitted: no\n\n", parser.KindHuman, nil},
		{"list", "List-Id: <l.example>\nList-Unsubscribe: <mailto:x>\nPrecedence: bulk\n\n", parser.KindList, []string{"list-id", "list-unsubscribe"}},
		{"precedence list", "Precedence: list\n\n", parser.KindList, []string{"precedence:list"}},
		{"bulk", "Precedence: Bulk\n\n", parser.KindAutomated, []string{"precedence:bulk"}},

		{"bounce of text", "From: MAILER-DAEMON@b.example\nSubject: failure notice\n\nHi. This is the qmail-send program at b.example.\n\n<bob@b.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n", parser.KindBounce, []string{"sender:mailer-daemon", "subject:bounce", "action:failed"}},
		{"warning of text", "From: Mail System <postmaster@b.example>\nSubject: Warning: could not send message\n\nWill keep trying:\n\n  bob@b.example\n    451 4.3.0 later\n", parser.KindDeliveryReport, []string{"sender:mail-system", "subject:bounce", "action:delayed"}},
		{"bounce by its field alone", "From: x@b.example\nX-Failed-Recipients: bob@b.example,\n carl@b.example\n\n\u4f60\u597d\n", parser.KindBounce, []string{"x-failed-recipients", "action:failed"}},
		{"returned to its sender", "From: no-reply@b.example\nTo: ann@a.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nCould not be delivered to: <bob@b.example>\n--b\nContent-Type: message/rfc822\n\nFrom: ann@a.example\nTo: bob@b.example\n\nHi\n--b--\n", parser.KindBounce, []string{"part:returned-mail", "action:failed"}},
		{"sent back by a person", "From: bob@b.example\nTo: ann@a.example\nSubject: Undeliverable goods\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nThe goods could not be delivered to <bob@b.example>.\n--b\nContent-Type: message/rfc822\n\nFrom: ann@a.example\nTo: bob@b.example\n\nHi\n--b--\n", parser.KindHuman, nil},
		{"a person of a bounce", "From: ann@a.example\nTo: help@in.example\nSubject: Undelivered Mail Returned to Sender\n\nWhat does this mean?\n\n<bob@b.example>: host mx.b.example said: 550 5.1.1 User unknown\n", parser.KindHuman, nil},
		{"a bounce passed on by a person", "From: ann@a.example\nSubject: Fwd: Undelivered Mail Returned to Sender\nReturn-Path: <>\n\n<bob@b.example>: 550 5.1.1 User unknown\n", parser.KindAutomated, []string{"null-return-path"}},
		{"a report among attachments", "From: ann@a.example\nSubject: WG: Unzustellbar\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nLook.\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b--\n", parser.KindHuman, nil},
		{"a report that a person attached", "From: ann@a.example\nSubject: Mail problem\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nLook.\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b--\n", parser.KindHuman, nil},
		{"a report that lost its wrapping", "From: mailer-daemon@b.example\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b--\n", parser.KindBounce, []string{"part:delivery-status", "action:failed"}},
		{"a person of that name", "From: Mail System Sales <bob@b.example>\nSubject: Undeliverable pallets\n\nThe pallets could not be delivered to <site@x.example>: 550 pieces\n", parser.KindHuman, nil},
		{"a postmaster in person", "From: Bob <postmaster@b.example>\nSubject: Your question\n\nThat mail was not delivered since we moved.\n", parser.KindHuman, nil},
		{"a parcel", "From: DHL <info@parcel.example>\nSubject: Delivery failed: parcel 1234\nAuto-Submitted: auto-generated\n\nYour parcel could not be delivered to Main Street 1. Write to\n\nhelp@parcel.example\n", parser.KindAutomated, []string{"auto-submitted:auto-generated"}},
		{"a daemon that reports nothing", "From: mailer-daemon@b.example\nSubject: statistics\n\n12 mails\n", parser.KindAutomated, []string{"sender:mailer-daemon"}},

		{"aggregate report of DMARC", "Subject: Report Domain: a.example Submitter: b.example Report-ID: <1>\n\n", parser.KindAutomated, []string{"report:dmarc"}},
		{"by its file", "Subject: x\nContent-Type: application/gzip; name=\"b.example!a.example!1700000000!1700086399.xml.gz\"\nContent-Disposition: attachment\n\nx\n", parser.KindAutomated, []string{"report:dmarc"}},
		{"report of TLS", "TLS-Report-Domain: a.example\nSubject: Report Domain: a.example Submitter: b.example\n\n", parser.KindAutomated, []string{"report:tls"}},
		{"challenge", "X-Boxtrapper: x\nPrecedence: auto_reply\nSubject: Your email requires verification\n\n", parser.KindAutomated, []string{"challenge:x-boxtrapper"}},
		{"challenge by its subject", "Auto-Submitted: auto-replied\nSubject: Please confirm your message\n\n", parser.KindAutomated, []string{"challenge:subject"}},
		{"complaint of the junk mail programme", "From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.1\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: bob@b.example\nFrom: a@x\n\nx\n--b--\n", parser.KindComplaint, []string{"subject:complaint", "part:reported-mail"}},

		{"autoresponder", "X-Autoreply: yes\n\n", parser.KindAutoReply, []string{"x-autoreply"}},
		{"no autoresponder", "X-Autoreply: no\n\n", parser.KindHuman, nil},
		{"iCloud's", "X-Apple-Action: VACATION/OTHERS\n\n", parser.KindHuman, nil},
		{"an absence and silence asked for", "Subject: Automatische Antwort: Angebot\nX-Auto-Response-Suppress: All\n\n", parser.KindAutoReply, []string{"subject:absence", "x-auto-response-suppress"}},
		{"an absence in subject and text", "Subject: Out of Office AutoReply: Offer\n\nI am out of the office until Monday.\n", parser.KindAutoReply, []string{"subject:absence", "text:absence"}},
		{"Exchange's", "Subject: Automatic reply: Offer\nAuto-Submitted: auto-generated\n\nBack on Monday.\n", parser.KindAutoReply, []string{"subject:absence", "auto-submitted:auto-generated"}},
		{"Notes's", "Subject: Ann Smith/B is out of the office (returning 12/01)\nAuto-Submitted: auto-generated\n\nx\n", parser.KindAutoReply, []string{"subject:absence", "auto-submitted:auto-generated"}},
		{"an answer without a colon", "Subject: Vacation\nIn-Reply-To: <1@x>\nPrecedence: junk\n\nx\n", parser.KindAutoReply, []string{"subject:absence", "precedence:junk"}},
		{"news of a holiday", "Subject: Vacation request approved\nAuto-Submitted: auto-generated\n\nYou will be on vacation from Monday.\n", parser.KindAutomated, []string{"auto-submitted:auto-generated"}},
		{"who is away next week", "Subject: Out of office next week\n\nI will be out of the office. Can you cover for me?\n", parser.KindHuman, nil},
		{"a plan for the holidays", "Subject: Urlaub im August\n\nIch bin vom 1. bis 15. im Urlaub, Bob vertritt mich.\n", parser.KindHuman, nil},
		{"a child that is ill", "Subject: Absence of Tom\n\nTom is absent today, he has a fever.\n", parser.KindHuman, nil},
		{"a question with a colon", "Subject: Vacation: who covers for me?\n\nI will be on vacation.\n", parser.KindHuman, nil},
		{"who is out today", "Subject: Tom is out of the office today\n\nHe is on vacation.\n", parser.KindHuman, nil},
		{"an answer with a colon", "Subject: Out of office: Offer\nIn-Reply-To: <1@x>\n\nI am on vacation.\n", parser.KindAutoReply, []string{"subject:absence", "text:absence"}},
		{"a holiday", "Subject: Urlaub in Italien\n\nWir haben ein Haus gefunden!\n", parser.KindHuman, nil},
		{"an absence alone", "Subject: R\u00e9ponse automatique : Offre\n\nMerci de votre message.\n", parser.KindHuman, nil},
		{"auto reply by precedence", "Precedence: auto_reply\n\n", parser.KindAutoReply, []string{"precedence:auto_reply"}},
		{"silence asked for", "X-Auto-Response-Suppress: DR, OOF\n\n", parser.KindAutomated, []string{"x-auto-response-suppress"}},
		{"silence not asked for", "X-Auto-Response-Suppress: None\n\n", parser.KindHuman, nil},
		{"no reply", "From: Shop <do-not-reply@shop.example>\n\n", parser.KindAutomated, []string{"sender:no-reply"}},
		{"null path in the header", "Return-Path: <>\nFrom: a@x\n\n", parser.KindAutomated, []string{"null-return-path"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.mail)
			if m.Kind != c.kind || !cmp.Equal(m.KindReasons, c.reasons) {
				t.Errorf("%s %q, want %s %q", m.Kind, m.KindReasons, c.kind, c.reasons)
			}
		})
	}
}

// TestPassedOn: mail that a person sends on is no report, in whatever language his program says so.
func TestPassedOn(t *testing.T) {
	for _, subject := range []string{
		"Fwd: x", "FW : x", "Re[2]: x", "Re (3): x", "[team] Fwd: x", "\u8f6c\u53d1\uff1ax", "\u8f49\u5bc4: x", "\u56de\u590d\uff1ax", "\u8fd4\u4fe1: x", "\u8ee2\u9001: x", "\u0130LT: x", "Ynt: x", "Odp: x", "PD: x", "Rif: x", "R: x",
		"RES: x", "Doorst: x", "VL: x", "Videresendt: x", "\u03a3\u03c7\u03b5\u03c4: x", "\ub2f5\uc7a5: x", "\uc804\ub2ec: x", "\u05ea\u05e9\u05d5\u05d1\u05d4: x", "\u0625\u0639\u0627\u062f\u0629 \u062a\u0648\u062c\u064a\u0647: x",
	} {
		part := "--b\n\nLook.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--b--\n"
		if m := parse(t, "From: ann@a.example\nSubject: "+subject+"\nContent-Type: multipart/mixed; boundary=b\n\n"+part); m.Kind != parser.KindHuman {
			t.Errorf("%s: %s %q", subject, m.Kind, m.KindReasons)
		}
	}
	for _, subject := range []string{"Undeliverable: x", "Warning: x", "Mail delivery failed: returning message to sender", "abuse: x", "[abuse] x", "Report: x"} {
		if m := parse(t, "From: a@b.example\nSubject: "+subject+"\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--b--\n"); m.Kind != parser.KindComplaint {
			t.Errorf("%s: %s", subject, m.Kind)
		}
	}
}

// TestNullReversePath: what only the envelope knows turns the balance.
func TestNullReversePath(t *testing.T) {
	for _, c := range []struct {
		name, mail, kind string
		reasons          []string
	}{
		{"a subject and a code", "From: sysadmin@b.example\nSubject: Undeliverable Message\n\nNo valid recipients: bob@b.example\n550 unknown\n", parser.KindBounce, []string{"subject:bounce", "action:failed", "null-reverse-path"}},
		{"a subject alone", "From: sysadmin@b.example\nSubject: Undeliverable Message\n\nHello\n", parser.KindAutomated, []string{"null-reverse-path"}},
		{"an absence", "From: bob@b.example\nSubject: R\u00e9ponse automatique : Offre\n\nMerci.\n", parser.KindAutoReply, []string{"subject:absence", "null-return-path", "null-reverse-path"}},
		{"nothing else", "From: bob@b.example\nSubject: Hello\n\nHello\n", parser.KindAutomated, []string{"null-reverse-path"}},
		{"a list", "From: bob@b.example\nList-Id: <l>\n\nHello\n", parser.KindList, []string{"list-id", "null-reverse-path"}},
		{"a bounce already", "From: mailer-daemon@b.example\nSubject: failure notice\n\n<bob@b.example>:\nno mailbox here (#5.1.1)\n", parser.KindBounce, []string{"sender:mailer-daemon", "subject:bounce", "action:failed", "null-reverse-path"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.mail)
			m.NullReversePath()
			if m.Kind != c.kind || !cmp.Equal(m.KindReasons, c.reasons) {
				t.Errorf("%s %q, want %s %q", m.Kind, m.KindReasons, c.kind, c.reasons)
			}
			if (m.Bounce != nil) != (c.kind == parser.KindBounce) {
				t.Errorf("bounce: %+v", m.Bounce)
			}
		})
	}
}

// TestBounce: the fields of the report are completed by its text, and the mail concerned is told from its header.
func TestBounce(t *testing.T) {
	m := parse(t, "From: Mailer Daemon <MAILER-DAEMON@b.example>\nTo: ann@a.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nAn error has occurred:\n\nbob@b.example: 550 5.7.26 no DMARC\n--b\n"+
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.b.example\n\nFinal-Recipient: rfc822; bob@b.example\nAction: failed\nStatus: 5.0.0\n--b\n"+
		"Content-Type: text/rfc822-headers\n\nMessage-ID: <1@a.example>\nFrom: Ann <ann@a.example>\nTo: bob@b.example, carl@b.example\nSubject: =?utf-8?q?caf=C3=A9?=\n\n--b--\n")
	want := &parser.Bounce{
		ReportingMTA: "mx.b.example",
		Recipients:   []report.Recipient{{Address: "bob@b.example", Action: "failed", Status: "5.7.26", Diagnostic: "550 5.7.26 no DMARC"}},
		Original:     parser.ReportedMail{MessageID: "1@a.example", From: "ann@a.example", To: "bob@b.example, carl@b.example", Subject: "caf\u00e9"},
	}
	if diff := cmp.Diff(want, m.Bounce); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(m.Defects) > 1 { // bare LF; what is wrong with the mail concerned is no defect of this one
		t.Errorf("defects: %+v", m.Defects)
	}
}

// TestBounceOfText: the header of the mail that came back is read from the text behind the words that announce it.
func TestBounceOfText(t *testing.T) {
	m := parse(t, "From: MAILER-DAEMON@b.example\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at b.example.\r\n\r\n<bob@b.example>:\r\n192.0.2.1 does not like recipient.\r\nRemote host said: 550 5.1.1 no\r\n\r\n"+
		"--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <ann@a.example>\r\nMessage-ID: <1@a.example>\r\nFrom: ann@a.example\r\nTo: Bob <bob@b.example>\r\nSubject: Hello\r\n\r\nHi Bob\r\n")
	want := &parser.Bounce{
		ReportingMTA: "b.example",
		Recipients:   []report.Recipient{{Address: "bob@b.example", Action: "failed", Status: "5.1.1", Diagnostic: "192.0.2.1 does not like recipient. Remote host said: 550 5.1.1 no", RemoteMTA: "192.0.2.1"}},
		Original:     parser.ReportedMail{MessageID: "1@a.example", From: "ann@a.example", To: "bob@b.example", Subject: "Hello"},
	}
	if diff := cmp.Diff(want, m.Bounce); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBounceWithoutCopy: Gmail says in a field which mail came back, and sends nothing of that.
func TestBounceWithoutCopy(t *testing.T) {
	m := parse(t, testReport("delivery-status", "message/delivery-status", "Reporting-MTA: dns; googlemail.com\nX-Original-Message-ID: <1@a.example>\n\nFinal-Recipient: rfc822; bob@b.example\nAction: failed\nStatus: 5.1.1\n"))
	if m.Bounce == nil || m.Bounce.Original.MessageID != "1@a.example" || len(m.Bounce.Recipients) != 1 {
		t.Errorf("%+v", m.Bounce)
	}
}

// TestReportLimit: a report that is too long is read in part, and the message says so.
func TestReportLimit(t *testing.T) {
	for name, mail := range map[string]string{
		"delivery": testReport("delivery-status", "message/delivery-status", strings.Repeat("Final-Recipient: rfc822; a@x\nAction: failed\n\n", report.MostRecipients+1)),
		"feedback": testReport("feedback-report", "message/feedback-report", "Feedback-Type: abuse\n"+strings.Repeat("X-Filler: filler\n", 5000)),
		"text":     "From: mailer-daemon@x.example\n\n<a@b.example>: 550 5.1.1 no\n" + strings.Repeat("x\n", report.MostOctets),
	} {
		if m := parse(t, mail); !slices.Contains(m.LimitsHit, parser.LimitReport) || m.Kind == parser.KindHuman {
			t.Errorf("%s: kind %s, limits %q", name, m.Kind, m.LimitsHit)
		}
	}
}
