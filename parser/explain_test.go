package parser_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestExplain: every part is in the list, as what it is, with the reason that made it that.
func TestExplain(t *testing.T) {
	mail := strings.ReplaceAll(`Content-Type: multipart/mixed; boundary=a

--a
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

text
--b
Content-Type: multipart/related; boundary=c

--c
Content-Type: text/html

<img src="cid:i">
--c
Content-Type: image/png
Content-ID: <i>

png
--c
Content-Type: text/plain

more
--c--
--b--
--a
Content-Type: text/plain; name=log.txt

log
--a
Content-Type: text/plain
Content-Disposition: attachment

file
--a
Content-Type: text/plain
Content-Transfer-Encoding: x-own

secret
--a
Content-Type: message/rfc822

Content-Type: text/plain; name=first.txt

nested
--a--
`, "\n", "\r\n")
	m := checkMessage(t, "explained", []byte(mail))
	var got strings.Builder
	for _, r := range m.Explain() {
		fmt.Fprintf(&got, "%d %s %s %s: %s\n", r.Depth, r.Part.ID, r.Part.ContentType, r.As, r.Why)
	}
	want := `0  multipart/mixed multipart: its boundary divides it
1 1 multipart/alternative multipart: its boundary divides it
2 1.1 text/plain body: it is one form of a multipart/alternative
2 1.2 multipart/related multipart: its boundary divides it
3 1.2.1 text/html body: it is the root of a multipart/related
3 1.2.2 image/png attachment: it is neither text/plain nor text/html; the html shows it by its Content-ID
3 1.2.3 text/plain attachment: it is not the root of a multipart/related
1 2 text/plain attachment: it has a file name and is not the first part
1 3 text/plain attachment: its disposition is attachment
1 4 text/plain attachment: nobody knows its transfer encoding
1 5 message/rfc822 attachment: it is neither text/plain nor text/html
2 5.1 text/plain body: it is the first part, so that its name does not count
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
