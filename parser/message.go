package parser

import (
	"io"
	"time"
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

	Root *Part // the whole message as a part; its ID is ""

	Text         *string // nil when there is none
	HTML         *string
	TextCharset  string // charset that Text came from, WHATWG label; empty when Text is nil
	HTMLCharset  string
	TextFromHTML bool // the message had HTML only and Text was made from it

	Attachments []*Part // in the order of the message; every leaf that is not text or html body, nested messages included

	Kind        string   // human, auto_reply, bounce, delivery_report, complaint, read_receipt, list or automated
	KindReasons []string // evidence, for example "auto-submitted:auto-replied"

	Defects   []Defect
	LimitsHit []string // see Limits; sorted, each word once
}

// Header is one header field (RFC 5322 section 2.2).
type Header struct {
	Name  string // as sent
	Value string // unfolded and decoded (RFC 2047)
	Raw   string // unfolded as sent; invalid UTF-8 replaced
}

// Address is one mailbox of an address list (RFC 5322 section 3.4).
type Address struct {
	Name    string // display name, decoded; empty if none
	Address string // addr-spec, the local-part quoted where it must be
	Group   string // display name of the group that it stands in; empty if none
}

// Part is an entity of the MIME tree (RFC 2045 section 2.4). It keeps offsets into the raw bytes, not the bytes.
type Part struct {
	ID          string   // part number in IMAP's form (RFC 3501 section 6.4.5): "1", "2.1"; a single-part message has "1"
	Headers     []Header // the fields of the part's own header
	ContentType string   // lower-case type/subtype, never empty
	Params      map[string]string
	Charset     string // declared charset, lower case; empty if none
	Disposition string // "attachment", "inline" or "" when the part names none
	Filename    string // display name, made harmless: no path separators, control characters or leading dots
	ContentID   string // without angle brackets
	Encoding    string // Content-Transfer-Encoding, lower case; "" counts as 7bit
	Inline      bool   // shown within the html by its ContentID
	Offset      int64  // of the first octet of the body in the raw bytes
	Length      int64  // octets of the encoded body
	Parts       []*Part
	Message     *Message // the nested message of a message/rfc822 part, summary only; nil otherwise

	source io.ReaderAt
}

// Defect is something wrong with a mail that did not keep us from reading it.
type Defect struct {
	Code   string // from the documented list, for example "base64-truncated"
	Part   string // ID of the part; "" for the message itself
	Detail string // a short explanation for people, may change
}
