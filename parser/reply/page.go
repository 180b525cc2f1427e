package reply

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	mostHTML   = 1 << 20 // octets of a document that is cut
	mostDepth  = 500     // open elements
	mostTokens = 100_000
)

// token is a piece of an HTML document, and what a reader sees of it.
type token struct {
	start, end int32 // in the document
	line       int32 // the line that it stands on, or before
	until      int32 // of a start tag: the first token behind its element; else 0
	kind       tokenKind
}

type tokenKind uint8

const (
	unseen   tokenKind = iota // a comment, a declaration, the text of a style
	shown                     // text
	space                     // white space, a line break
	picture                   // an image, a rule, a field of a form
	startTag                  // of an element that has an end
	endTag
)

// page is an HTML document while it is read: its tokens, and its text as lines.
type page struct {
	source string
	tokens []token
	doc    document
	text   strings.Builder
	line   []byte // being written
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
	name  string // of a tag that has no atom
	token int32
	quote bool
	hint  role // before it
}

// readPage reads a document. It returns nil when that is too large or too deep.
func readPage(source string) *page {
	if len(source) > mostHTML {
		return nil
	}
	const usualToken, usualLine = 24, 100 // octets
	p := &page{source: source, tokens: make([]token, 0, len(source)/usualToken+1)}
	p.doc.lines = make([]line, 0, len(source)/usualLine+1)
	p.text.Grow(len(source) / 2)
	z := html.NewTokenizer(strings.NewReader(source))
	at := 0
	for {
		kind := z.Next()
		start := at
		at += len(z.Raw())
		if kind == html.ErrorToken {
			break
		}
		p.tokens = append(p.tokens, token{start: int32(start), end: int32(at), line: int32(len(p.doc.lines))})
		if !p.read(z, kind) || len(p.doc.lines) > mostLines || len(p.tokens) > mostTokens {
			return nil
		}
	}
	p.flush()
	for len(p.open) > 0 {
		p.pop(int32(len(p.tokens)))
	}
	p.doc.text = p.text.String()
	if at != len(source) {
		return nil // a token was lost, so the offsets cannot be trusted
	}
	return p
}

// read takes the newest token in. It returns false when the document is too deep.
func (p *page) read(z *html.Tokenizer, kind html.TokenType) bool {
	t := &p.tokens[len(p.tokens)-1]
	switch kind {
	case html.TextToken:
		p.readText(t)
	case html.StartTagToken, html.SelfClosingTagToken:
		name, more := z.TagName()
		tag := atom.Lookup(name)
		if p.readVoid(t, tag, z, more) {
			return true
		}
		if len(p.open) == mostDepth {
			return false
		}
		p.start(t, tag, name, z, more)
	case html.EndTagToken:
		name, _ := z.TagName()
		p.end(t, atom.Lookup(name), name)
	}
	return true
}

func (p *page) readText(t *token) {
	if p.hidden != 0 {
		return
	}
	text := html.UnescapeString(p.source[t.start:t.end])
	t.kind = space
	if strings.TrimSpace(text) != "" {
		t.kind = shown
		p.beforeText(t)
	}
	if p.pre == 0 {
		p.fold(text)
		return
	}
	p.readPre(t, text)
}

// beforeText puts the empty line between two paragraphs.
func (p *page) beforeText(t *token) {
	if p.gap && len(bytes.TrimSpace(p.line)) == 0 {
		p.line = p.line[:0]
		if len(p.doc.lines) > 0 {
			p.newLine()
		}
	}
	p.gap = false
	t.line = int32(len(p.doc.lines))
}

// fold writes text with its white space folded.
func (p *page) fold(text string) {
	for i := range len(text) {
		c := text[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' {
			if n := len(p.line); n > 0 && p.line[n-1] != ' ' {
				p.line = append(p.line, ' ')
			}
			continue
		}
		p.line = append(p.line, c)
	}
}

// readPre makes a token of every line of a text that keeps its white space.
func (p *page) readPre(t *token, text string) {
	whole := *t
	raw := p.source[whole.start:whole.end]
	if strings.Count(raw, "\n") != strings.Count(text, "\n") {
		p.fold(text) // a line end was written as a character reference
		return
	}
	p.tokens = p.tokens[:len(p.tokens)-1]
	for len(raw) > 0 {
		n := strings.IndexByte(raw, '\n') + 1
		if n == 0 {
			n = len(raw)
		}
		k := strings.IndexByte(text, '\n')
		piece := token{start: whole.start, end: whole.start + int32(n), line: int32(len(p.doc.lines)), kind: space}
		line := text
		if k >= 0 {
			line, text = text[:k], text[k+1:]
		}
		if strings.TrimSpace(line) != "" {
			piece.kind = shown
		}
		p.tokens = append(p.tokens, piece)
		p.line = append(p.line, line...)
		if k >= 0 {
			p.newLine()
		}
		whole.start += int32(n)
		raw = raw[n:]
	}
}

// newLine ends the line that is being written.
func (p *page) newLine() {
	start := p.text.Len()
	p.text.Write(p.line)
	p.text.WriteByte('\n')
	l := readLine(p.text.String()[start:p.text.Len()-1], start)
	p.line = p.line[:0]
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
	if len(bytes.TrimSpace(p.line)) == 0 {
		p.line = p.line[:0]
		return
	}
	p.newLine()
}
