package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Delivery says what became of a mail (RFC 3464).
type Delivery struct {
	ReportingMTA string // the mail system that tells, as a name; empty when it does not say
	EnvelopeID   string // Original-Envelope-Id: what the sender gave as ENVID (RFC 3461 section 4.4)
	ArrivalDate  string // as sent
	MessageID    string // of the mail concerned, in the field that Gmail has for it, as sent; empty when the report does not say
	Recipients   []Recipient
	Original     string // header of the mail concerned where it was found in a text; empty when it was not
	Cut          bool   // there was more than MostOctets or MostRecipients
}

// Recipient is the fate of one recipient (RFC 3464 section 2.3).
type Recipient struct {
	Address    string // Final-Recipient without its type; of the type rfc822 without angle brackets, of utf-8 decoded (RFC 6533 section 3)
	Original   string // Original-Recipient, in the same way; empty when the report does not say
	Action     string // one of the Action constants
	Status     string // RFC 3463; see docs/kinds.md for what stands here when the report has no Status field
	Diagnostic string // what was said, on one line; with the type before it when it came in a field ("smtp; 550 ...")
	RemoteMTA  string // who said it, as a name
}

// The words of Recipient.Action (RFC 3464 section 2.3.3).
const (
	ActionFailed    = "failed"
	ActionDelayed   = "delayed"
	ActionDelivered = "delivered"
	ActionRelayed   = "relayed"
	ActionExpanded  = "expanded"
)

// ParseDelivery reads a message/delivery-status or message/global-delivery-status part. Fields in a wrong order or group are
// taken where they belong; a recipient without Action has the one of its class of status.
func ParseDelivery(text string) Delivery {
	var d Delivery
	text, d.Cut = clip(text)
	for _, group := range groups(text) {
		var r *Recipient
		for _, f := range group {
			if d.perMessage(f) {
				continue
			}
			if !perRecipient(f.name) {
				continue
			}
			if r == nil || f.name == "final-recipient" && r.Address != "" {
				if r = d.next(group, f); r == nil {
					d.finish()
					return d
				}
			}
			r.set(f)
		}
	}
	d.finish()
	return d
}

func (d *Delivery) perMessage(f field) bool {
	switch f.name {
	case "reporting-mta":
		_, name := typed(f.value)
		setOnce(&d.ReportingMTA, name)
	case "original-envelope-id":
		setOnce(&d.EnvelopeID, f.value)
	case "arrival-date":
		setOnce(&d.ArrivalDate, f.value)
	case "x-original-message-id", "original-message-id":
		setOnce(&d.MessageID, f.value)
	default:
		return false
	}
	return true
}

func perRecipient(name string) bool {
	switch name {
	case "final-recipient", "original-recipient", "action", "status", "diagnostic-code", "remote-mta":
		return true
	}
	return false
}

// next is the recipient that a field begins. A group that names none completes the last one, from which an empty line too
// many cut it off. It returns nil when there are too many.
func (d *Delivery) next(group []field, f field) *Recipient {
	named := first(group, "final-recipient") != "" || first(group, "original-recipient") != ""
	if n := len(d.Recipients); n > 0 && !named && !d.Recipients[n-1].has(f.name) {
		return &d.Recipients[n-1]
	}
	if len(d.Recipients) == MostRecipients {
		d.Cut = true
		return nil
	}
	d.Recipients = append(d.Recipients, Recipient{})
	return &d.Recipients[len(d.Recipients)-1]
}

func (r *Recipient) has(name string) bool {
	switch name {
	case "action":
		return r.Action != ""
	case "status":
		return r.Status != ""
	case "diagnostic-code":
		return r.Diagnostic != ""
	case "remote-mta":
		return r.RemoteMTA != ""
	}
	return true
}

func (r *Recipient) set(f field) {
	switch f.name {
	case "final-recipient":
		setOnce(&r.Address, recipientAddress(f.value))
	case "original-recipient":
		setOnce(&r.Original, recipientAddress(f.value))
	case "action":
		word, _, _ := strings.Cut(strings.TrimSpace(uncomment(f.value)), " ")
		setOnce(&r.Action, strings.ToLower(strings.Trim(word, ";.,")))
	case "status":
		setOnce(&r.Status, f.value)
	case "diagnostic-code":
		setOnce(&r.Diagnostic, strings.Join(strings.Fields(f.value), " "))
	case "remote-mta":
		_, name := typed(f.value)
		setOnce(&r.RemoteMTA, name)
	}
}

// setOnce keeps the first value: what stands behind is an addition of somebody else.
func setOnce(to *string, value string) {
	if *to == "" {
		*to = value
	}
}

// finish fills what follows from the rest.
func (d *Delivery) finish() {
	for i := range d.Recipients {
		r := &d.Recipients[i]
		if r.Address == "" {
			r.Address = r.Original
		}
		switch r.Action {
		case ActionFailed, ActionDelayed, ActionDelivered, ActionRelayed, ActionExpanded:
		default:
			r.Action = ""
		}
		r.Status = statusOf(r.Status, r.Diagnostic, r.Action)
		if r.Action == "" {
			r.Action = ActionFailed
			if r.Status[0] == '2' {
				r.Action = ActionDelivered
			}
		}
	}
}

// recipientAddress reads "rfc822; a@b" with what is added to it.
func recipientAddress(value string) string {
	kind, address := typed(value)
	if i, j := strings.IndexByte(address, '<'), strings.LastIndexByte(address, '>'); i >= 0 && j > i {
		address = strings.TrimSpace(address[i+1 : j])
	}
	address = strings.TrimPrefix(address, "mailto:")
	if kind == "utf-8" || strings.Contains(address, `\x{`) {
		address = unescape(address)
	}
	return address
}

// unescape decodes utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533 section 3): \x{HEX} is a character.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, `\x{`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		s = after
		end := strings.IndexByte(after[:min(len(after), 8)], '}')
		n, err := strconv.ParseUint(after[:max(end, 0)], 16, 32)
		if err != nil || n < ' ' || !utf8.ValidRune(rune(n)) {
			b.WriteString(`\x{`)
			continue
		}
		b.WriteRune(rune(n))
		s = after[end+1:]
	}
}
