package bench

import (
	"fmt"
	"strings"
)

// token is what identifies one message of one run on its whole way; it stands in the Subject field.
const tokenPrefix = "bench-"

// A Maker makes the messages of one run: multipart/alternative with a text and an html part, every one with a token of
// its own. Safe for concurrent use.
type Maker struct {
	run     string
	head    string   // from behind the From field to the token
	tail    string   // from behind the token to the end
	authors *Authors // nil: one who signs nothing
}

// NewMaker returns a Maker for messages of about size octets (at least 1,000), and an attachment of so many octets more
// if attachment is not 0. The run's name keeps the tokens of several runs against one server apart; it holds letters
// and digits only.
func NewMaker(run string, size, attachment int) *Maker {
	const boundary = "=_bench_boundary"
	kind := "alternative"
	if attachment > 0 {
		kind = "mixed"
	}
	head := "To: <load@bench.example>\r\n" +
		"Date: Sat, 21 Nov 2026 18:30:00 +0000\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/" + kind + "; boundary=\"" + boundary + "\"\r\nSubject: "
	var b strings.Builder
	b.WriteString("\r\n\r\n--" + boundary + "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
	fill(&b, (size-700)/3, "The quick brown fox jumps over the lazy dog and goes on its way.\r\n")
	b.WriteString("\r\n--" + boundary + "\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n")
	fill(&b, (size-700)*2/3, "<p>The quick <b>brown</b> fox jumps over the <i>lazy</i> dog.</p>\r\n")
	b.WriteString("</body></html>\r\n--" + boundary)
	if attachment > 0 {
		b.WriteString("\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=load.bin\r\n" +
			"Content-Transfer-Encoding: base64\r\n\r\n")
		fill(&b, attachment*4/3, strings.Repeat("TG9hZCBh", 9)+"\r\n")
		b.WriteString("\r\n--" + boundary)
	}
	b.WriteString("--\r\n")
	return &Maker{run: run, head: head, tail: b.String()}
}

// fill writes whole lines until about n octets are written.
func fill(b *strings.Builder, n int, line string) {
	for written := 0; written < n; written += len(line) {
		b.WriteString(line)
	}
}

// Token names the n-th message of the run.
func (m *Maker) Token(n int64) string { return fmt.Sprintf("%s%s-%010d", tokenPrefix, m.run, n) }

// Append appends the n-th message to buf. Nothing in it needs dot-stuffing.
func (m *Maker) Append(buf []byte, n int64) []byte {
	if m.authors == nil {
		return m.appendRest(append(buf, unsignedFrom...), n)
	}
	a := m.authors.of(n)
	return m.appendRest(append(append(buf, a.signatures...), a.fromField()...), n)
}

// unsignedFrom is the From field of those who sign nothing.
const unsignedFrom = "From: Load <load@sender.example>\r\n"

// appendRest appends what stands behind the From field.
func (m *Maker) appendRest(buf []byte, n int64) []byte {
	token := m.Token(n)
	buf = append(buf, m.head...)
	buf = append(buf, token...)
	buf = append(buf, "\r\nMessage-ID: <"...)
	buf = append(buf, token...)
	buf = append(buf, "@sender.example>"...)
	return append(buf, m.tail...)
}
