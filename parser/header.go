package parser

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Header is one header field (RFC 5322 section 2.2).
type Header struct {
	Name  string // as sent
	Value string // unfolded and decoded (RFC 2047)
	Raw   string // unfolded as sent; invalid UTF-8 replaced

	text string // Raw with its octets read in the charset that they are in; empty where that is Raw
}

// structured is the value to parse where a field has structure: as sent, since a decoded word can hold any delimiter, and a stranger
// could have another address read out of it.
func (h Header) structured() string { return cmp.Or(h.text, h.Raw) }

// headerBlock is the header of an entity as it lies in the message.
type headerBlock struct {
	text      string // whole lines, without the empty one that ends it
	defects   []string
	truncated bool   // longer than the limit: the rest was consumed unread
	charset   string // of octets that are no UTF-8; empty where none is known
}

// What a line of a header can be.
const (
	lineField = iota
	lineFolded
	lineJunk      // "From " of an mbox, or a field without a name: skipped
	lineUnindent  // continuation that lost its indent
	lineBody      // no header line: the body began without an empty line
	lineSeparator // the empty line
)

// readHeader consumes a header block and the empty line behind it, keeping at most limit octets. A delimiter line ends
// it too, and is left for the caller.
func (s *scanner) readHeader(limit int) headerBlock {
	var h headerBlock
	n := 0 // octets behind the current position that belong to the header
	for !h.truncated {
		length, whole := s.line(n, limit-n+1)
		if length == 0 {
			break
		}
		if n+length > limit || !whole {
			h.truncated = true
			break
		}
		kind := s.headerLine(n, length)
		if kind == lineSeparator {
			h.text = string(s.rest()[:n])
			s.at += n + length
			return h
		}
		if kind == lineBody {
			if _, ok := s.delimiterAt(n); !ok {
				h.defects = append(h.defects, DefectHeaderSeparator)
			}
			break
		}
		if kind == lineUnindent && !slices.Contains(h.defects, DefectHeaderUnindent) {
			h.defects = append(h.defects, DefectHeaderUnindent)
		}
		if kind == lineJunk && n == 0 {
			h.defects = append(h.defects, DefectMboxFrom)
			s.at += length
			continue
		}
		n += length
	}
	h.text = string(s.rest()[:n])
	s.at += n
	if h.truncated {
		s.skipHeader()
	}
	return h
}

// skipHeader consumes the rest of a header that is too long to keep.
func (s *scanner) skipHeader() {
	for {
		for len(s.rest()) < 2 && s.fill() {
		}
		rest := s.rest()
		switch {
		case len(rest) == 0:
			return
		case rest[0] == '\n' || len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			s.skipLine()
			return
		}
		if _, ok := s.delimiterAt(0); ok {
			return
		}
		s.skipLine()
	}
}

// headerLine says what the line of length octets is that stands rel octets behind the current position, where the header
// began.
func (s *scanner) headerLine(rel, length int) int {
	if s.rest()[rel] == '-' {
		if _, ok := s.delimiterAt(rel); ok {
			return lineBody
		}
	}
	line := s.rest()[rel : rel+length]
	switch {
	case line[0] == '\n' || len(line) == 2 && line[0] == '\r' && line[1] == '\n':
		return lineSeparator
	case line[0] == ' ' || line[0] == '\t':
		return lineFolded
	case fieldName(line) > 0:
		return lineField
	case line[0] == ':':
		return lineFolded // a field without a name: no better place than the field before it
	case rel == 0 && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))):
		return lineJunk
	case rel > 0 && (brokenField(line) || s.fieldFollows(rel+length)):
		return lineUnindent
	}
	return lineBody
}

// brokenField reports whether a line is a field whose name has characters in it that no name may have, behind a beginning
// that nothing but a field has.
func brokenField(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	end := bytes.IndexAny(line, " \t")
	return end > 0 && end < colon && isHeaderName(line[:end])
}

// fieldFollows reports whether the header clearly goes on rel octets behind the current position: with a field that no
// prose begins with. Then the line before it is a part of the header that lost its indent, not the first of the body.
func (s *scanner) fieldFollows(rel int) bool {
	const longestName = 64
	n, _ := s.line(rel, longestName)
	line := s.rest()[rel : rel+n]
	end := fieldName(line)
	if end <= 0 {
		return false
	}
	return isHeaderName(bytes.TrimRight(line[:end], " \t"))
}

