package parser

import (
	"bytes"
	"hash/crc32"
	"strconv"
)

// encodingYEnc names yEnc (version 1.3 of its draft, which never became a standard) as a transfer encoding.
const encodingYEnc = "x-yenc"

// yencDecoder decodes yEnc: each octet plus 42, with "=" before those that a line cannot hold.
type yencDecoder struct {
	begun, ended bool
	data         bool // a line that is no =ypart was seen
	size         int64
	made         int64
	crc          uint32
	wrong        string
}

func (d *yencDecoder) decode(dst, src []byte, final bool) ([]byte, int) {
	used := 0
	for used < len(src) && !d.ended {
		rest := src[used:]
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			if n = len(rest); !final {
				if n < longestLine {
					break
				}
				if rest[n-1] == '=' {
					n--
				}
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

func (d *yencDecoder) line(dst, line []byte) []byte {
	switch {
	case !d.begun:
		if d.begun = bytes.HasPrefix(line, []byte("=ybegin ")); d.begun {
			d.size = yencNumber(line, "size")
		}
	case !d.data && bytes.HasPrefix(line, []byte("=ypart ")):
		d.size = yencNumber(line, "end") - yencNumber(line, "begin") + 1
	case bytes.HasPrefix(line, []byte("=yend")):
		d.ended = true
		d.check(line)
	default:
		d.data = true
		at := len(dst)
		for i := 0; i < len(line); i++ {
			c := line[i]
			if c == '=' && i+1 < len(line) {
				i++
				c = line[i] - 64
			}
			dst = append(dst, c-42)
		}
		d.made += int64(len(dst) - at)
		d.crc = crc32.Update(d.crc, crc32.IEEETable, dst[at:])
	}
	return dst
}

// check holds what was decoded against what the last line says of it: pcrc32 is that of this part, crc32 that of the file.
func (d *yencDecoder) check(end []byte) {
	sum, ok := yencParameter(end, "pcrc32")
	if !ok {
		sum, ok = yencParameter(end, "crc32")
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	switch {
	case d.size != d.made || yencNumber(end, "size") != d.made:
		d.wrong = "the size is not what it says"
	case ok && (err != nil || uint32(want) != d.crc):
		d.wrong = "the checksum is wrong"
	}
}

// yencParameter finds a parameter of a control line. The name of the file comes last and may hold anything.
func yencParameter(line []byte, name string) (value []byte, ok bool) {
	line, _, _ = bytes.Cut(line, []byte(" name="))
	for word := range bytes.FieldsSeq(line) {
		if value, ok := bytes.CutPrefix(word, []byte(name+"=")); ok {
			return value, true
		}
	}
	return nil, false
}

// yencNumber is a parameter that counts, or -1.
func yencNumber(line []byte, name string) int64 {
	value, _ := yencParameter(line, name)
	n, err := strconv.ParseInt(string(value), 10, 48)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func (d *yencDecoder) damage() []Defect {
	switch {
	case !d.begun:
		return []Defect{{Code: DefectYEnc, Detail: "no =ybegin line"}}
	case !d.ended:
		return []Defect{{Code: DefectYEnc, Detail: "no =yend line"}}
	case d.wrong != "":
		return []Defect{{Code: DefectYEnc, Detail: d.wrong}}
	}
	return nil
}

func (d *yencDecoder) clone() transferDecoder {
	c := *d
	return &c
}
