package tnef

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Rich is what an RTF body says without its looks.
type Rich struct {
	Text    string // lines end in LF; HTML when HTML is set
	HTML    bool   // the body was made of HTML, which was found in it again (MS-OXRTFEX)
	Charset string // WHATWG label of the code page that the body names; "" if none
	Cut     bool   // there is more than the limit
}

// mostRTF is how much of a body is read for its text: without pictures it is far less.
const mostRTF = 4 << 20

// ReadRTF reads the first 4 MiB of an RTF body, not compressed, and keeps at most limit octets of its text. What is damaged is read as far as it
// can be; the error is one of reading.
func ReadRTF(r io.Reader, limit int) (Rich, error) {
	left := &io.LimitedReader{R: r, N: mostRTF}
	p := rtfParser{in: bufio.NewReader(left), limit: limit, now: group{uc: 1}, fonts: map[int]int{}}
	for !p.cut {
		c, err := p.in.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Rich{}, fmt.Errorf("reading RTF: %w", err)
		}
		p.octet(c)
	}
	p.flush()
	p.cut = p.cut || left.N == 0
	return Rich{Text: p.out.String(), HTML: p.html, Charset: charset(p.ansi), Cut: p.cut}, nil
}

// group is the state that ends with the brace that it began with.
type group struct {
	skip   bool // a destination that is no text
	tag    bool // a piece of HTML
	hidden bool // what was made of HTML, and is there as HTML, too
	fonts  bool // the table of fonts
	uc     int  // octets that stand behind a Unicode character for those who do not know it
	font   int
}

// mostGroups bounds the groups within each other; those deeper share the state of the last.
const mostGroups = 200

type rtfParser struct {
	in    *bufio.Reader
	out   strings.Builder
	limit int
	cut   bool

	now    group
	groups []group
	deeper int // groups beyond mostGroups

	html    bool
	star    bool // the next word names a destination that one may not know
	ansi    int  // the code page of the body; 0 if it names none
	fonts   map[int]int
	pass    int  // octets to be passed over, behind a Unicode character
	high    rune // the first half of a character beyond the basic plane
	wordBuf [longestWord]byte
	run     []byte // octets of text that are not decoded yet, since a character may have two
}

func (p *rtfParser) octet(c byte) {
	switch c {
	case '{':
		p.open()
	case '}':
		p.close()
	case '\\':
		p.control()
	case '\r', '\n', 0:
	default:
		p.text(c)
	}
}

func (p *rtfParser) open() {
	p.pass = 0
	if len(p.groups) == mostGroups {
		p.deeper++
		return
	}
	p.groups = append(p.groups, p.now)
}

func (p *rtfParser) close() {
	p.pass = 0
	if p.deeper > 0 {
		p.deeper--
		return
	}
	if n := len(p.groups); n > 0 {
		p.flush()
		p.now = p.groups[n-1]
		p.groups = p.groups[:n-1]
	}
}

