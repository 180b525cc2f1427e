package parser

// Limits bound the work of one [Parse]. Zero means the default of each field. Beyond a limit the rest of the message is
// left unread, the limit's word is added to Message.LimitsHit, and what was read so far is returned.
type Limits struct {
	Depth       int // nested multiparts and messages; default 32; "depth"
	Parts       int // parts in the whole tree; default 1,000; "parts"
	HeaderBytes int // octets of one header block; default 256 KiB; "header-bytes"
	HeaderCount int // fields of one header block; default 1,000; "header-count"
	Boundary    int // octets of a boundary parameter; default 1,000; "boundary-length"
	BodyBytes   int // decoded octets kept of Text and of HTML, each; default 2 MiB; "body-bytes"
	Addresses   int // mailboxes of one address field; default 1,000; "addresses"
}
