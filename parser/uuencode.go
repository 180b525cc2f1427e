package parser

import "bytes"

// uuDecoder decodes uuencode (POSIX), which old mailers name as a transfer encoding.
type uuDecoder struct {
	begun, ended bool
	bad          int
}

func (d *uuDecoder) decode(dst, src []byte, final bool) ([]byte, int) {
	used := 0
	for used < len(src) && !d.ended {
		rest := src[used:]
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			if n = len(rest); !final && n < longestLine {
				break
			}
		}
		dst = d.line(dst, bytes.TrimRight(rest[:n], "\r\n"))
		used += n
	}
	if d.ended {
		used = len(src)
	}
	return dst, used
}

func (d *uuDecoder) line(dst, line []byte) []byte {
	if !d.begun {
		d.begun = bytes.HasPrefix(line, []byte("begin "))
		return dst
	}
	if len(line) == 0 {
		return dst
	}
	if bytes.Equal(bytes.TrimSpace(line), []byte("end")) {
		d.ended = true
		return dst
	}
	length := int(line[0]-' ') & 63
	data := line[1:]
	at := len(dst)
	for i := 0; len(dst)-at < length; i += 4 {
		var g [4]byte
		if i >= len(data) {
			d.bad++
			return dst
		}
		for j := range g {
			if i+j < len(data) { // spaces at the end get lost on the way
				g[j] = (data[i+j] - ' ') & 63
			}
		}
		dst = append(dst, g[0]<<2|g[1]>>4, g[1]<<4|g[2]>>2, g[2]<<6|g[3])
	}
	return dst[:at+length]
}

func (d *uuDecoder) damage() []Defect {
	switch {
	case !d.begun:
		return []Defect{{Code: DefectUUEncode, Detail: "no begin line"}}
	case d.bad > 0 || !d.ended:
		return []Defect{{Code: DefectUUEncode, Detail: plural(d.bad, "damaged line")}}
	}
	return nil
}

func (d *uuDecoder) clone() transferDecoder {
	c := *d
	return &c
}
