package parser

import (
	"time"

	"github.com/letterhook/letterhook/parser/reply"
)

// Message is a parsed mail. Strings are always valid UTF-8 without NUL.
type Message struct {
	Headers []Header // every field of the top header in order, repeated ones repeated

	MessageID  string   // without angle brackets; empty if absent
	InReplyTo  []string // message ids without angle brackets
	References []string
	ThreadID   string    // "thr_" and a stable hash of the first id of the thread; empty if there is no id at all
	Date       time.Time // UTC; zero when absent or unreadable
	DateRaw    string    // the field's value as sent; empty when absent
	Subject    string    // decoded

	From, ReplyTo, To, Cc, Bcc []Address
	Sender                     *Address

	Root *Part // the whole message as a part; its ID is "" when it is a multipart, else "1"

	Text         *string // its lines end in LF; several text parts are joined; nil when there is none
	HTML         *string // as Text
	TextCharset  string  // charset that Text came from, WHATWG label; empty when Text is nil
	HTMLCharset  string
	TextFromHTML bool // the message has HTML with no text, or an empty one, beside it: Text was made from it

	Reply     reply.Reply // Text taken apart; its segments joined are Text
	ReplyHTML *string     // what the author wrote, cut out of HTML; nil when nothing was cut out of it

	Attachments []*Part // in the order of the message; every leaf that is not text or html body, nested messages included

	Protection *Protection // how the message is encrypted or signed; nil when it is neither

	Calendar []Invitation // the events of all calendars among Attachments, in their order; of nested messages none

	Kind        string   // human, auto_reply, bounce, delivery_report, complaint, read_receipt, list or automated
	KindReasons []string // evidence, for example "auto-submitted:auto-replied"

	Bounce    *Bounce    // of kind bounce and delivery_report; else nil
	Complaint *Complaint // of kind complaint; else nil

	Defects   []Defect // those of nested messages and of text bodies included; of attachments see [Part.Open]
	LimitsHit []string // see Limits; sorted, each word once
}
