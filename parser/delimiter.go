package parser

import (
	"bytes"
	"slices"
)

// A boundary delimiter line may carry white space behind it (RFC 2046 section 5.1.1); this much is looked at.
const delimiterPadding = 256

// delimiter is a delimiter line that ended an entity.
type delimiter struct {
	level   int   // which of the open multiparts it belongs to; endOfMessage when none
	closing bool  // close-delimiter: the multipart's last
	end     int64 // where the content before it ends: the line end in front belongs to the delimiter
}

const endOfMessage = -1

// scanner knows the multiparts that stand open around the current position, innermost last.
type scanner struct {
	*source
	open    []string
	levels  []int     // of open, the innermost first; one whose boundary a multipart within it has again can end no more
	longest int       // octets of the longest boundary
	begins  [256]bool // first octets of the boundaries
}

var newlineDashes = []byte("\n--")

// toDelimiter consumes everything up to and including the next delimiter line of any open multipart. The current position
// must be the beginning of a line. The work is linear: a line that could be a delimiter is compared once with each different
// boundary that is open, of which there are no more than Limits.Depth.
func (s *scanner) toDelimiter() delimiter {
	if len(s.open) == 0 {
		s.skipAll()
		return delimiter{level: endOfMessage, end: s.pos()}
	}
	for {
		if d, ok := s.delimiterAt(0); ok {
			s.skipLine()
			return d
		}
		if !s.toDashes() {
			return delimiter{level: endOfMessage, end: s.pos()}
		}
	}
}

// toDashes moves forward to the next line that begins with two dashes.
func (s *scanner) toDashes() bool {
	for {
		if i := bytes.Index(s.rest(), newlineDashes); i >= 0 {
			s.at += i + 1
			return true
		}
		s.at = max(s.at, len(s.buf)-2)
		if !s.fill() {
			s.at = len(s.buf)
			return false
		}
	}
}

// delimiterAt reports whether the line that begins rel octets behind the current position is a delimiter. It looks ahead
// only: nothing is consumed, so that nothing from the current position on is lost.
func (s *scanner) delimiterAt(rel int) (delimiter, bool) {
	for len(s.rest()) < rel+3 && s.fill() {
	}
	if rest := s.rest()[rel:]; len(rest) < 3 || rest[0] != '-' || rest[1] != '-' || !s.begins[rest[2]] {
		return delimiter{}, false
	}
	n, whole := s.line(rel, s.longest+delimiterPadding)
	if !whole {
		return delimiter{}, false
	}
	line := bytes.TrimRight(s.rest()[rel+2:rel+n], " \t\r\n")
	followed := delimiter{level: endOfMessage}
	for _, level := range s.levels {
		boundary := s.open[level]
		last := len(boundary) - 1
		if last >= len(line) || line[last] != boundary[last] || string(line[:last]) != boundary[:last] {
			continue
		}
		rest := line[last+1:]
		switch {
		case len(rest) == 0 || string(rest) == "--":
			return delimiter{level: level, closing: len(rest) != 0, end: s.lineEndBefore(rel)}, true
		case followed.level == endOfMessage && (rest[0] == ' ' || rest[0] == '\t' || bytes.HasPrefix(rest, []byte("--"))):
			// Words behind a delimiter are ignored (the note at the end of RFC 2046 section 5.1.1), unless the line is the delimiter
			// of another multipart.
			closing := bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte("--"))
			followed = delimiter{level: level, closing: closing, end: s.lineEndBefore(rel)}
		}
	}
	return followed, followed.level != endOfMessage
}

// lineEndBefore is the offset of the line end in front of the line that begins rel octets behind the current position.
func (s *scanner) lineEndBefore(rel int) int64 {
	at := s.at + rel
	if at > 0 && s.buf[at-1] == '\n' {
		at--
		if at > 0 && s.buf[at-1] == '\r' {
			at--
		}
	}
	return s.base + int64(at)
}

// push opens a multipart and returns its level.
func (s *scanner) push(boundary string) int {
	s.open = append(s.open, boundary)
	s.index()
	return len(s.open) - 1
}

// pop closes the multipart of this level. Those within it are closed already.
func (s *scanner) pop(level int) {
	s.open = s.open[:level]
	s.index()
}

// index makes the answer for a line that is no delimiter, as nearly all are, as cheap for many open multiparts as for one.
func (s *scanner) index() {
	s.levels, s.longest, s.begins = s.levels[:0], 0, [256]bool{}
	for level, boundary := range slices.Backward(s.open) {
		if slices.Contains(s.open[level+1:], boundary) {
			continue
		}
		s.levels = append(s.levels, level)
		s.longest = max(s.longest, len(boundary))
		s.begins[boundary[0]] = true
	}
}
