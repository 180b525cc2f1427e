package inbound

import "fmt"

// Reply is an SMTP reply (RFC 5321 section 4.2) with its enhanced status code (RFC 3463). It is the only error whose
// text reaches a peer; any other error becomes [ReplyStorageTrouble] and its text goes to the log alone.
type Reply struct {
	Code   int    // three digits, RFC 5321 section 4.2.1
	Status [3]int // class, subject, detail of RFC 3463
	Text   string // one line of plain ASCII, no control characters
}

// Error renders the reply as it goes over the wire, without the line end.
func (r *Reply) Error() string {
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.Status[0], r.Status[1], r.Status[2], r.Text)
}

// Temporary says whether the peer should try again later (4yz, RFC 5321 section 4.2.1).
func (r *Reply) Temporary() bool { return r.Code >= 400 && r.Code < 500 }
