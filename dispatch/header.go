package dispatch

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// The bounds within which the header of a mail that cannot be parsed is read.
const (
	plainHeaderBytes = 64 << 10
	plainHeaderCount = 500
)

// plainHeader reads the header of a mail in the simplest way there is: lines, unfolded, nothing decoded. It is for mails
// that the parser died of.
func plainHeader(r io.ReaderAt) ([]Header, error) {
	b := make([]byte, plainHeaderBytes)
	n, err := r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	fields := []Header{}
	for line := range strings.Lines(string(b[:n])) {
		text := strings.TrimRight(line, "\r\n")
		if text == "" || len(fields) == plainHeaderCount {
			break // the empty line ends the header (RFC 5322 section 2.1)
		}
		if !strings.HasSuffix(line, "\n") {
			break // the bound or the end of the mail cut it
		}
		if text[0] == ' ' || text[0] == '\t' {
			if len(fields) > 0 {
				fields[len(fields)-1].Raw += text // unfolding takes the line end away and nothing else (section 2.2.3)
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			continue
		}
		fields = append(fields, Header{Name: clean(strings.TrimRight(name, " \t")), Raw: value})
	}
	for i := range fields {
		fields[i].Raw = clean(strings.Trim(fields[i].Raw, " \t"))
		fields[i].Value = fields[i].Raw
	}
	return fields, nil
}
