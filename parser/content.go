package parser

import (
	"errors"
	"io"

	"github.com/letterhook/letterhook/parser/tnef"
)

// Content is the decoded body of a part, read from the message as it is asked for. It is an [io.Reader]; an error other than
// io.EOF comes from reading the message, never from what it holds. Not safe for concurrent use; a Part may be opened
// several times, at once too.
type Content struct {
	part *Part
	src  io.Reader
	dec  transferDecoder // nil: the octets are taken as they are
	in   []byte          // read, not yet decoded
	buf  []byte          // what in lies in
	out  []byte          // decoded, not yet returned
	mem  []byte          // what out lies in
	err  error

	rtf   *tnef.RTFReader // src, where it is compressed RTF
	marks *container      // notes the way; nil where nobody comes back
	used  int64           // encoded octets that were decoded
	made  int64           // decoded octets
}

// contentChunk is how much of the encoded body Content holds at a time.
const contentChunk = 32 << 10

// Open returns the decoded body: transfer encoding undone, octets otherwise as they were sent, charset and line ends
// untouched. That of a message/rfc822 part is the message. Nothing needs to be closed; the io.ReaderAt that was given to
// [Parse] must still be open.
func (p *Part) Open() *Content {
	if p.within != nil {
		return p.openWithin()
	}
	if p.source == nil {
		return &Content{part: p, err: io.EOF}
	}
	return &Content{part: p, src: io.NewSectionReader(p.source, p.Offset, p.Length), dec: newTransferDecoder(p.Encoding)}
}

// Defects lists what was repaired in the part of the body read so far; all of it after io.EOF.
func (c *Content) Defects() []Defect {
	var list []Defect
	switch {
	case c.rtf != nil && c.rtf.Damage() != "":
		list = []Defect{{Code: DefectTNEF, Detail: c.rtf.Damage()}}
	case c.dec != nil:
		list = c.dec.damage()
	}
	for i := range list {
		list[i].Part = c.part.ID
	}
	return list
}

// Read reads decoded octets.
func (c *Content) Read(p []byte) (int, error) {
	if c.dec == nil {
		if c.src == nil {
			return 0, c.err
		}
		return c.src.Read(p)
	}
	for len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.step()
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// WriteTo writes what is left of the decoded octets, for [io.Copy]: as they were decoded, without a buffer between.
func (c *Content) WriteTo(w io.Writer) (written int64, err error) {
	if c.dec == nil && c.src != nil {
		return c.copyPlain(w)
	}
	for {
		if len(c.out) > 0 {
			n, err := w.Write(c.out)
			written += int64(n)
			if c.out = c.out[n:]; err != nil {
				return written, err
			}
		}
		switch {
		case errors.Is(c.err, io.EOF):
			return written, nil
		case c.err != nil:
			return written, c.err
		}
		c.step()
	}
}

// copyPlain copies octets that are not encoded.
func (c *Content) copyPlain(w io.Writer) (int64, error) {
	buf := make([]byte, min(contentChunk, c.part.Length+1))
	return io.CopyBuffer(w, c.src, buf)
}

// step reads and decodes one chunk.
func (c *Content) step() {
	if c.buf == nil {
		size := int(min(contentChunk, c.part.Length+1)) // of what was unpacked Length counts the same way
		c.buf = make([]byte, size)
		c.mem = make([]byte, 0, size)
	}
	n := copy(c.buf, c.in)
	m, err := io.ReadFull(c.src, c.buf[n:])
	c.in = c.buf[:n+m]
	final := err == io.EOF || err == io.ErrUnexpectedEOF
	if err != nil && !final {
		c.err = err
		return
	}
	if final {
		c.err = io.EOF
	}
	if c.marks != nil {
		c.marks.mark(c)
	}
	var used int
	c.out, used = c.dec.decode(c.mem[:0], c.in, final)
	c.in = c.in[used:]
	c.used += int64(used)
	c.made += int64(len(c.out))
}
