package parser

import "bytes"

// quotedPrintable decodes quoted-printable (RFC 2045 section 6.7).
type quotedPrintable struct{ bad int }

func (d *quotedPrintable) decode(dst, src []byte, final bool) ([]byte, int) {
	used := 0
	for used < len(src) {
		rest := src[used:]
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			if n = len(rest); !final {
				if n < longestLine {
					break
				}
				n = splitPoint(rest)
			}
		}
		dst = d.line(dst, rest[:n])
		used += n
	}
	return dst, used
}

// splitPoint is where a line too long to wait for may be cut: not within an escape, nor within white space.
func splitPoint(line []byte) int {
	tail := len(line) - 4
	if i := bytes.IndexByte(line[tail:], '='); i >= 0 {
		return tail + i
	}
	if n := len(bytes.TrimRight(line, " \t\r")); n > 0 {
		return n
	}
	return len(line)
}

func (d *quotedPrintable) line(dst, line []byte) []byte {
	text := bytes.TrimRight(line, " \t\r\n") // white space at the end was added on the way (rule 3)
	end := lineEnd(line)
	if len(text) > 0 && text[len(text)-1] == '=' && len(text) < len(line) {
		text, end = text[:len(text)-1], nil // soft line break
	}
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			break
		}
		dst = append(dst, text[:i]...)
		if i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]) {
			dst = append(dst, unhex(text[i+1])<<4|unhex(text[i+2]))
			text = text[i+3:]
			continue
		}
		if i+1 < len(text) || len(end) > 0 {
			d.bad++
			dst = append(dst, '=')
		} // else a soft line break at the very end
		text = text[i+1:]
	}
	dst = append(dst, text...)
	return append(dst, end...)
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
