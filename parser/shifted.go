package parser

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"
)

// This file reads two charsets of seven bits that mail still comes in and that the WHATWG's table refuses, since browsers
// were fooled with them. A text that was read cannot be run, so nobody is fooled here.

// escapeSet begins the escapes to a set of two octets a character (ISO 2022): no text has it by chance.
const escapeSet = "\x1b$"

// decodeEscapes reads a text whose charset is not or wrongly named, and whose escapes say it.
func decodeEscapes(s, declared, name string) (decodedText, bool) {
	if !strings.Contains(s, escapeSet) {
		return decodedText{}, false
	}
	label := "iso-2022-jp"
	if strings.Contains(s, escapeSet+")C") {
		label = charsetISO2022KR
	}
	d := decodeCharset(s, label)
	switch {
	case d.defect != "" || strings.ContainsRune(d.text, '\x1b') || isASCII(d.text):
		return decodedText{}, false
	case declared == "":
		d.defect = DefectCharsetMissing
	case name == "":
		d.defect = DefectCharsetUnknown
	default:
		d.defect = DefectCharsetInvalid
	}
	return d, true
}

// decodeUTF7 reads UTF-7 (RFC 2152). ok is false when it is damaged; then the damaged pieces are left as they were sent.
func decodeUTF7(s string) (text string, ok bool) {
	var b strings.Builder
	b.Grow(len(s))
	ok = true
	for {
		plain, rest, shifted := strings.Cut(s, "+")
		b.WriteString(plain)
		if !shifted {
			return b.String(), ok
		}
		n := 0
		for n < len(rest) && base64Value[rest[n]] < 64 {
			n++
		}
		if n == 0 {
			b.WriteByte('+')
			if rest, shifted = strings.CutPrefix(rest, "-"); !shifted {
				ok = false
			}
			s = rest
			continue
		}
		run, good := decodeUTF7Run(rest[:n])
		if good {
			b.WriteString(run)
			rest = strings.TrimPrefix(rest[n:], "-")
		} else {
			ok = false
			b.WriteByte('+')
			b.WriteString(rest[:n])
			rest = rest[n:]
		}
		s = rest
	}
}

func decodeUTF7Run(run string) (text string, ok bool) {
	octets, err := base64.RawStdEncoding.DecodeString(run)
	if err != nil || len(octets) < 2 {
		return "", false
	}
	units := make([]uint16, len(octets)/2)
	for i := range units {
		units[i] = uint16(octets[2*i])<<8 | uint16(octets[2*i+1])
	}
	text = string(utf16.Decode(units))
	return text, !strings.ContainsRune(text, utf8.RuneError)
}

// decodeISO2022KR reads ISO-2022-KR (RFC 1557): EUC-KR without its high bits, between SO and SI.
func decodeISO2022KR(s string) (text string, err error) {
	const shiftOut, shiftIn = 0x0e, 0x0f
	s = strings.ReplaceAll(s, "\x1b$)C", "")
	octets := make([]byte, 0, len(s))
	out := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == shiftOut:
			out = true
		case c == shiftIn:
			out = false
		case c == '\n':
			out = false // a line begins in ASCII
			octets = append(octets, c)
		case out && c > ' ' && c < 0x7f:
			octets = append(octets, c|0x80)
		default:
			octets = append(octets, c)
		}
	}
	b, err := korean.EUCKR.NewDecoder().Bytes(octets)
	return string(b), err
}
