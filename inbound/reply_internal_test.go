package inbound

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzReplyText puts the text of an application on the wire: whatever it is, it stays one line of printable characters that is short
// enough (RFC 5321 section 4.5.3.1.5), and ASCII for peers that read nothing else.
func FuzzReplyText(f *testing.F) {
	for _, text := range []string{
		"closed", "a\r\n250 2.0.0 OK", "für\nheute", "\u202egnihton", "a\u2028b", "\xffé\x00", "é\u0085\u007f", "\U000e0001",
		strings.Repeat("ü", 300),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, smtputf8 := range []bool{false, true} {
			reply := Reply{Code: 554, Status: [3]int{5, 7, 1}, Text: text}
			line := reply.appendTo(nil, smtputf8)
			said, whole := bytes.CutSuffix(line, []byte("\r\n"))
			if !whole || len(line) > 512 || !utf8.Valid(line) {
				t.Fatalf("smtputf8 %v: %q", smtputf8, line)
			}
			for _, c := range string(said) {
				if !unicode.IsPrint(c) || !smtputf8 && c > '~' {
					t.Fatalf("smtputf8 %v: %q has %U", smtputf8, line, c)
				}
			}
			if got := reply.smtpError(smtputf8).Message; "554 5.7.1 "+got != string(said) {
				t.Fatalf("go-smtp says %q", got)
			}
		}
	})
}
