package parser

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/letterhook/letterhook/parser/report"
)

// Bounce is a delivery status notification (RFC 3464), or the bounce that a mail system wrote in its own words, taken apart.
type Bounce struct {
	ReportingMTA string             // the mail system that tells; empty when it does not say
	Recipients   []report.Recipient // at most [report.MostRecipients]; none when the report names nobody
	Original     ReportedMail
}

// Complaint is a feedback report (RFC 5965), taken apart.
type Complaint struct {
	report.Feedback
	Arrived  time.Time // ArrivalDate, UTC; zero when absent or unreadable
	Original ReportedMail
}

// ReportedMail is what a report says of the mail that it is about: from its copy, from its header, or from the text of the
// report. What is not said is empty.
type ReportedMail struct {
	MessageID string // without angle brackets
	From, To  string // addresses; several are separated by ", "
	Subject   string // decoded
}

// enclosed are the parts of a report, wherever within the multiparts of the message they lie.
type enclosed struct {
	status, disposition, feedback *Part
	original                      *Message // the mail that is reported, or its header
	headers                       *Part    // the same as text/rfc822-headers
}

// enclose looks for the parts of a report.
func (e *enclosed) enclose(p *Part) {
	switch strings.TrimPrefix(p.ContentType, "message/") {
	case "delivery-status", "global-delivery-status": // RFC 6533
		e.status = firstPart(e.status, p)
	case "disposition-notification", "global-disposition-notification":
		e.disposition = firstPart(e.disposition, p)
	case "feedback-report":
		e.feedback = firstPart(e.feedback, p)
	case "global-headers", "text/rfc822-headers":
		e.headers = firstPart(e.headers, p)
	}
	if p.Message != nil && e.original == nil {
		e.original = p.Message
	}
	for _, child := range p.Parts {
		e.enclose(child)
	}
}

func firstPart(have, p *Part) *Part {
	if have != nil {
		return have
	}
	return p
}

// reportText is the text of a machine-readable part, as much of it as is read.
func reportText(p *Part) string {
	b, err := io.ReadAll(io.LimitReader(p.Open(), report.MostOctets+1))
	if err != nil {
		return ""
	}
	return plainLines(string(b))
}

// plainLines is valid UTF-8 whose lines end in LF and hold no other control character than the tab.
func plainLines(text string) string {
	if !utf8.ValidString(text) {
		text = guess(text, "").text
	}
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return -1
		case isControl(r):
			return ' '
		}
		return r
	}, validText(text))
}

func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }

// reported is the mail that a report is about. header is what its text says of it.
func (e *enclosed) reported(header string) ReportedMail {
	original := e.original
	if original == nil && e.headers != nil {
		header = reportText(e.headers)
	}
	if original == nil || len(original.Headers) == 0 {
		original = parseHeader(header)
	}
	return ReportedMail{MessageID: original.MessageID, From: joinAddresses(original.From), To: joinAddresses(original.To), Subject: original.Subject}
}

// parseHeader reads a header that lies in a text: what is wrong with it is no defect of the message.
func parseHeader(text string) *Message {
	const most = 16 << 10
	text = text[:min(len(text), most)]
	s := &scanner{source: &source{r: strings.NewReader(text), size: int64(len(text)), buf: []byte(text)}}
	p := &parsing{lim: Limits{Addresses: report.MostRecipients}.withDefaults()}
	m := &Message{Root: &Part{}}
	p.top = m
	m.Headers, _, _ = s.readHeader(most).fields(p.lim.HeaderCount)
	p.summarise(m)
	return m
}

func joinAddresses(list []Address) string {
	var b bytes.Buffer
	for _, a := range list[:min(len(list), 100)] {
		if a.Address == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.Address)
	}
	return b.String()
}

// notice is the text of m as a bounce that was written for people.
func (e *enclosed) notice(m *Message, failed []string) report.Notice {
	n := report.Notice{Subject: m.Subject, Failed: failed}
	if m.Text != nil {
		text := *m.Text
		n.Text = plainLines(strings.ToValidUTF8(text[:min(len(text), report.MostOctets+1)], ""))
	}
	for _, a := range m.To {
		n.To = append(n.To, a.Address)
	}
	if e.original != nil {
		for _, a := range e.original.To {
			n.Original = append(n.Original, a.Address)
		}
	}
	return n
}

// deliver fills Bounce from a delivery-status part, or from none where the text has to do.
func (j *judgement) deliver() {
	var d report.Delivery
	if j.parts.status != nil {
		d = report.ParseDelivery(reportText(j.parts.status))
	}
	if len(d.Recipients) == 0 || d.Lacking() {
		d.Complete(report.Read(j.parts.notice(j.m, j.signals.failed)))
	}
	j.bounce(d)
}

// bounce sets Bounce.
func (j *judgement) bounce(d report.Delivery) {
	if d.Cut {
		j.limit()
	}
	j.m.Bounce = &Bounce{ReportingMTA: d.ReportingMTA, Recipients: d.Recipients, Original: j.parts.reported(d.Original)}
	if ids := messageIDs(cleanText(d.MessageID)); j.m.Bounce.Original.MessageID == "" && len(ids) > 0 {
		j.m.Bounce.Original.MessageID = ids[0]
	}
}

// actions lists the distinct actions of the recipients, as reasons.
func (b *Bounce) actions() []string {
	var reasons []string
	for i := range b.Recipients {
		if reason := "action:" + b.Recipients[i].Action; !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// kind calls a report without any recipient a bounce: what leaves them out reports failures.
func (b *Bounce) kind() string {
	for i := range b.Recipients {
		if b.Recipients[i].Action == report.ActionFailed {
			return KindBounce
		}
	}
	if len(b.Recipients) > 0 {
		return KindDeliveryReport
	}
	return KindBounce
}
