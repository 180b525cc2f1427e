package tnef

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// RTFReader undoes the compression of an RTF body (MS-OXRTFCP), up to 32 MiB of it: compressed it may have an eighth of its
// size. Its errors are those of the reader below; a body that is cut or damaged ends early.
type RTFReader struct {
	in      *bufio.Reader
	begun   bool
	stored  bool // not compressed
	left    int64
	dict    [dictSize]byte
	at      int // where the next octet goes in dict
	flags   byte
	tokens  int    // of flags that are still to be read
	pending []byte // decoded, not yet returned; lies in buf
	buf     [4 << 10]byte
	damage  string
	err     error
}

const (
	dictSize     = 4096
	longestMatch = 17
	rtfHeader    = 16
	largestRTF   = 32 << 20
	rtfPacked    = 0x75465A4C
	rtfStored    = 0x414C454D

	// dictBegin is what both sides know before the first octet (MS-OXRTFCP section 2.1.2.1).
	dictBegin = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier" +
		"{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)

// NewRTFReader reads a compressed body from r.
func NewRTFReader(r io.Reader) *RTFReader {
	d := &RTFReader{in: bufio.NewReader(r)}
	d.at = copy(d.dict[:], dictBegin)
	return d
}

// Damage says what was wrong with the body as far as it was read; "" when nothing was.
func (d *RTFReader) Damage() string { return d.damage }

// Read implements [io.Reader].
func (d *RTFReader) Read(p []byte) (int, error) {
	for len(d.pending) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.fill()
	}
	n := copy(p, d.pending)
	d.pending = d.pending[n:]
	return n, nil
}

// fill decodes until there is no room for another match.
func (d *RTFReader) fill() {
	d.pending = d.buf[:0]
	if !d.begun {
		d.begun = true
		d.header()
	}
	if d.stored && d.err == nil {
		n, err := io.ReadFull(d.in, d.buf[:min(int64(len(d.buf)), d.left)])
		d.pending = d.buf[:n]
		d.left -= int64(n)
		if err != nil {
			d.fail(err)
		}
	}
	for d.err == nil && d.left > 0 && len(d.pending)+longestMatch <= len(d.buf) {
		d.token()
	}
	if d.left <= 0 && d.err == nil {
		d.err = io.EOF
	}
}

// token decodes one octet or match.
func (d *RTFReader) token() {
	if d.tokens == 0 {
		d.flags = d.octet()
		d.tokens = 8
	}
	match := d.flags&1 == 1
	d.flags >>= 1
	d.tokens--
	first := d.octet()
	if !match {
		if d.err == nil {
			d.put(first)
		}
		return
	}
	second := d.octet()
	if d.err == nil {
		d.match(int(first)<<4|int(second)>>4, int(second&15)+2)
	}
}

// header reads the sizes and the kind of compression.
func (d *RTFReader) header() {
	var b [rtfHeader]byte
	if _, err := io.ReadFull(d.in, b[:]); err != nil {
		d.fail(err)
		return
	}
	if d.left = int64(binary.LittleEndian.Uint32(b[4:])); d.left > largestRTF {
		d.left, d.damage = largestRTF, "the RTF body is too large"
	}
	switch binary.LittleEndian.Uint32(b[8:]) {
	case rtfPacked:
	case rtfStored:
		d.stored = true
	default:
		d.damage, d.err = "the RTF body has no signature", io.EOF
	}
}

// match copies from the dictionary, which may grow under it.
func (d *RTFReader) match(from, length int) {
	if from == d.at {
		d.err = io.EOF // the end, as the format marks it
		return
	}
	for range length {
		d.put(d.dict[from])
		from = (from + 1) % dictSize
	}
}

func (d *RTFReader) put(b byte) {
	d.dict[d.at] = b
	d.at = (d.at + 1) % dictSize
	if d.left > 0 {
		d.left--
		d.pending = append(d.pending, b)
	}
}

// octet reads one; of a body that is over it is 0, and err says so.
func (d *RTFReader) octet() byte {
	if d.err != nil {
		return 0
	}
	b, err := d.in.ReadByte()
	if err != nil {
		d.fail(err)
	}
	return b
}

func (d *RTFReader) fail(err error) {
	d.err = err
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		d.damage, d.err = "the RTF body is cut", io.EOF
	}
}
