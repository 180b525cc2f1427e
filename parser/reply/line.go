package reply

import (
	"strings"
	"unicode"
)

// mostLines bounds what is judged; nobody writes or quotes so much.
const mostLines = 50_000

// role is the type of the segment that a line belongs to. The zero value is the author's own.
type role uint8

const (
	own role = iota
	attribution
	quote
	signature
	disclaimer
	forwarded
)

func (r role) name() Type {
	return [...]Type{TypeReply, TypeAttribution, TypeQuote, TypeSignature, TypeDisclaimer, TypeForwarded}[r]
}

// line is one line of a text.
type line struct {
	text   string // without white space and invisible characters around; of a quoted line, what stands behind the marks
	start  int32  // where it begins in the document
	quoted bool
	dashes bool // it is "-- ", the delimiter of a signature (RFC 3676 section 4.3)
	is     role
	hint   role // what the markup of an HTML document says of it; own: nothing
}

func (l *line) blank() bool { return l.text == "" && !l.quoted }

// plain says that the line holds text that is not quoted.
func (l *line) plain() bool { return l.text != "" && !l.quoted }

// document is a text while it is judged.
type document struct {
	text        string
	lines       []line
	confidence  float64
	forwardOnly bool // the author wrote nothing of his own above a mail that he forwards
}

// doubt lowers the confidence.
func (d *document) doubt(confidence float64) { d.confidence = min(d.confidence, confidence) }

// readLines cuts a text into lines. It returns nil when there are too many.
func readLines(text string) *document {
	n := strings.Count(text, "\n") + 1
	if n > mostLines {
		return nil
	}
	d := &document{text: text, lines: make([]line, 0, n)}
	for start := 0; start < len(text); {
		end := strings.IndexByte(text[start:], '\n')
		if end < 0 {
			end = len(text) - start
		}
		d.lines = append(d.lines, readLine(text[start:start+end], start))
		start += end + 1
	}
	return d
}

// mostIndent is how far a quote mark may be from the margin; further in it is code.
const mostIndent = 3

func readLine(s string, start int) line {
	l := line{start: int32(start), text: trim(s), dashes: s == "-- "}
	mark := quoteMark(l.text)
	if mark == 0 || strings.IndexByte(s, l.text[0]) > mostIndent {
		return l
	}
	l.quoted = true
	for mark > 0 {
		l.text = trim(l.text[mark:])
		mark = quoteMark(l.text)
	}
	return l
}

// quoteMark is the length of the mark of a quote that s begins with: ">", that of East Asian keyboards, and with the initials of
// the one who wrote it, "AB>". ">:" is the end of an attribution that was broken within its address.
func quoteMark(s string) int {
	const initials = 3
	if s == "" {
		return 0
	}
	switch c := s[0]; {
	case c == '>':
		if strings.HasPrefix(s, ">:") {
			return 0
		}
		return 1
	case c == 0xEF && strings.HasPrefix(s, "＞"):
		return len("＞")
	case c < 'A' || c > 'Z':
		return 0
	}
	for i := 1; i < len(s) && i <= initials; i++ {
		if s[i] == '>' && (i+1 == len(s) || s[i+1] == ' ') {
			return i + 1
		}
		if s[i] < 'A' || s[i] > 'Z' {
			break
		}
	}
	return 0
}

// trim removes white space and the invisible characters that mail programs put around names, such as the marks of
// writing direction.
func trim(s string) string {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	if s == "" || s[0] < 0x80 && s[len(s)-1] < 0x80 {
		return s
	}
	return strings.TrimFunc(s, isInvisible)
}

func isInvisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '\u3164'
}
