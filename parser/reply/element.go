package reply

import (
	"html"
	"strings"

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
func (p *page) readVoid(t *token, s *scanner) bool {
	switch s.tag {
	case atom.Br:
		t.kind = space
		p.gap = false
		p.newLine()
	case atom.Hr:
		t.kind = picture
		p.flush()
		if m, _ := s.marks(); m == marksRest {
			p.rest = true
		}
		t.line = uint16(len(p.doc.lines))
		p.line.add("----")
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
func (p *page) start(t *token, s *scanner) {
	tag := s.tag
	t.kind = startTag
	if p.hidden != 0 {
		return // a tag within a style or title is its text
	}
	e := element{tag: tag, name: s.name, token: int32(len(p.tokens) - 1), hint: p.hint}
	if endsLine(tag) {
		p.flush()
		t.line = uint16(len(p.doc.lines))
		p.gap = p.gap || isParagraph(tag)
	}
	mark, indented := s.marks()
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

// close takes in an end tag. It ends the nearest element of its name, and those within.
func (p *page) close(t *token, s *scanner) {
	tag := s.tag
	t.kind = endTag
	if p.hidden != 0 && tag != p.hidden {
		return
	}
	for i := len(p.open) - 1; i >= 0; i-- {
		if e := &p.open[i]; e.tag != tag || tag == 0 && !strings.EqualFold(e.name, s.name) {
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

// marks reads what the attributes of the tag say. indented: a blockquote that is no quote, but text moved to the right.
func (s *scanner) marks() (mark markup, indented bool) {
	named := false
	for _, a := range s.attributes[:s.count] {
		switch {
		case isAttribute(a, "class"), isAttribute(a, "id"), isAttribute(a, "name"):
			for name := range strings.FieldsSeq(unescape(a.value)) {
				named = true
				if m := markOf(name); m != marksNothing {
					mark = m
				}
			}
		case isAttribute(a, "type"), isAttribute(a, "cite"):
			named = true
		case isAttribute(a, "data-signatureblock"):
			mark = marksSignature
		case isAttribute(a, "style") && (s.tag == atom.Div || s.tag == atom.Blockquote):
			rest, moved := readStyle(unescape(a.value))
			if s.tag == atom.Div && rest {
				mark = marksRest
			}
			indented = s.tag == atom.Blockquote && moved
		}
	}
	return mark, indented && !named
}

func isAttribute(a attribute, name string) bool {
	return len(a.name) == len(name) && strings.EqualFold(a.name, name)
}

// unescape is html.UnescapeString, which no value of most needs.
func unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	return html.UnescapeString(s)
}

// longestMark is longer than any class or id in htmlMarks.
const longestMark = 64

// markOf looks a class or id up, in any case, and without what Outlook.com puts before it.
func markOf(name string) markup {
	name = strings.TrimPrefix(name, "ecx")
	if len(name) > longestMark {
		return marksNothing
	}
	var lower [longestMark]byte
	return htmlMarkIndex[string(appendLower(lower[:0], name))]
}

// readStyle says whether a style draws the line above the header block of Outlook, and whether it takes the border of a
// blockquote away.
func readStyle(style string) (rest, borderless bool) {
	if !strings.Contains(style, "order") { // of nearly all
		return false, false
	}
	style = strings.ToLower(strings.Join(strings.Fields(style), ""))
	return containsAny(style, htmlStyles), strings.Contains(style, "border:none")
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
