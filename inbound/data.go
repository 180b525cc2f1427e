package inbound

import (
	"bufio"
	"errors"
	"io"
)

// dataReader reads what follows DATA, up to the end of the data (RFC 5321 section 4.1.1.4).
//
// The end is CR LF "." CR LF and nothing else, the CR LF of the DATA command counting as the first one. Whatever
// resembles it, with a bare CR, a bare LF, a NUL or a second CR, is content: a server that took one of those for
// the end would run the rest of the content as commands, which is SMTP smuggling (CVE-2023-51764 and its kin). An
// octet is dropped in one case only: a "." that begins a line, a line being what follows CR LF (section 4.5.2).
type dataReader struct {
	r *bufio.Reader
	// inLine says that some of the current line was returned already; at its zero value a line begins.
	inLine bool
	cr     bool // the last octet read was a CR
}

// next returns octets of the content: a line, or what of it fits the buffer. They are valid until the next call. At the
// end of the data it returns io.EOF; a connection that ends before is io.ErrUnexpectedEOF, never a success.
func (d *dataReader) next() ([]byte, error) {
	piece, err := d.r.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	begins := !d.inLine
	if begins && string(piece) == ".\r\n" {
		return nil, io.EOF
	}
	last := len(piece) - 1
	if piece[last] == '\n' {
		// A bare LF ends no line here: the next octet stands in the midst of one.
		ends := last > 0 && piece[last-1] == '\r' || last == 0 && d.cr
		d.inLine, d.cr = !ends, false
	} else {
		d.inLine = true
		d.cr = piece[last] == '\r'
	}
	if begins && piece[0] == '.' {
		piece = piece[1:]
	}
	return piece, nil
}
