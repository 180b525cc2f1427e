package inbound

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-smtp"
)

// Reply is an SMTP reply (RFC 5321 section 4.2) with its enhanced status code (RFC 3463). It is the only error whose
// text reaches a peer; any other error becomes [ReplyStorageTrouble] and its text goes to the log alone. A Reply with
// code 421 also closes the connection.
type Reply struct {
	Code   int    // three digits, RFC 5321 section 4.2.1
	Status [3]int // class, subject, detail of RFC 3463
	Text   string // one line, sanitised on its way to the wire: cut to 400 octets, and ASCII unless the peer reads UTF-8
}

// ReplyStorageTrouble is what a peer hears when a message could not be made durable for a reason that is not its
// business. The sender keeps the message and tries again.
var ReplyStorageTrouble = &Reply{451, [3]int{4, 3, 0}, "Local trouble, please try again later"}

// Error renders the reply as it goes over the wire, without the line end.
func (r *Reply) Error() string {
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.Status[0], r.Status[1], r.Status[2], r.Text)
}

// Temporary says whether the peer should try again later (4yz, RFC 5321 section 4.2.1).
func (r *Reply) Temporary() bool { return r.Code >= 400 && r.Code < 500 }

// appendTo appends the reply as a line. The text is sanitised here and in smtpError, at the gate to the wire, because the text
// of a refusal may come from a configuration file or from an application. smtputf8 says that the transaction does
// (RFC 6531 section 3.7.4).
func (r *Reply) appendTo(b []byte, smtputf8 bool) []byte {
	b = fmt.Appendf(b, "%d %d.%d.%d ", r.Code, r.Status[0], r.Status[1], r.Status[2])
	b = append(b, r.safeText(smtputf8)...)
	return append(b, "\r\n"...)
}

// smtpError is the reply in the type that go-smtp puts on the wire word for word.
func (r *Reply) smtpError(smtputf8 bool) *smtp.SMTPError {
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: r.Status, Message: r.safeText(smtputf8)}
}

func (r *Reply) safeText(smtputf8 bool) string {
	if smtputf8 && !isASCII(r.Text) {
		return readable(r.Text, maxReplyText)
	}
	return printable(r.Text, maxReplyText)
}

// maxReplyText keeps a reply line within the 512 octets of RFC 5321 section 4.5.3.1.5.
const maxReplyText = 400

// printable replaces every octet that is not printable ASCII by "?" and cuts the rest off behind limit.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] < ' ' || b[i] > '~' {
					b[i] = '?'
				}
			}
			return string(b)
		}
	}
	return s
}

// readable is printable for UTF-8: what is not a printable character, or changes the direction of others, becomes "?".
func readable(s string, limit int) string {
	var b strings.Builder
	for _, c := range s { // an octet that is not UTF-8 is read as U+FFFD
		if !unicode.IsPrint(c) || c == utf8.RuneError {
			c = '?'
		}
		if b.Len()+utf8.RuneLen(c) > limit {
			break
		}
		b.WriteRune(c)
	}
	return b.String()
}
