package dispatch

import (
	"encoding/json"
	"fmt"
	"time"
)

// EventReceived is the type of the event that tells of a mail.
const EventReceived = "email.received"

// EventVersion is the version of the contract that this package writes. Keys and words may be added within a version;
// nothing is changed or removed.
const EventVersion = 1

// Event is the body of a webhook request. Every key is always present: arrays are never null, objects that do not apply
// or were not evaluated are null. Every string is valid UTF-8 without NUL. Receivers must ignore unknown keys.
type Event struct {
	// Type says what happened; [EventReceived].
	Type string `json:"type"`
	// Version of the contract; [EventVersion].
	Version int `json:"version"`
	// Timestamp is when the event happened (not when it was sent): for a mail, when it was received.
	Timestamp Time `json:"timestamp"`
	// Data is the mail.
	Data *EventData `json:"data"`
}

// EventData is a received mail: what the SMTP session said of it, what was found out about it, and what is in it.
type EventData struct {
	// ID is the id of the message, "msg_" and a ULID in lower case. It is the webhook-id of the event too.
	ID string `json:"id"`
	// AccountID is the owner of the recipients' domain, "acc_" and a ULID.
	AccountID string `json:"account_id"`
	// EndpointID is the endpoint that this event was made for, "ep_" and a ULID.
	EndpointID string `json:"endpoint_id"`
	// ReceivedAt is when the last octet of the mail was read; null where no session brought the mail in.
	ReceivedAt Time `json:"received_at"`
	// Size is the number of octets of the mail as received.
	Size int64 `json:"size"`

	// Envelope is what the SMTP session said; null where no session brought the mail in.
	Envelope *Envelope `json:"envelope"`
	// Recipients are the envelope's rcpt_to taken apart, one for each, in the same order.
	Recipients []Recipient `json:"recipients"`

	// Kind is one of human, auto_reply, bounce, delivery_report, complaint, read_receipt, list, automated. Take an
	// unknown word for automated.
	Kind string `json:"kind"`
	// KindReasons is the evidence for Kind, for example "auto-submitted:auto-replied" or "null-reverse-path".
	KindReasons []string `json:"kind_reasons"`
	// Identity says whether the sender's address can be trusted; null when it was not evaluated.
	Identity *Identity `json:"identity"`
	// Authentication holds the results of SPF, DKIM, DMARC, ARC and iprev; null when they were not evaluated.
	Authentication *Authentication `json:"authentication"`
	// Reputation is what lists say of the client that brought the mail; null when none was asked.
	Reputation *Reputation `json:"reputation"`
	// Spam is the verdict of a spam scanner; null when none was asked.
	Spam *Spam `json:"spam"`
	// Virus is the verdict of a virus scanner; null when none was asked.
	Virus *Virus `json:"virus"`
	// Unscanned names the scanners that were to look at the mail and gave no verdict, and why; Spam or Virus is then null.
	Unscanned []Unscanned `json:"unscanned"`

	// MessageID is the Message-ID field without angle brackets; null if absent.
	MessageID *string `json:"message_id"`
	// InReplyTo and References hold message ids without angle brackets (RFC 5322 section 3.6.4).
	InReplyTo  []string `json:"in_reply_to"`
	References []string `json:"references"`
	// ThreadID is the same for all mails of a thread; null when the mail has no message id at all.
	ThreadID *string `json:"thread_id"`
	// Date is the Date field; null when absent or unreadable. DateRaw is its text as sent; null when absent.
	Date    Time    `json:"date"`
	DateRaw *string `json:"date_raw"`
	// Subject is the decoded Subject field; empty when absent.
	Subject string `json:"subject"`
	// From, Sender, ReplyTo, To, Cc and Bcc are the address fields (RFC 5322 sections 3.6.2 and 3.6.3). They are what
	// the sender wrote; who the mail really went to stands in Envelope.
	From    []Address `json:"from"`
	Sender  *Address  `json:"sender"`
	ReplyTo []Address `json:"reply_to"`
	To      []Address `json:"to"`
	Cc      []Address `json:"cc"`
	Bcc     []Address `json:"bcc"`
	// Headers are all fields of the message's header in order, repeated ones repeated.
	Headers []Header `json:"headers"`

	// Text and HTML are the bodies; null when there is none.
	Text *string `json:"text"`
	HTML *string `json:"html"`
	// TextFromHTML says that the mail had HTML only and Text was made from it.
	TextFromHTML bool `json:"text_from_html"`
	// Reply is what the author wrote, without what was quoted and signed.
	Reply Reply `json:"reply"`
	// Attachments are all parts that are not the text or html body: inline images and nested messages too.
	Attachments []Attachment `json:"attachments"`
	// Calendar holds the invitations found.
	Calendar []Calendar `json:"calendar"`
	// Protection says how the mail is encrypted or signed from end to end; null when it is neither.
	Protection *Protection `json:"protection"`
	// Bounce is set for kind bounce and delivery_report (RFC 3464); else null.
	Bounce *Bounce `json:"bounce"`
	// Complaint is set for kind complaint (RFC 5965); else null.
	Complaint *Complaint `json:"complaint"`

	// Raw is the mail as it was received.
	Raw Raw `json:"raw"`
	// Parse says how the parsing went.
	Parse ParseReport `json:"parse"`
}

// Time is a time in JSON: RFC 3339 in UTC with milliseconds. The zero Time, and a year that RFC 3339 cannot write, is
// null.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements [json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) {
	return t.appendJSON(make([]byte, 0, len(timeLayout)+2)), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	u, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	t.Time = u.UTC()
	return nil
}
