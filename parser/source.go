package parser

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	wholeSize  = 512 << 10 // a message up to this size is read into one slice
	windowSize = 64 << 10  // a larger one passes through a window of this size
)

// source is a forward window over the raw bytes. The bytes between at and the end of buf have not been consumed; the
// two before at are kept, since a delimiter owns the line end in front of it.
type source struct {
	r    io.ReaderAt
	size int64
	base int64 // offset of buf[0]
	buf  []byte
	at   int
	err  error // first failure of r; the source then ends early
	seen octets
}

// octets counts what RFC 5322 does not allow in a body.
type octets struct {
	cr, lf, crlf, nul int
	last              byte
}

func (o *octets) count(b []byte) {
	if len(b) == 0 {
		return
	}
	if o.last == '\r' && b[0] == '\n' {
		o.crlf++
	}
	o.last = b[len(b)-1]
	o.cr += bytes.Count(b, []byte{'\r'})
	o.lf += bytes.Count(b, []byte{'\n'})
	o.nul += bytes.Count(b, []byte{0})
	o.crlf += bytes.Count(b, []byte{'\r', '\n'})
}

// Octets are a message that lies in memory. [Parse] reads them where they are, without a copy: nobody may change them
// while the Message is in use.
type Octets []byte

// ReadAt implements [io.ReaderAt].
func (o Octets) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at the negative offset %d", off)
	}
	n := copy(p, o[min(off, int64(len(o))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// newSource reads the first size octets of r through a window, which grows when a header or a line does not fit into it.
func newSource(r io.ReaderAt, size int64, window int) *source {
	if o, ok := r.(Octets); ok && size <= int64(len(o)) {
		s := &source{r: bytes.NewReader(o), size: size, buf: o[:size:size]}
		s.seen.count(s.buf)
		return s
	}
	s := &source{r: r, size: size, buf: make([]byte, 0, window)}
	s.fill()
	if s.whole() {
		s.r = bytes.NewReader(s.buf) // whoever opens a part later is served from memory
	}
	return s
}

func (s *source) whole() bool { return s.base == 0 && int64(len(s.buf)) == s.size }

// pos is the offset of the next octet.
func (s *source) pos() int64 { return s.base + int64(s.at) }

// rest is what lies in memory from the current position on.
func (s *source) rest() []byte { return s.buf[s.at:] }

// fill reads on behind what is in memory, dropping what was consumed, growing only when nothing was. It moves buf, base and
// at; an offset from the current position stays good, a slice of buf does not. It returns false at the end.
func (s *source) fill() bool {
	end := s.base + int64(len(s.buf))
	if end >= s.size || s.err != nil {
		return false
	}
	if keep := max(0, s.at-2); keep > 0 {
		n := copy(s.buf, s.buf[keep:])
		s.buf = s.buf[:n]
		s.base += int64(keep)
		s.at -= keep
	}
	if len(s.buf) == cap(s.buf) {
		s.buf = append(make([]byte, 0, 2*cap(s.buf)), s.buf...)
	}
	room := int(min(int64(cap(s.buf)-len(s.buf)), s.size-end))
	fresh := s.buf[len(s.buf) : len(s.buf)+room]
	n, err := s.r.ReadAt(fresh, end)
	s.buf = s.buf[:len(s.buf)+n]
	s.seen.count(fresh[:n])
	if n < room {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		s.err = fmt.Errorf("read message at %d of %d: %w", end+int64(n), s.size, err)
	}
	return n > 0
}

// line returns the length of the line that begins rel octets behind the current position, its line end included, or limit
// when it is longer; whole is false then. It may call fill, after which what rest returned before is void: take it again.
func (s *source) line(rel, limit int) (n int, whole bool) {
	from := 0
	for {
		rest := s.rest()[rel:]
		rest = rest[:min(len(rest), limit)] // what the window happens to hold beyond it must not count
		if i := bytes.IndexByte(rest[from:], '\n'); i >= 0 {
			return from + i + 1, true
		}
		if from = len(rest); from == limit {
			return from, false
		}
		if !s.fill() {
			return from, true
		}
	}
}

// skipLine consumes one line of any length.
func (s *source) skipLine() {
	for {
		if i := bytes.IndexByte(s.rest(), '\n'); i >= 0 {
			s.at += i + 1
			return
		}
		s.at = len(s.buf)
		if !s.fill() {
			return
		}
	}
}

// skipAll consumes what is left.
func (s *source) skipAll() {
	for s.at = len(s.buf); s.fill(); s.at = len(s.buf) {
	}
}
