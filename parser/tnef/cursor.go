package tnef

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// cursor reads forward through blocks that lie within each other. A value that goes beyond the innermost block, or beyond
// the stream, is cut: from then on everything reads as zero until somebody leaves the block.
type cursor struct {
	in  *bufio.Reader
	pos int64 // of the next octet, from the begin of the stream
	end int64 // of the innermost block
	cut bool  // something was missing within the innermost block
	eof bool  // the stream is over
	err error // first failure to read it
}

// bytes reads n octets and returns the first of them, as many as most. They are good until the next call.
func (c *cursor) bytes(n, most int64) []byte {
	if n < 0 || n > c.end-c.pos {
		c.cut = true
		return nil
	}
	head, err := c.in.Peek(int(min(n, most)))
	if err != nil {
		c.fail(err)
		return nil
	}
	head = append([]byte(nil), head...)
	c.skip(n)
	return head
}

func (c *cursor) skip(n int64) {
	if n < 0 || n > c.end-c.pos {
		c.cut = true
		n = max(0, c.end-c.pos)
	}
	for n > 0 && !c.eof {
		done, err := c.in.Discard(int(min(n, 1<<30)))
		c.pos += int64(done)
		n -= int64(done)
		if err != nil {
			c.fail(err)
		}
	}
}

// number reads a little-endian number of so many octets, at most eight.
func (c *cursor) number(octets int) uint64 {
	var b [8]byte
	if int64(octets) > c.end-c.pos {
		c.cut = true
		return 0
	}
	n, err := io.ReadFull(c.in, b[:octets])
	c.pos += int64(n)
	if err != nil {
		c.fail(err)
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

func (c *cursor) u16() int { return int(c.number(2)) }

func (c *cursor) u32() int64 { return int64(c.number(4)) }

func (c *cursor) fail(err error) {
	c.cut, c.eof = true, true
	if c.err == nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		c.err = err
	}
}

// block runs read over the next n octets, moves behind them whatever it left, and reports whether nothing was missing.
func (c *cursor) block(n int64, read func()) (whole bool) {
	end, cut := c.end, c.cut
	whole = n <= end-c.pos
	c.end = min(end, c.pos+n)
	c.cut = false
	read()
	whole = whole && !c.cut
	c.cut = false
	c.skip(c.end - c.pos)
	whole = whole && !c.cut
	c.end, c.cut = end, cut
	return whole
}
