package mailauth

import (
	"bytes"
	"hash"
)

// canonicalization is one of the two algorithms of RFC 6376 section 3.4.
type canonicalization int

const (
	simple canonicalization = iota
	relaxed
)

var canonicalizations = map[string]canonicalization{"simple": simple, "relaxed": relaxed}

// appendField appends a header field in canonical form, with its line end.
func (c canonicalization) appendField(dst []byte, f *field) []byte {
	if c == simple {
		return append(dst, f.raw...)
	}
	dst = append(append(dst, f.name...), ':')
	start, space := len(dst), false
	for i, octet := range f.body {
		switch {
		case octet == ' ' || octet == '\t':
			space = true
		case octet == '\n' || octet == '\r' && i+1 < len(f.body) && f.body[i+1] == '\n': // of a line end
		default:
			if space && len(dst) > start {
				dst = append(dst, ' ')
			}
			space = false
			dst = append(dst, octet)
		}
	}
	return append(dst, "\r\n"...)
}

// bodyHash hashes a body in canonical form while it is written, piece by piece, in bounded memory.
type bodyHash struct {
	canon canonicalization
	hash  hash.Hash

	out     []byte // canonical octets not yet hashed
	lines   int64  // CR LF held back: at the end of the body they do not count
	cr      bool   // the last octet was a CR; whether it belongs to a line end is not known yet
	space   bool   // relaxed: white space held back, for the same reason
	content bool   // something other than line ends was hashed
}

const outBuffer = 4 << 10

var bareCR = []byte{'\r'}

func newBodyHash(c canonicalization, h hash.Hash) *bodyHash {
	return &bodyHash{canon: c, hash: h, out: make([]byte, 0, outBuffer)}
}

// Write implements [io.Writer]; it never fails.
func (b *bodyHash) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		run := b.run(p)
		if run > 0 {
			b.emit(p[:run])
			p = p[run:]
			continue
		}
		switch octet := p[0]; {
		case b.cr && octet == '\n':
			b.cr, b.space = false, false
			b.lines++
		case b.cr: // a bare one is content
			b.cr = false
			b.emit(bareCR)
			continue
		case octet == '\r':
			b.cr = true
		default:
			b.space = true // white space, and relaxed
		}
		p = p[1:]
	}
	return n, nil
}

// run is the number of octets that are content whatever comes before and behind them.
func (b *bodyHash) run(p []byte) int {
	if b.cr {
		return 0
	}
	for i, octet := range p {
		if octet == '\r' || b.canon == relaxed && (octet == ' ' || octet == '\t') {
			return i
		}
	}
	return len(p)
}

// emit hashes content, with what was held back before it.
func (b *bodyHash) emit(p []byte) {
	for ; b.lines > 0; b.lines-- {
		b.put("\r\n")
	}
	if b.space {
		b.space = false
		b.put(" ")
	}
	b.content = true
	if len(b.out)+len(p) > cap(b.out) {
		b.flush()
	}
	if len(p) > cap(b.out) {
		b.hash.Write(p)
		return
	}
	b.out = append(b.out, p...)
}

func (b *bodyHash) put(s string) {
	if len(b.out)+len(s) > cap(b.out) {
		b.flush()
	}
	b.out = append(b.out, s...)
}

func (b *bodyHash) flush() {
	b.hash.Write(b.out)
	b.out = b.out[:0]
}

// sum ends the body (RFC 6376 sections 3.4.3 and 3.4.4): the line ends at its end become one, or none where relaxed
// finds nothing else.
func (b *bodyHash) sum() []byte {
	if b.cr {
		b.cr = false
		b.emit(bareCR)
	}
	if b.content || b.canon == simple {
		b.put("\r\n")
	}
	b.flush()
	return b.hash.Sum(nil)
}

// trimFold cuts folding white space off both ends.
func trimFold(s []byte) []byte { return bytes.Trim(s, " \t\r\n") }
