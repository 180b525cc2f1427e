package parser

import (
	"bytes"
	"encoding/base64"
)

// base64Value maps an octet to its six bits (RFC 4648 section 4); 64 is the padding, 65 white space, 66 noise.
var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = 66
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t['='] = 64
	for _, c := range []byte(" \t\r\n") {
		t[c] = 65
	}
	return t
}()

// base64Decoder decodes base64 (RFC 2045 section 6.8) with noise in it, several padded blocks behind each other, a cut end,
// and the footer that a mailing list program put behind it.
type base64Decoder struct {
	group     [4]byte
	have      int  // values in group
	padded    bool // the last block ended with its padding
	begun     bool // at least one octet was decoded
	plain     bool // the body is no base64 at all; passed on as it is
	ended     bool // text follows; the rest is dropped
	noise     int
	truncated bool
	trailing  bool
}

func (d *base64Decoder) decode(dst, src []byte, final bool) ([]byte, int) {
	used := 0
	for used < len(src) && !d.ended {
		rest := src[used:]
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			if n = len(rest); !final {
				if n < longestLine {
					break
				}
				n &^= 3 // whole groups stay on the fast path
			}
		}
		dst = d.line(dst, rest[:n])
		used += n
	}
	if d.ended {
		used = len(src)
	}
	if final {
		dst = d.finish(dst)
	}
	return dst, used
}

// line decodes one line, the usual one at full speed.
func (d *base64Decoder) line(dst, line []byte) []byte {
	text := bytes.TrimRight(line, " \t\r\n")
	if d.plain {
		return append(dst, line...)
	}
	if d.have == 0 && !d.padded && len(text)%4 == 0 {
		at := len(dst)
		if room := base64.StdEncoding.DecodedLen(len(text)); cap(dst)-at >= room {
			n, err := base64.StdEncoding.Decode(dst[at:at+room], text)
			if err == nil {
				d.padded = len(text) > 0 && text[len(text)-1] == '='
				d.begun = d.begun || n > 0
				return dst[:at+n]
			}
		}
	}
	if len(text) == 0 {
		return dst
	}
	if d.footer(text) {
		if !d.begun && d.have == 0 {
			d.plain = true
			return append(dst, line...)
		}
		d.ended, d.trailing = true, true
		return dst
	}
	if !d.begun && d.have == 0 && isWord(text) {
		d.plain = true
		return append(dst, line...)
	}
	d.begun = true
	for i, c := range text {
		if d.padded && (c == ' ' || c == '\t') && d.footer(firstField(text[i+1:])) {
			d.ended, d.trailing = true, true
			return dst
		}
		dst = d.octet(dst, c)
	}
	return dst
}

// isWord tells a short answer that somebody forgot to encode ("Thank you!"): a line that is no run of whole groups, and
// that has in it what base64 has not.
func isWord(text []byte) bool {
	const short = 40
	if len(text) > short || bytes.IndexByte(text, '=') >= 0 {
		return false
	}
	values, spaces, noise := 0, 0, 0
	for _, c := range text {
		switch base64Value[c] {
		case 65:
			spaces++
		case 66:
			noise++
		default:
			values++
		}
	}
	groups := values%4 == 0
	return noise > 0 && (spaces > 0 || !groups) || spaces > 0 && !groups
}

// firstField is what stands before the next white space.
func firstField(text []byte) []byte {
	if i := bytes.IndexAny(text, " \t"); i >= 0 {
		return text[:i]
	}
	return text
}

// footer reports whether a line is prose behind the data: a ruler or a sentence, or, after the padding, anything that is
// no whole base64 line.
func (d *base64Decoder) footer(text []byte) bool {
	if bytes.HasPrefix(text, []byte("__")) || bytes.HasPrefix(text, []byte("--")) || isSentence(text) {
		return true
	}
	if !d.padded {
		return false
	}
	for _, c := range text {
		if base64Value[c] > 64 {
			return true
		}
	}
	return len(text)%4 != 0
}

// isSentence tells a line of words from base64 in groups, which may have spaces between them (RFC 2045 section 6.8 has all
// octets outside of the alphabet ignored): groups hold base64 only, and are of one length but for the first and the last.
func isSentence(text []byte) bool {
	if bytes.Count(text, []byte{' '}) < 3 {
		return false
	}
	groups := bytes.Fields(text)
	for i, group := range groups {
		longest := len(groups[min(1, len(groups)-1)])
		inner := i > 0 && i < len(groups)-1
		if len(group) > longest || inner && len(group) < longest {
			return true
		}
		for _, c := range group {
			if base64Value[c] > 64 {
				return true
			}
		}
	}
	return false
}

func (d *base64Decoder) octet(dst []byte, c byte) []byte {
	v := base64Value[c]
	switch {
	case v < 64:
		d.padded = false
		d.group[d.have] = v
		if d.have++; d.have == 4 {
			g := d.group
			d.have = 0
			return append(dst, g[0]<<2|g[1]>>4, g[1]<<4|g[2]>>2, g[2]<<6|g[3])
		}
	case v == 64:
		dst = d.flush(dst)
		d.padded = true
	case v == 66:
		d.noise++
	}
	return dst
}

// flush writes the whole octets of a group that is not full.
func (d *base64Decoder) flush(dst []byte) []byte {
	g := d.group
	switch d.have {
	case 1:
		d.truncated = true
	case 2:
		dst = append(dst, g[0]<<2|g[1]>>4)
	case 3:
		dst = append(dst, g[0]<<2|g[1]>>4, g[1]<<4|g[2]>>2)
	}
	d.have = 0
	return dst
}

func (d *base64Decoder) finish(dst []byte) []byte {
	d.truncated = d.truncated || d.have > 0
	return d.flush(dst)
}

func (d *base64Decoder) damage() []Defect {
	var list []Defect
	if d.plain {
		list = append(list, Defect{Code: DefectBase64Missing, Detail: "the body begins with prose"})
	}
	if d.noise > 0 {
		list = append(list, Defect{Code: DefectBase64Noise, Detail: plural(d.noise, "character") + " outside of the alphabet"})
	}
	if d.truncated {
		list = append(list, Defect{Code: DefectBase64Truncated, Detail: "the last group is not whole"})
	}
	if d.trailing {
		list = append(list, Defect{Code: DefectBase64Trailing, Detail: "text behind the data"})
	}
	return list
}

func (d *base64Decoder) clone() transferDecoder {
	c := *d
	return &c
}