// control reads what stands behind a backslash.
func (p *rtfParser) control() {
	c, err := p.in.ReadByte()
	if err != nil {
		return // the loop finds the same
	}
	switch {
	case isLetter(c):
		word, number, given := p.word(c)
		star := p.star
		p.star = false
		p.do(word, number, given, star)
	case c == '\'':
		p.hex()
	case c == '*':
		p.star = true
	case c == '~':
		p.rune('\u00a0')
	case c == '_':
		p.text('-')
	case c == '\r' || c == '\n':
		p.rune('\n')
	case c == '\\' || c == '{' || c == '}':
		p.text(c)
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// longestWord is more than the longest control word and its number.
const longestWord = 32

// word reads a control word, its number and the space that ends it.
func (p *rtfParser) word(first byte) (word []byte, number int, given bool) {
	b := append(p.wordBuf[:0], first)
	digits := 0
	for len(b) < longestWord {
		c, err := p.in.ReadByte()
		if err != nil || c == ' ' {
			break
		}
		digit := c >= '0' && c <= '9' || c == '-' && digits == 0
		if !digit && (digits > 0 || !isLetter(c)) {
			if err := p.in.UnreadByte(); err != nil {
				break // nothing was read
			}
			break
		}
		if digit {
			digits++
		}
		b = append(b, c)
	}
	if digits > 0 {
		n, err := strconv.Atoi(string(b[len(b)-digits:]))
		number, given = n, err == nil
	}
	return b[:len(b)-digits], number, given
}

// hex reads an octet that is written as two digits.
func (p *rtfParser) hex() {
	b, err := p.in.Peek(2)
	if n, wrong := strconv.ParseUint(string(b), 16, 8); wrong == nil && err == nil {
		p.text(byte(n))
	} else if wrong != nil {
		return // those are text
	}
	p.discard(len(b))
}

func (p *rtfParser) discard(n int) {
	if _, err := p.in.Discard(n); err != nil {
		return // the loop finds the same
	}
}

// text takes an octet of text in the code page of the font.
func (p *rtfParser) text(c byte) {
	if p.pass > 0 {
		p.pass--
		return
	}
	if p.shown() {
		p.run = append(p.run, c)
		if n := len(p.run); n >= 1<<10 && c < 0x80 || n == 4<<10 {
			p.flush()
		}
	}
}

// shown reports whether text at this place belongs to what is read.
func (p *rtfParser) shown() bool {
	switch {
	case p.cut || p.now.skip:
		return false
	case p.html:
		return !p.now.hidden || p.now.tag
	}
	return !p.now.tag
}

func (p *rtfParser) rune(r rune) {
	if p.shown() {
		p.flush()
		p.write(string(r))
	}
}

// flush decodes the octets that were collected.
func (p *rtfParser) flush() {
	if len(p.run) == 0 {
		return
	}
	page, ok := p.fonts[p.now.font]
	if !ok || p.now.tag {
		page = p.ansi
	}
	p.write(decode(string(p.run), page))
	p.run = p.run[:0]
}

func (p *rtfParser) write(s string) {
	if room := p.limit - p.out.Len(); len(s) > room {
		s, p.cut = strings.ToValidUTF8(s[:max(0, room)], ""), true
	}
	p.out.WriteString(s)
}

// characters are the words that stand for one.
var characters = map[string]rune{
	"par": '\n', "line": '\n', "sect": '\n', "page": '\n', "row": '\n', "tab": '\t', "cell": '\t', "bullet": '•', "endash": '–', "emdash": '—',
	"lquote": '‘', "rquote": '’', "ldblquote": '“', "rdblquote": '”',
}

// notText are the destinations that hold something else, and do not say so with a star.
var notText = map[string]bool{
	"colortbl": true, "stylesheet": true, "info": true, "pict": true, "object": true, "header": true, "footer": true, "fldinst": true, "listtable": true,
}

// do obeys a control word.
func (p *rtfParser) do(word []byte, n int, given, star bool) {
	if r, ok := characters[string(word)]; ok {
		p.rune(r)
		return
	}
	switch string(word) {
	case "u":
		p.unicode(n)
	case "uc":
		p.now.uc = max(0, n)
	case "ansicpg":
		p.ansi = n
	case "f":
		p.flush()
		p.now.font = n
	case "fonttbl":
		p.now.skip, p.now.fonts = true, true
	case "fcharset":
		if page, ok := fontPages[n]; ok && p.now.fonts && len(p.fonts) < mostGroups {
			p.fonts[p.now.font] = page
		}
	case "fromhtml":
		p.html = true
	case "htmltag":
		p.flush()
		p.now.tag = true
	case "htmlrtf":
		p.flush()
		p.now.hidden = !given || n != 0
	case "bin":
		p.discard(max(0, n))
	default:
		if star || notText[string(word)] {
			p.flush()
			p.now.skip = true
		}
	}
}

// unicode takes a character that is given as a number of 16 bits, with a sign (RTF 1.9.1, Unicode RTF).
func (p *rtfParser) unicode(n int) {
	r := rune(uint16(n)) //nolint:gosec // the sign is to be lost
	p.pass = p.now.uc
	switch {
	case utf16.IsSurrogate(r) && p.high == 0:
		p.high = r
		return
	case utf16.IsSurrogate(r):
		r = utf16.DecodeRune(p.high, r)
	}
	p.high = 0
	if r != 0 {
		p.rune(r)
	}
}

// fontPages are the code pages of the character sets of fonts.
var fontPages = map[int]int{
	128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250,
}
