package parser

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// mayHoldFile reports whether a text has a line that could begin a file in uuencode or yEnc. Nearly none has.
func mayHoldFile(text string) bool {
	const uu, yenc = "begin ", "=ybegin "
	return strings.HasPrefix(text, uu) || strings.HasPrefix(text, yenc) || strings.Contains(text, "\n"+uu) || strings.Contains(text, "\n"+yenc)
}

// cutFiles writes the body to w without the files that stand between its lines, of which it makes parts.
func (p *parsing) cutFiles(w *textWriter, part *Part) ([]Defect, error) {
	k := &container{part: part}
	content := k.open()
	c := fileCutter{w: w, found: func(f packedFile) bool {
		file := p.unpacked(k, part, f.offset, f.length)
		if file != nil {
			file.Filename, file.Encoding = harmlessName(cleanText(f.name)), f.encoding
		}
		return file != nil
	}}
	in := bufio.NewReaderSize(content, contentChunk)
	for !w.full {
		line, err := in.ReadSlice('\n')
		c.line(line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("read part %s: %w", part.ID, err)
		}
	}
	c.close()
	return content.Defects(), nil
}

// packedFile is a file between the lines of a text, with the lines that begin and end it.
type packedFile struct {
	name, encoding string
	offset, length int64
}

// fileCutter divides a text into lines of text, which it writes on, and lines of files. A line that looks like the begin of a
// file is held back until the lines behind it say whether it is one: a text that only speaks of such a line stays whole.
type fileCutter struct {
	w     *textWriter
	found func(packedFile) bool

	pos    int64 // of the line
	inLine bool  // the line before was so long that it goes on
	file   packedFile
	check  lineCheck // of the file that may have begun; nil within text
	sure   bool      // it has begun
	held   []byte    // lines to be written if they belong to no file after all
	heldAt int64     // where those begin that a file was sure before
}

// lineCheck judges the lines behind the one that seems to begin a file.
type lineCheck interface {
	judge(line []byte) verdict
}

type verdict int

const (
	foreign  verdict = iota // no line of a file
	possible                // might be one
	empty                   // might be one, and has nothing on it
	certain                 // is one, and so are those before it
	last                    // ends the file
)

// mostHeld bounds the lines of a file that may be none.
const mostHeld = 4 << 10

func (c *fileCutter) line(line []byte) {
	begins := !c.inLine
	c.inLine = len(line) > 0 && line[len(line)-1] != '\n'
	defer func() { c.pos += int64(len(line)) }()
	if c.check != nil {
		v := foreign
		if begins {
			v = c.check.judge(bytes.TrimRight(line, "\r\n"))
		}
		switch {
		case v == last:
			c.finish(c.pos + int64(len(line)))
			return
		case v == certain || v == possible && c.sure:
			c.sure, c.held = true, nil
			return
		case v != foreign && len(c.held)+len(line) <= mostHeld:
			if len(c.held) == 0 {
				c.heldAt = c.pos
			}
			c.held = append(c.held, line...)
			return
		}
		c.close()
	}
	if begins {
		c.begin(line)
	}
	if c.check == nil {
		c.w.write(line)
	}
}

// begin looks whether the line begins a file.
func (c *fileCutter) begin(line []byte) {
	text := bytes.TrimRight(line, "\r\n")
	if name, ok := uuBegin(text); ok {
		c.file, c.check = packedFile{name: name, encoding: "x-uuencode", offset: c.pos}, &uuCheck{}
	} else if name, check, ok := yencBegin(text); ok {
		c.file, c.check = packedFile{name: name, encoding: encodingYEnc, offset: c.pos}, check
	}
	if c.check != nil {
		c.sure, c.held = false, append([]byte(nil), line...)
	}
}

// finish makes a part of the file, which ends before end. What there is no room for is dropped.
func (c *fileCutter) finish(end int64) {
	c.file.length = end - c.file.offset
	c.found(c.file)
	c.check, c.held = nil, nil
}

// close ends a file that has no end: with lines that can be nothing else it is one, else it was text.
func (c *fileCutter) close() {
	if c.check == nil {
		return
	}
	held := c.held
	if c.sure {
		end := c.pos
		if len(held) > 0 {
			end = c.heldAt
		}
		c.finish(end)
	}
	c.w.write(held)
	c.check, c.held = nil, nil
}

// uuBegin reads a line "begin 644 name".
func uuBegin(line []byte) (name string, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("begin "))
	if !ok {
		return "", false
	}
	mode, after, _ := bytes.Cut(rest, []byte{' '})
	if len(mode) < 3 || len(mode) > 4 || len(bytes.Trim(mode, "01234567")) > 0 {
		return "", false
	}
	name = strings.TrimSpace(string(after))
	return name, name != ""
}

// uuCheck knows the lines of uuencode: as long as their first character says, of the 64 that it uses. All but the last hold
// 45 octets; one of those makes a file certain, and the line "end" does.
type uuCheck struct{ short bool }

func (u *uuCheck) judge(line []byte) verdict {
	if string(bytes.TrimSpace(line)) == "end" {
		return last
	}
	const full = 45
	n, ok := uuLength(line)
	switch {
	case len(line) == 0:
		return empty // a length of 0, written as a space that got lost
	case !ok || u.short && n > 0:
		return foreign
	case n == full:
		return certain
	}
	u.short = true
	return possible
}

// uuLength is how many octets a line of uuencode holds. Spaces at its end get lost on the way, and some programs put a
// checksum there.
func uuLength(line []byte) (octets int, ok bool) {
	if len(line) == 0 || line[0] < ' ' || line[0] > '`' {
		return 0, false
	}
	octets = int(line[0]-' ') & 63
	data, want := line[1:], (octets+2)/3*4
	if len(data) > want+1 || len(data) < want/2 {
		return 0, false
	}
	for _, c := range data {
		if c < ' ' || c > '`' {
			return 0, false
		}
	}
	return octets, true
}

// yencBegin reads a line "=ybegin line=128 size=123 name=file".
func yencBegin(line []byte) (name string, check *yencCheck, ok bool) {
	if !bytes.HasPrefix(line, []byte("=ybegin ")) {
		return "", nil, false
	}
	width, size := yencNumber(line, "line"), yencNumber(line, "size")
	_, after, named := bytes.Cut(line, []byte(" name="))
	if name = strings.Trim(strings.TrimSpace(string(after)), `"`); !named || name == "" || width < 1 || width > longestLine || size < 0 {
		return "", nil, false
	}
	return name, &yencCheck{width: width, left: size}, true
}

// yencCheck knows the lines of yEnc: each as long as the first line says, but for the last, until as many octets are there
// as it says.
type yencCheck struct {
	width, left int64
	begun       bool
}

func (y *yencCheck) judge(line []byte) verdict {
	if bytes.HasPrefix(line, []byte("=yend ")) {
		return last
	}
	if !y.begun && bytes.HasPrefix(line, []byte("=ypart ")) {
		y.left = yencNumber(line, "end") - yencNumber(line, "begin") + 1
		return possible
	}
	n := int64(len(line))
	if n == 0 {
		return empty
	}
	y.begun = true
	y.left -= n - int64(bytes.Count(line, []byte{'='})) // an escape is never escaped
	switch {
	case y.left < 0:
		return foreign
	case n == y.width || n == y.width+1:
		return certain
	}
	return possible
}
