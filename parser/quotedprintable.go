package parser

import "bytes"

// quotedPrintable decodes quoted-printable (RFC 2045 section 6.7).
type quotedPrintable struct{ bad int }

func (d *quotedPrintable) decode(dst, src []byte, final bool) ([]byte, int) {
	used := 0
	for used < len(src) {
		rest := src[used:]
		n := bytes.IndexByte(rest, '\n') + 1
		switch {
		case n > 0:
		case final:
			n = len(rest)
		case len(rest) < longestLine:
			return dst, used
		default:
			n = splitPoint(rest)
			dst = d.escapes(dst, rest[:n])
			used += n
			continue
		}
		dst = d.line(dst, rest[:n])
		used += n
	}
	return dst, used
}

// splitPoint is where a line too long to wait for may be cut: not within an escape, nor within white space that may turn
// out to end the line, unless there is nothing else.
func splitPoint(line []byte) int {
	n := len(bytes.TrimRight(line, " \t\r"))
	if n == 0 {
		return len(line) - 1
	}
	if i := bytes.IndexByte(line[max(0, n-2):n], '='); i >= 0 && max(0, n-2)+i > 0 {
		n = max(0, n-2) + i
	}
	return n
}

// line decodes a line with its end.
func (d *quotedPrintable) line(dst, line []byte) []byte {
	text := bytes.TrimRight(line, " \t\r\n") // white space at the end was added on the way (rule 3)
	end := lineEnd(line)
	if len(text) > 0 && text[len(text)-1] == '=' {
		return d.escapes(dst, text[:len(text)-1]) // soft line break
	}
	return append(d.escapes(dst, text), end...)
}

// escapes decodes text without line end.
func (d *quotedPrintable) escapes(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		if i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]) {
			dst = append(dst, unhex(text[i+1])<<4|unhex(text[i+2]))
			text = text[i+3:]
			continue
		}
		d.bad++
		dst = append(dst, '=')
		text = text[i+1:]
	}
}

func lineEnd(line []byte) []byte {
	switch {
	case bytes.HasSuffix(line, []byte("\r\n")):
		return line[len(line)-2:]
	case bytes.HasSuffix(line, []byte("\n")):
		return line[len(line)-1:]
	}
	return nil
}

func (d *quotedPrintable) damage() []Defect {
	if d.bad == 0 {
		return nil
	}
	return []Defect{{Code: DefectQuotedPrintable, Detail: plural(d.bad, "bad escape")}}
}

func (d *quotedPrintable) clone() transferDecoder {
	c := *d
	return &c
}
