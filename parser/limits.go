package parser

// Limits bound the work of one [Parse]. Zero means the default of each field. What lies beyond a limit is left unread,
// the limit's word is added to Message.LimitsHit, and what was read so far is returned.
type Limits struct {
	Depth       int // nested multiparts and messages; default 32; a deeper one is an attachment unread; "depth"
	Parts       int // parts in the whole tree; default 1,000; "parts"
	HeaderBytes int // octets of one header block, and four times that for all of them; default 256 KiB; "header-bytes"
	HeaderCount int // fields of one header block; default 1,000; "header-count"
	Boundary    int // octets of a boundary parameter; default 1,000; "boundary-length"
	BodyBytes   int // decoded octets kept of Text and of HTML, each; default 2 MiB; "body-bytes"
	Addresses   int // mailboxes of one address field; default 1,000; "addresses"
}

// The words of Message.LimitsHit.
const (
	LimitDepth       = "depth"
	LimitParts       = "parts"
	LimitHeaderBytes = "header-bytes"
	LimitHeaderCount = "header-count"
	LimitBoundary    = "boundary-length"
	LimitBodyBytes   = "body-bytes"
	LimitAddresses   = "addresses"

	LimitParameters   = "parameters"    // more than 64 parameters of a Content-Type or Content-Disposition, or 2 KiB of such a field
	LimitEncodedWords = "encoded-words" // more than 2,500 encoded-words in a field; the rest of it stays as it was sent
	LimitNestedBytes  = "nested-bytes"  // more than 1 MiB of messages and multiparts within base64 or quoted-printable: left unread
	LimitReply        = "reply"         // text of more than 50,000 lines, or HTML beyond what reply.CutHTML looks at: nothing was cut off

	LimitCalendar = "calendar" // more than 512 KiB of calendars, 100 events, Addresses attendees of one, or 2 KiB of a value
	LimitReport   = "report"   // a delivery or feedback report of more than 64 KiB or 1,000 recipients; what was read of it stands
	LimitDefects  = "defects"  // more than 100 defects; the first 100 are named
)

// maxDefects keeps a broken message of a thousand parts from becoming a report longer than itself.
const maxDefects = 100

func (l Limits) withDefaults() Limits {
	orDefault := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	orDefault(&l.Depth, 32)
	orDefault(&l.Parts, 1000)
	orDefault(&l.HeaderBytes, 256<<10)
	orDefault(&l.HeaderCount, 1000)
	orDefault(&l.Boundary, 1000)
	orDefault(&l.BodyBytes, 2<<20)
	orDefault(&l.Addresses, 1000)
	return l
}
