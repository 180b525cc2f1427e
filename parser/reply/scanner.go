package reply

import (
	"strings"

	"golang.org/x/net/html/atom"
)

// mostAttributes of a tag are looked at.
const mostAttributes = 24

// scanner cuts an HTML document into its tokens (HTML standard, section 13.2.5). The tokenizer of golang.org/x/net/html, which
// finds the same ones, reads from a stream, octet by octet through a buffer, and allocates twice for each attribute; it took
// half of the time of a mail. A test holds the one against the other.
type scanner struct {
	source string
	at     int    // behind the newest token
	raw    string // the element that was opened last, where tags within mean nothing

	// Of the newest token, where it is a tag.
	name       string // as it is written
	tag        atom.Atom
	attributes [mostAttributes]attribute
	count      int
}

// attribute is one of a start tag, its value without quotes, nothing decoded.
type attribute struct{ name, value string }

// piece is the kind of a token.
type piece uint8

const (
	pieceNone piece = iota // the document has ended; a tag that never ends is nothing
	pieceText
	pieceStart // a tag
	pieceEnd   // likewise
	pieceOther // a comment, a declaration
)

// next moves behind the next token.
func (s *scanner) next() piece {
	if s.raw != "" {
		n := rawLength(s.source[s.at:], s.raw)
		s.raw = ""
		if n > 0 {
			s.at += n
			return pieceText
		}
	}
	switch n := textLength(s.source[s.at:]); {
	case n > 0:
		s.at += n
		return pieceText
	case s.at == len(s.source):
		return pieceNone
	}
	rest := s.source[s.at:]
	switch {
	case isTagLetter(rest[1]):
		return s.readTag(s.at+1, pieceStart)
	case rest[1] != '/':
		s.at += otherLength(rest)
	case len(rest) > len("</") && isTagLetter(rest[2]):
		return s.readTag(s.at+len("</"), pieceEnd)
	default:
		s.at += untilBracket(rest, len("</"))
	}
	return pieceOther
}

// textLength is the length of the text that s begins with, up to what is markup.
func textLength(s string) int {
	for n := 0; ; n++ {
		i := strings.IndexByte(s[n:], '<')
		if i < 0 {
			return len(s)
		}
		n += i
		if n+1 == len(s) {
			return len(s)
		}
		switch c := s[n+1]; {
		case n == 0 && s == "</":
			return len(s)
		case c == '/', c == '!', c == '?', isTagLetter(c):
			return n
		}
	}
}

// readTag reads a tag whose name begins at start. Where it never ends the document does.
func (s *scanner) readTag(start int, kind piece) piece {
	i := start
	for i < len(s.source) && !endsTagName(s.source[i]) {
		i++
	}
	s.name = s.source[start:i]
	var lower [len("blockquote") + 1]byte
	s.tag = 0
	if len(s.name) < len(lower) {
		s.tag = atom.Lookup(appendLower(lower[:0], s.name))
	}
	s.count = 0
	for {
		for i < len(s.source) && isSpace(s.source[i]) {
			i++
		}
		if i == len(s.source) {
			s.at = i
			return pieceNone
		}
		if s.source[i] == '>' {
			break
		}
		var a attribute
		a, i = cutAttribute(s.source, i)
		if s.count < mostAttributes && a.name != "" {
			s.attributes[s.count] = a
			s.count++
		}
	}
	s.at = i + 1
	if kind == pieceStart && isRaw(s.tag) {
		s.raw = s.name
	}
	return kind
}

// cutAttribute reads the attribute that begins at i, which is neither white space nor the end of the tag, and returns where
// the next one may begin.
func cutAttribute(s string, i int) (attribute, int) {
	start := i
	for i < len(s) && !endsTagName(s[i]) && (s[i] != '=' || i == start) {
		i++
	}
	a := attribute{name: s[start:i]}
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	if i < len(s) && s[i] == '/' {
		return a, i + 1
	}
	if i == len(s) || s[i] != '=' {
		return a, i
	}
	for i++; i < len(s) && isSpace(s[i]); i++ {
	}
	if i == len(s) {
		return a, i
	}
	if quote := s[i]; quote == '"' || quote == '\'' {
		i++
		n := strings.IndexByte(s[i:], quote)
		if n < 0 {
			return a, len(s)
		}
		a.value = s[i : i+n]
		return a, i + n + 1
	}
	start = i
	for i < len(s) && s[i] != '>' && !isSpace(s[i]) {
		i++
	}
	a.value = s[start:i]
	return a, i
}

// otherLength is the length of the comment, declaration or instruction that s begins with.
func otherLength(s string) int {
	const opens = "<!--"
	if !strings.HasPrefix(s, opens) {
		return untilBracket(s, len("<!"))
	}
	body := s[len(opens):]
	if dashes := strings.TrimLeft(body[:min(len(body), 2)], "-"); strings.HasPrefix(dashes, ">") {
		return len(opens) + strings.IndexByte(body, '>') + 1 // <!--> and <!--->
	}
	for i := 0; ; {
		n := strings.Index(body[i:], "--")
		if n < 0 {
			return len(s)
		}
		i += n + 1 // the second dash may be the first of the two that close
		switch behind := body[i+1:]; {
		case strings.HasPrefix(behind, ">"):
			return len(opens) + i + len("->")
		case strings.HasPrefix(behind, "!>"):
			return len(opens) + i + len("-!>")
		}
	}
}

// untilBracket is the length of s up to the first ">" from i on, that included.
func untilBracket(s string, i int) int {
	if n := strings.IndexByte(s[i:], '>'); n >= 0 {
		return i + n + 1
	}
	return len(s)
}

// isRaw tells the elements in which tags mean nothing (HTML standard, section 13.2.6.2).
func isRaw(tag atom.Atom) bool {
	switch tag {
	case atom.Iframe, atom.Noembed, atom.Noframes, atom.Noscript, atom.Plaintext, atom.Script, atom.Style, atom.Textarea, atom.Title, atom.Xmp:
		return true
	}
	return false
}

// rawLength is the length of the content of such an element, with which s begins.
func rawLength(s, name string) int {
	script := strings.EqualFold(name, "script")
	hidden, twice := false, false // within a comment of a script, and within a script in that
	for i := 0; !strings.EqualFold(name, "plaintext"); i++ {
		n := strings.IndexAny(s[i:], "<-")
		if n < 0 {
			break
		}
		i += n
		switch rest := s[i:]; {
		case script && !hidden && strings.HasPrefix(rest, "<!--"):
			hidden = true
			i++
		case hidden && strings.HasPrefix(rest, "-->"):
			hidden, twice = false, false
		case hidden && !twice && isNamed(rest, "<", name):
			twice = true
		case twice && isNamed(rest, "</", name):
			twice = false
		case isNamed(rest, "</", name):
			return i
		}
	}
	return len(s)
}

// isNamed says whether s begins with a tag of that name.
func isNamed(s, opens, name string) bool {
	n := len(opens) + len(name)
	return len(s) > n && s[:len(opens)] == opens && endsTagName(s[n]) && strings.EqualFold(s[len(opens):n], name)
}

func endsTagName(c byte) bool { return c == '/' || c == '>' || isSpace(c) }

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' }

func isTagLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// appendLower appends s with its ASCII letters in lower case.
func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}
