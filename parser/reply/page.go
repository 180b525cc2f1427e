package reply

import (
	"html"
	"strings"

	"golang.org/x/net/html/atom"
)

const (
	mostHTML   = 1 << 20 // octets of a document that is cut
	mostDepth  = 500     // open elements
	mostTokens = 100_000
	usualDepth = 16
)

// token is a piece of an HTML document, and what a reader sees of it. It ends where the next one begins.
type token struct {
	start int32  // in the document
	until int32  // of a start tag: the first token behind its element; else 0
	line  uint16 // the line that it stands on, or before; mostLines is less than 1<<16
	kind  tokenKind
}

type tokenKind uint8

const (
	unseen   tokenKind = iota // a comment, a declaration, the text of a style
	shown                     // text
	space                     // white space, a line break
	picture                   // an image, a rule, a field of a form
	startTag                  // of an element that has an end
	endTag
	droppedTag // a start tag whose element goes
)

// page is an HTML document while it is read: its tokens, and its text as lines.
type page struct {
	source string
	tokens []token
	end    int32 // of the last token
	doc    document
	line   lineText // being written
	open   []element
	quotes int       // elements around that hold a quote
	hint   role      // of the elements around
	rest   bool      // from here on all is a quote
	pre    int       // elements around that keep white space
	hidden atom.Atom // the element whose text is not shown
	gap    bool      // an empty line comes before the next text
}

// element is an element that has not ended.
type element struct {
	tag   atom.Atom
	name  string // as it was written
	token int32
	quote bool
	hint  role // before it
}

// readPage reads a document. It returns nil when that is too large or too deep.
func readPage(source string) *page {
	if len(source) > mostHTML {
		return nil
	}
	tags := strings.Count(source, "<")
	p := &page{source: source, tokens: make([]token, 0, min(2*tags+2, mostTokens)), open: make([]element, 0, usualDepth)}
	p.doc.lines = make([]line, 0, min(tags+2, mostLines))
	s := scanner{source: source}
	for {
		start := s.at
		kind := s.next()
		if kind == pieceNone {
			break
		}
		p.end = int32(s.at)
		p.tokens = append(p.tokens, token{start: int32(start), line: uint16(len(p.doc.lines))})
		if !p.read(&s, kind) || len(p.doc.lines) > mostLines || len(p.tokens) > mostTokens {
			return nil
		}
	}
	p.flush()
	for len(p.open) > 0 {
		p.pop(int32(len(p.tokens)))
	}
	return p
}

// endOf is where a token ends in the document.
func (p *page) endOf(i int) int32 {
	if i+1 < len(p.tokens) {
		return p.tokens[i+1].start
	}
	return p.end
}

// read takes the newest token in. It returns false when the document is too deep.
func (p *page) read(s *scanner, kind piece) bool {
	t := &p.tokens[len(p.tokens)-1]
	switch kind {
	case pieceText:
		p.readText(t)
	case pieceStart:
		if p.readVoid(t, s) {
			return true
		}
		if len(p.open) == mostDepth {
			return false
		}
		p.start(t, s)
	case pieceEnd:
		p.close(t, s)
	}
	return true
}

func (p *page) readText(t *token) {
	if p.hidden != 0 {
		return
	}
	text := html.UnescapeString(p.source[t.start:p.end])
	t.kind = space
	if strings.TrimSpace(text) != "" {
		t.kind = shown
		p.beforeText(t)
	}
	if p.pre == 0 {
		p.line.fold(text)
		return
	}
	p.readPre(t, text)
}

// beforeText puts the empty line between two paragraphs.
func (p *page) beforeText(t *token) {
	if p.gap && p.line.blank() {
		p.line.reset()
		if len(p.doc.lines) > 0 {
			p.newLine()
		}
	}
	p.gap = false
	t.line = uint16(len(p.doc.lines))
}

// readPre makes a token of every line of a text that keeps its white space.
func (p *page) readPre(t *token, text string) {
	whole := *t
	raw := p.source[whole.start:p.end]
	if strings.Count(raw, "\n") != strings.Count(text, "\n") {
		p.line.fold(text) // a line end was written as a character reference
		return
	}
	p.tokens = p.tokens[:len(p.tokens)-1]
	for len(raw) > 0 {
		n := strings.IndexByte(raw, '\n') + 1
		if n == 0 {
			n = len(raw)
		}
		k := strings.IndexByte(text, '\n')
		piece := token{start: whole.start, line: uint16(len(p.doc.lines)), kind: space}
		line := text
		if k >= 0 {
			line, text = text[:k], text[k+1:]
		}
		if strings.TrimSpace(line) != "" {
			piece.kind = shown
		}
		p.tokens = append(p.tokens, piece)
		p.line.add(line)
		if k >= 0 {
			p.newLine()
		}
		whole.start += int32(n)
		raw = raw[n:]
	}
}

// newLine ends the line that is being written.
func (p *page) newLine() {
	l := readLine(p.line.take(), 0)
	l.quoted = l.quoted || p.quotes > 0 || p.rest
	l.hint = p.hint
	if l.text == "" {
		l.hint = own
		l.quoted = l.quoted && p.quotes == 0 && !p.rest
	}
	p.doc.lines = append(p.doc.lines, l)
}

// flush ends a line that has something on it.
func (p *page) flush() {
	if p.line.blank() {
		p.line.reset()
		return
	}
	p.newLine()
}
