package mailauth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxHeader   = 1 << 20 // octets of a header that is looked into
	maxFields   = 10_000
	largeHeader = 128 << 10 // octets from which on headers take turns
)

var errHeaderTooLarge = errors.New("the header is too large")

// header is the header of a message in the octets that were received.
type header struct {
	fields []field
	byName map[string][]int // indices of the fields of a name, from the top; the name in lower case
	size   int64            // octets of the header with the line that ends it: where the body begins
}

// field is one header field.
type field struct {
	name string // lower case, without white space before the colon; empty for a line that is no field
	raw  []byte // with name, folding and line end
	body []byte // raw behind the colon
}

// readHeader reads the header of a message of size octets. A line ends with LF, with or without CR, as the parser that
// makes the event sees it too: what two readers would divide differently is one line to neither. A large one has to wait for its
// turn.
func readHeader(r io.ReaderAt, size int64, turn func() error) (*header, error) {
	block := make([]byte, min(size, 8<<10))
	for {
		if _, err := r.ReadAt(block, 0); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the header: %w", err)
		}
		if end := headerEnd(block); end >= 0 {
			return parseHeader(block[:end])
		}
		if int64(len(block)) == size {
			return parseHeader(block)
		}
		switch len(block) {
		case maxHeader:
			return nil, errHeaderTooLarge
		case largeHeader:
			if err := turn(); err != nil {
				return nil, err
			}
		}
		block = make([]byte, min(size, 4*int64(len(block)), maxHeader))
	}
}

// headerEnd is the offset behind the empty line that ends the header, or -1.
func headerEnd(block []byte) int {
	for at := 0; ; {
		end := bytes.IndexByte(block[at:], '\n')
		if end < 0 {
			return -1
		}
		if end == 0 || end == 1 && block[at] == '\r' {
			return at + end + 1
		}
		at += end + 1
	}
}

func parseHeader(block []byte) (*header, error) {
	h := &header{byName: map[string][]int{}, size: int64(len(block))}
	for len(block) > 0 {
		raw := block[:fieldEnd(block)]
		block = block[len(raw):]
		if string(raw) == "\r\n" || string(raw) == "\n" { // more CRs make a line of it that does not end the header
			break
		}
		if len(h.fields) == maxFields {
			return nil, errHeaderTooLarge
		}
		h.add(raw)
	}
	return h, nil
}

// fieldEnd is the length of the first line with those that continue it.
func fieldEnd(block []byte) int {
	end := 0
	for {
		line := bytes.IndexByte(block[end:], '\n')
		if line < 0 {
			return len(block)
		}
		end += line + 1
		if end == len(block) || block[end] != ' ' && block[end] != '\t' {
			return end
		}
	}
}

func (h *header) add(raw []byte) {
	f := field{raw: raw}
	if name, body, ok := bytes.Cut(raw, []byte(":")); ok {
		f.name, f.body = strings.ToLower(string(bytes.TrimRight(name, " \t"))), body
		h.byName[f.name] = append(h.byName[f.name], len(h.fields))
	}
	h.fields = append(h.fields, f)
}

// strays says whether the line at an index is there and is no field (RFC 5322 section 2.2).
func (h *header) strays(i int) bool {
	if i >= len(h.fields) {
		return false
	}
	name := h.fields[i].name
	return name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// all are the fields of a name, from the top.
func (h *header) all(name string) []*field {
	found := make([]*field, 0, len(h.byName[name]))
	for _, i := range h.byName[name] {
		found = append(found, &h.fields[i])
	}
	return found
}
