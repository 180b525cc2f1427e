package dispatch

import (
	"slices"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/report"
)

// bounceOf is what the event says of a bounce; null when the mail is none.
func bounceOf(b *parser.Bounce) *Bounce {
	if b == nil {
		return nil
	}
	to := &Bounce{ReportingMTA: b.ReportingMTA, Recipients: make([]BounceRecipient, len(b.Recipients)), Original: reportedOf(b.Original)}
	for i := range b.Recipients {
		r := &b.Recipients[i]
		to.Recipients[i] = BounceRecipient{
			Address: r.Address, Original: optional(r.Original), Action: r.Action, Status: r.Status,
			Diagnostic: optional(r.Diagnostic), RemoteMTA: optional(r.RemoteMTA),
		}
	}
	return to
}

// complaintOf is what the event says of a complaint; null when the mail is none.
func complaintOf(c *parser.Complaint) *Complaint {
	if c == nil {
		return nil
	}
	return &Complaint{
		FeedbackType: c.Type, UserAgent: optional(c.UserAgent), SourceIP: optional(c.SourceIP),
		OriginalRcptTo: orEmpty(c.OriginalRcptTo), Original: reportedOf(c.Original),
	}
}

func reportedOf(m parser.ReportedMail) ReportedMail {
	return ReportedMail{MessageID: optional(m.MessageID), From: optional(m.From), To: optional(m.To), Subject: optional(m.Subject)}
}

// withVERP adds the address that a forward-path of the endpoint encodes: a bounce goes to the reverse-path of the mail that it
// is about. b is shared by the events of all endpoints and stays as it is.
func withVERP(b *Bounce, all []inbound.Recipient, endpoint string) *Bounce {
	if b == nil {
		return nil
	}
	for i := range all {
		if !slices.Contains(all[i].Endpoints, endpoint) {
			continue
		}
		if address, ok := report.VERP(all[i].Path.LocalPart); ok {
			own := *b
			own.VERP = &VERP{Address: address}
			return &own
		}
	}
	return b
}