// isHeaderName tells the names of fields that no prose begins with.
func isHeaderName(field []byte) bool {
	name := strings.ToLower(string(field))
	for _, prefix := range []string{"content-", "x-", "list-", "arc-", "resent-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "from", "to", "cc", "subject", "date", "message-id", "mime-version", "received", "return-path", "reply-to",
		"references", "in-reply-to", "dkim-signature", "sender", "delivered-to", "authentication-results":
		return true
	}
	return false
}

// fieldName returns the length of the field name at the beginning of a line, white space before the colon included
// (RFC 5322 section 4.5 allows it), or 0 when the line begins no field.
func fieldName(line []byte) int {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return 0
	}
	name := bytes.TrimRight(line[:colon], " \t")
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return 0
		}
	}
	if len(name) == 0 {
		return 0
	}
	return colon
}

// fields splits a header block into its fields, at most limit of them.
func (h headerBlock) fields(limit int) (list []Header, more bool, broken headerDamage) {
	count := min(strings.Count(h.text, "\n")+1, limit)
	list = make([]Header, 0, count)
	for rest := h.text; rest != ""; {
		var field string
		field, rest = cutField(rest)
		colon := strings.IndexByte(field, ':')
		if colon <= 0 || fieldName([]byte(field[:colon+1])) == 0 {
			continue // folded lines before the first field
		}
		if len(list) == limit {
			return list, true, broken
		}
		list = append(list, newHeader(field[:colon], field[colon+1:], h.charset, &broken))
	}
	return list, false, broken
}

// headerDamage says what had to be repaired in a header, and whether a field had too many encoded-words.
type headerDamage struct{ eightBit, word, words bool }

// cutField splits off the first field with its continuation lines.
func cutField(block string) (field, rest string) {
	end := 0
	for {
		i := strings.IndexByte(block[end:], '\n')
		if i < 0 {
			return block, ""
		}
		end += i + 1
		if end == len(block) || startsField(block[end:]) {
			return block[:end], block[end:]
		}
	}
}

func startsField(s string) bool {
	if s[0] == ' ' || s[0] == '\t' || s[0] == ':' {
		return false
	}
	line, _, _ := strings.Cut(s, "\n")
	colon := strings.IndexByte(line, ':')
	return colon > 0 && fieldName([]byte(line[:colon+1])) > 0
}

// ownCharset is the charset that the Content-Type among the fields names, where it can be that of raw octets in them: mail
// programs that encode neither write both in one.
func ownCharset(headers []Header) string {
	field, _ := first(headers, "Content-Type")
	_, params, _ := cutMediaType(field.Raw)
	label, _ := lookParameter(params, "charset")
	if _, name := findCharset(label); name == "" || name == charsetUTF8 || isUSASCII(label) || sevenBitShift(name) {
		return ""
	}
	return label
}

func newHeader(name, value, charset string, damage *headerDamage) Header {
	raw := unfold(value)
	h := Header{Name: strings.TrimRight(name, " \t")}
	sent := raw
	if !plainASCII(raw) {
		sent = toText(raw, charset)
		damage.eightBit = damage.eightBit || !utf8.ValidString(raw)
		if strings.Contains(raw, escapeSet) {
			raw = sent // without its escapes it means nothing
		}
		raw = cleanText(raw)
	}
	h.Raw, h.Value = raw, sent
	if strings.ContainsRune(raw, utf8.RuneError) {
		h.text = sent
	}
	if strings.Contains(sent, "=?") {
		var words wordDamage
		h.Value, words = decodeWords(sent)
		damage.word = damage.word || words.broken
		damage.words = damage.words || words.more
	}
	return h
}

// unfold removes the line ends of a field's value (RFC 5322 section 2.2.3). A CR that stands alone becomes a space, so
// that no value can ever hold a line end.
func unfold(value string) string {
	value = strings.Trim(value, " \t\r\n")
	if !strings.ContainsAny(value, "\r\n") {
		return value
	}
	var b strings.Builder
	b.Grow(len(value))
	for {
		i := strings.IndexAny(value, "\r\n")
		if i < 0 {
			b.WriteString(value)
			return b.String()
		}
		b.WriteString(value[:i])
		switch rest := value[i:]; {
		case strings.HasPrefix(rest, "\r\n"):
			i++
			fallthrough
		case rest[0] == '\n':
			if i+1 < len(value) && value[i+1] != ' ' && value[i+1] != '\t' {
				b.WriteByte(' ') // it lost its indent
			}
		default:
			b.WriteByte(' ')
		}
		value = value[i+1:]
	}
}

// first returns the first field of that name.
func first(headers []Header, name string) (Header, bool) {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h, true
		}
	}
	return Header{}, false
}

// value is the decoded value of the first field of that name, or "".
func value(headers []Header, name string) string {
	h, _ := first(headers, name)
	return h.Value
}
