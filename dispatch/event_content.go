package dispatch

// Address is one mailbox of an address field.
type Address struct {
	Name    string  `json:"name"`    // display name, decoded; "" if none
	Address string  `json:"address"` // local-part and domain
	Group   *string `json:"group"`   // display name of the group that it stands in; null if none
}

// Header is one header field.
type Header struct {
	Name  string `json:"name"`  // as sent
	Value string `json:"value"` // unfolded and decoded (RFC 2047); for people
	Raw   string `json:"raw"`   // unfolded, not decoded; for programs: decoding can make commas
}

// Reply is what the author of the mail wrote, without what he answers and what his program adds.
type Reply struct {
	// Text is the segments of type reply, joined, without white space around. Where nothing was cut off, and where the
	// mail is nothing but a forwarded one, it is the text of the mail. It is empty where the author wrote nothing: a
	// mere quote, a mere "Sent from my iPhone". Null when the mail has no text.
	Text *string `json:"text"`
	// HTML is the reply cut out of the html body; null when nothing was cut out of it.
	HTML *string `json:"html"`
	// Segments are the pieces of the text; their texts joined are exactly the text of the mail.
	Segments []Segment `json:"segments"`
	// Confidence goes from 0 to 1: how far the cut can be relied on. Below 0.8 show the whole text as well. 0: no
	// cutting was tried.
	Confidence float64 `json:"confidence"`
}

// Segment is a piece of the text.
type Segment struct {
	Type string `json:"type"` // reply, attribution, quote, signature, disclaimer or forwarded
	Text string `json:"text"`
}

// Attachment is a part of the mail that is not its text or html body.
type Attachment struct {
	// ID is the part number as IMAP counts (RFC 3501 section 6.4.5), for example "2.1".
	ID string `json:"id"`
	// Filename is a display name only, made harmless; null when the part names none.
	Filename *string `json:"filename"`
	// ContentType is the lower-case media type as the sender declared it; Charset its charset, null if none.
	ContentType string  `json:"content_type"`
	Charset     *string `json:"charset"`
	// Disposition is "attachment" or "inline"; null when the part says neither.
	Disposition *string `json:"disposition"`
	// Inline says that the html body shows the part by its ContentID.
	Inline    bool    `json:"inline"`
	ContentID *string `json:"content_id"` // without angle brackets
	// Message is what an attached mail (message/rfc822) says of itself; null for anything else.
	Message *AttachedMessage `json:"message"`
	// Size and SHA256 (lower-case hex) are those of the decoded content.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// URL serves the decoded content until URLExpiresAt; null when Omitted says why.
	URL          *string `json:"url"`
	URLExpiresAt Time    `json:"url_expires_at"`
	// Content is the decoded content in base64, where the endpoint asks for it and it fits; else null.
	Content *string `json:"content"`
	// Omitted says why there is neither URL nor Content; else null.
	Omitted *string `json:"omitted"`
}

// Protection is how a mail is encrypted or signed from end to end. It is passed on as it was sent: nothing was decrypted and no
// signature verified.
type Protection struct {
	Type   string `json:"type"`   // encrypted or signed
	Format string `json:"format"` // openpgp or smime
}

// AttachedMessage is the summary of a mail within the mail, as its header has it. The content of the attachment is the mail itself.
type AttachedMessage struct {
	MessageID *string   `json:"message_id"` // without angle brackets; null if absent
	From      []Address `json:"from"`
	To        []Address `json:"to"`
	Subject   string    `json:"subject"` // decoded; empty when absent
	Date      Time      `json:"date"`    // null when absent or unreadable
}

// Calendar is an event (RFC 5545) of a calendar that came with the mail. The same one often comes twice, as an alternative
// to the text and as a file: UID and Sequence tell.
type Calendar struct {
	AttachmentID string        `json:"attachment_id"` // the part that it stands in
	Method       string        `json:"method"`        // upper case (RFC 5546), for example REQUEST; "" if none
	UID          string        `json:"uid"`
	Summary      string        `json:"summary"`
	Start        *CalendarTime `json:"start"`     // null when absent or unreadable
	End          *CalendarTime `json:"end"`       // computed where the event has a duration instead
	Organizer    string        `json:"organizer"` // mail address; "" if none
	Attendees    []string      `json:"attendees"` // mail addresses
	Sequence     int           `json:"sequence"`
	Status       string        `json:"status"` // upper case: TENTATIVE, CONFIRMED, CANCELLED; "" if none
}

// CalendarTime is a start or an end.
type CalendarTime struct {
	At   Time    `json:"at"`   // of a day, its midnight in UTC
	TZID *string `json:"tzid"` // name of the time zone, as the event names it; null for UTC, a day and a time without zone
	// AllDay says that it is a day. An end is the first day that the event does not last into.
	AllDay bool `json:"all_day"`
	// Floating says that no zone is known: At is a time on the wall of whoever is there, taken for UTC.
	Floating bool `json:"floating"`
}

// Raw is the mail as it was received: dot-unstuffed and nothing else.
type Raw struct {
	URL          *string `json:"url"` // null where the mail is not stored
	URLExpiresAt Time    `json:"url_expires_at"`
	Size         int64   `json:"size"`
	SHA256       string  `json:"sha256"` // lower-case hex
}

// ParseReport says how the parsing of the mail went.
type ParseReport struct {
	// Version of the program that parsed it. The body of an event is the same on every attempt for one Version.
	Version string `json:"version"`
	// TextCharset and HTMLCharset are what the bodies were converted from; null without such a body.
	TextCharset *string `json:"text_charset"`
	HTMLCharset *string `json:"html_charset"`
	// Defects are what was wrong with the mail and did not keep us from reading it.
	Defects []Defect `json:"defects"`
	// LimitsHit names the limits that cut the parsing short, for example "parts". "parser": the mail could not be
	// parsed at all and only the envelope, what could be read of the header, and the raw link are here.
	LimitsHit []string `json:"limits_hit"`
	// Truncated names the fields that were cut to fit the endpoint's body limit.
	Truncated []string `json:"truncated"`
}

// Defect is something wrong with a mail.
type Defect struct {
	Code   string `json:"code"`   // from the documented list, which may grow
	Part   string `json:"part"`   // id of the part; "" for the message itself
	Detail string `json:"detail"` // for people; may change
}
