package reply

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

var htmlMarkIndex = indexHTMLMarks()

func indexHTMLMarks() map[string]markup {
	index := map[string]markup{}
	for _, m := range htmlMarks {
		for _, name := range m.names {
			index[strings.ToLower(name)] = m.marks
		}
	}
	return index
}

// readVoid takes in a tag of an element without content.
func (p *page) readVoid(t *token, tag atom.Atom, z *html.Tokenizer, more bool) bool {
	switch tag {
	case atom.Br:
		t.kind = space
		p.gap = false
		p.newLine()
	case atom.Hr:
		t.kind = picture
		p.flush()
		if m, _ := p.marks(tag, z, more); m == marksRest {
			p.rest = true
		}
		t.line = int32(len(p.doc.lines))
		p.line = append(p.line, "----"...)
		p.newLine()
	case atom.Img, atom.Input, atom.Embed:
		t.kind = picture
	case atom.Meta, atom.Link, atom.Base, atom.Col, atom.Area, atom.Param, atom.Source, atom.Track, atom.Wbr:
	default:
		return false
	}
	return true
}

// start takes in a start tag.
func (p *page) start(t *token, tag atom.Atom, name []byte, z *html.Tokenizer, more bool) {
	t.kind = startTag
	if p.hidden != 0 {
		return // a tag within a style or title is its text
	}
	e := element{tag: tag, token: int32(len(p.tokens) - 1), hint: p.hint}
	if tag == 0 {
		e.name = string(name)
	}
	if endsLine(tag) {
		p.flush()
		t.line = int32(len(p.doc.lines))
		p.gap = p.gap || isParagraph(tag)
	}
	mark, indented := p.marks(tag, z, more)
	switch {
	case mark == marksRest:
		p.flush()
		p.rest = true
	case mark == marksQuote || tag == atom.Blockquote && !indented:
		p.flush()
		e.quote = true
		p.quotes++
	case mark == marksAttribution:
		p.flush()
		p.hint = attribution
	case mark == marksSignature:
		p.flush()
		p.hint = signature
	}
	switch tag {
	case atom.Pre, atom.Textarea:
		p.pre++
	case atom.Style, atom.Script, atom.Title, atom.Template, atom.Noscript:
		p.hidden = tag
	}
	p.open = append(p.open, e)
}

// end takes in an end tag. It ends the nearest element of its name, and those within.
func (p *page) end(t *token, tag atom.Atom, name []byte) {
	t.kind = endTag
	if p.hidden != 0 && tag != p.hidden {
		return
	}
	for i := len(p.open) - 1; i >= 0; i-- {
		if e := &p.open[i]; e.tag != tag || tag == 0 && e.name != string(name) {
			continue
		}
		if endsLine(tag) {
			p.flush()
			p.gap = p.gap || isParagraph(tag)
		}
		for len(p.open) > i+1 {
			p.pop(int32(len(p.tokens) - 1))
		}
		p.pop(int32(len(p.tokens)))
		return
	}
}

// pop ends the innermost element before the token until.
func (p *page) pop(until int32) {
	e := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	p.tokens[e.token].until = until
	if e.quote || p.hint != e.hint {
		p.flush()
	}
	if e.quote {
		p.quotes--
	}
	p.hint = e.hint
	switch e.tag {
	case atom.Pre, atom.Textarea:
		p.pre--
	case p.hidden:
		p.hidden = 0
	}
}

// marks reads what the attributes of an element say. indented: a blockquote that is no quote, but text moved to the right.
func (p *page) marks(tag atom.Atom, z *html.Tokenizer, more bool) (mark markup, indented bool) {
	named := false
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "class", "id", "name":
			for name := range strings.FieldsSeq(string(value)) {
				named = true
				if m := htmlMarkIndex[strings.ToLower(strings.TrimPrefix(name, "ecx"))]; m != marksNothing {
					mark = m
				}
			}
		case "type", "cite":
			named = true
		case "data-signatureblock":
			mark = marksSignature
		case "style":
			if tag != atom.Div && tag != atom.Blockquote {
				continue
			}
			style := strings.ToLower(strings.Join(strings.Fields(string(value)), ""))
			if tag == atom.Div && containsAny(style, htmlStyles) {
				mark = marksRest
			}
			indented = tag == atom.Blockquote && strings.Contains(style, "border:none")
		}
	}
	return mark, indented && !named
}

// endsLine tells the elements that begin and end on a line of their own.
func endsLine(tag atom.Atom) bool {
	switch tag {
	case atom.Div, atom.Tr, atom.Table, atom.Li, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Center, atom.Address, atom.Dt, atom.Dd,
		atom.Form, atom.Fieldset, atom.Main, atom.Nav, atom.Aside, atom.Figure, atom.Caption, atom.Body, atom.Html, atom.Blockquote, atom.Pre:
		return true
	}
	return isParagraph(tag)
}

// isParagraph tells the elements with empty lines around them.
func isParagraph(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Dl:
		return true
	}
	return false
}
