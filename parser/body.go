package parser

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// bodyParts are the leaves that a reader sees as the message itself, found by the rules of RFC 8621 section 4.1.4: within an
// alternative each form goes to its own list, elsewhere a part belongs to both.
type bodyParts struct {
	text, html []*Part
}

func findBodies(root *Part) bodyParts {
	text, html := &bodyList{}, &bodyList{}
	walkBodies(&Part{ContentType: "multipart/mixed", Parts: []*Part{root}}, false, text, html)
	return bodyParts{text: text.parts, html: html.parts}
}

// bodyList is one of the two lists; nil where a branch of an alternative has no part in it.
type bodyList struct{ parts []*Part }

func walkBodies(around *Part, inAlternative bool, text, html *bodyList) {
	textBefore, htmlBefore := text.len(), html.len()
	container, _ := around.multipart()
	inAlternative = inAlternative || container == "alternative"
	root := around.rootPart()
	for i, part := range around.Parts {
		if _, ok := part.multipart(); ok {
			walkBodies(part, inAlternative, text, html)
			continue
		}
		if notBody(part, container, around.leads(i, root)) != "" {
			continue
		}
		isHTML := part.ContentType == "text/html"
		switch {
		case container == "alternative" && isHTML:
			html.add(part)
			continue
		case container == "alternative":
			text.add(part)
			continue
		case inAlternative && isHTML:
			text = nil // this branch of the alternative is the HTML one
		case inAlternative:
			html = nil
		}
		text.add(part)
		html.add(part)
	}
	if container == "alternative" && text != nil && html != nil {
		switch {
		case text.len() == textBefore:
			text.parts = append(text.parts, html.parts[htmlBefore:]...)
		case html.len() == htmlBefore:
			html.parts = append(html.parts, text.parts[textBefore:]...)
		}
	}
}

func (l *bodyList) add(p *Part) {
	if l != nil {
		l.parts = append(l.parts, p)
	}
}

func (l *bodyList) len() int {
	if l == nil {
		return 0
	}
	return len(l.parts)
}

// rootPart is which of the parts the others belong to: in a multipart/related the one that its start parameter names, else the
// first (RFC 2387 section 3.2), else, where that is no text, the first text.
func (p *Part) rootPart() int {
	if p.ContentType != "multipart/related" || len(p.Parts) == 0 {
		return 0
	}
	if start := trimID(p.Params["start"]); start != "" {
		if i := slices.IndexFunc(p.Parts, func(child *Part) bool { return contentID(child.Headers) == start }); i >= 0 {
			return i
		}
	}
	shows := func(child *Part) bool {
		_, divided := child.multipart()
		return divided || child.isText() && child.Disposition != "attachment"
	}
	return max(0, slices.IndexFunc(p.Parts, shows))
}

// leads reports whether the i-th part is shown whatever its name: the first, or the root of a multipart/related, and of a
// multipart/alternative the first of its type.
func (p *Part) leads(i, root int) bool {
	if p.ContentType != "multipart/alternative" {
		return i == root
	}
	return !slices.ContainsFunc(p.Parts[:i], func(sibling *Part) bool { return sibling.ContentType == p.Parts[i].ContentType })
}

// notBody says what keeps a leaf from being a body, or "". A name makes an attachment of any but a part that leads.
func notBody(p *Part, container string, leads bool) string {
	switch {
	case !p.isText():
		return "it is neither text/plain nor text/html"
	case p.Disposition != "" && p.Disposition != "inline":
		return "its disposition is attachment"
	case p.unreadable():
		return "nobody knows its transfer encoding"
	case leads:
		return ""
	case container == "related":
		return "it is not the root of a multipart/related"
	case p.Filename != "":
		return "it has a file name and is not the first part"
	}
	return ""
}

// bodies fills Text, HTML and Attachments of a message and of those nested in it.
func (p *parsing) bodies(m *Message, src *source) error {
	found := findBodies(m.Root)
	used := map[*Part]bool{}
	if err := p.htmlBody(m, found, used, src); err != nil {
		return err
	}
	if err := p.textBody(m, found, used, src); err != nil {
		return err
	}
	if err := p.packedBodies(m, used, src); err != nil {
		return err
	}
	if err := p.attach(m, m.Root, used); err != nil {
		return err
	}
	m.markInline()
	return nil
}

// attach lists the leaves that are no body, in the order of the message.
func (p *parsing) attach(m *Message, part *Part, used map[*Part]bool) error {
	_, divided := part.multipart()
	divided = divided && len(part.Parts) > 0
	if !divided && !used[part] && !part.replaced {
		m.Attachments = append(m.Attachments, part)
		if part.Message != nil {
			return p.bodies(part.Message, nil)
		}
	}
	for _, child := range part.Parts {
		if err := p.attach(m, child, used); err != nil {
			return err
		}
	}
	return nil
}

// htmlBody joins the HTML parts.
func (p *parsing) htmlBody(m *Message, found bodyParts, used map[*Part]bool, src *source) error {
	var b bodyBuilder
	for _, part := range found.html {
		if part.ContentType != "text/html" {
			continue
		}
		used[part] = true
		if err := p.addBody(&b, part, src); err != nil {
			return err
		}
	}
	if b.parts > 0 && src != nil {
		m.HTML, m.HTMLCharset = b.text(), b.charset
	}
	return nil
}

// textBody joins the plain text parts. HTML that comes before the first of them, and has no plain text beside it, is
// turned into text; behind it, it stands in HTML only.
func (p *parsing) textBody(m *Message, found bodyParts, used map[*Part]bool, src *source) error {
	var b bodyBuilder
	plain := false
	for _, part := range found.text {
		isHTML := part.ContentType == "text/html"
		if isHTML && plain {
			continue
		}
		used[part] = true
		plain = plain || !isHTML
		if isHTML {
			m.TextFromHTML = src != nil
			if err := p.addHTMLAsText(&b, part, src); err != nil {
				return err
			}
			continue
		}
		if err := p.addBody(&b, part, src); err != nil {
			return err
		}
	}
	if src != nil && b.blank() && m.HTML != nil && len(found.text) > 0 {
		made, err := p.textOfHTML(found, src)
		if err != nil {
			return err
		}
		if !made.blank() {
			b, m.TextFromHTML = made, true
		}
	}
	if b.parts > 0 && src != nil {
		m.Text, m.TextCharset = b.text(), b.charset
	}
	return nil
}

// textOfHTML makes a text of the HTML parts: many mailers send an empty text beside them.
func (p *parsing) textOfHTML(found bodyParts, src *source) (bodyBuilder, error) {
	var b bodyBuilder
	for _, part := range found.html {
		if part.ContentType != "text/html" {
			continue
		}
		if err := p.addHTMLAsText(&b, part, src); err != nil {
			return b, err
		}
	}
	return b, nil
}

// bodyBuilder joins texts, each beginning on a line of its own.
type bodyBuilder struct {
	texts   []string
	size    int
	parts   int
	charset string // of the first
}

// add appends as much of a text as there is room for.
func (b *bodyBuilder) add(d decodedText, limit int) (cut bool) {
	if b.parts++; b.parts == 1 {
		b.charset = d.charset
	}
	if n := len(b.texts); n > 0 && !strings.HasSuffix(b.texts[n-1], "\n") && b.size < limit {
		b.texts = append(b.texts, "\n")
		b.size++
	}
	text, room := d.text, max(0, limit-b.size)
	if cut = len(text) > room; cut {
		for room > 0 && !utf8.RuneStart(text[room]) {
			room--
		}
		text = text[:room]
	}
	if text != "" {
		b.texts = append(b.texts, text)
		b.size += len(text)
	}
	return cut
}

func (b *bodyBuilder) blank() bool {
	for _, text := range b.texts {
		if strings.TrimSpace(text) != "" {
			return false
		}
	}
	return true
}

func (b *bodyBuilder) text() *string {
	text := strings.Join(b.texts, "")
	return &text
}

func (p *parsing) addBody(b *bodyBuilder, part *Part, src *source) error {
	d, err := p.decodeBody(part, src, p.lim.BodyBytes-b.size)
	if err == nil && b.add(d, p.lim.BodyBytes) {
		p.limit(LimitBodyBytes)
	}
	return err
}

// mostHTMLForText bounds the HTML that is turned into text, which is slower than all the rest of Parse.
const mostHTMLForText = 512 << 10

func (p *parsing) addHTMLAsText(b *bodyBuilder, part *Part, src *source) error {
	d, err := p.decodeBody(part, src, min(mostHTMLForText, p.lim.BodyBytes-b.size))
	if err != nil {
		return err
	}
	if d.text != "" {
		d.text = validText(textFromHTML(d.text))
	}
	if b.add(d, p.lim.BodyBytes) {
		p.limit(LimitBodyBytes)
	}
	return nil
}

// markInline marks the attachments whose content id the HTML refers to (RFC 2392). Every octet is looked at once: an id
// that no attachment has, or that does not end, is passed over whole and kept nowhere.
func (m *Message) markInline() {
	if m.HTML == nil {
		return
	}
	byID := map[string][]*Part{}
	for _, part := range m.Attachments {
		if part.ContentID != "" {
			byID[part.ContentID] = append(byID[part.ContentID], part)
		}
	}
	mark := func(id string) {
		for _, part := range byID[id] {
			part.Inline = true
		}
	}
	for rest := *m.HTML; len(byID) > 0; {
		head, after, ok := strings.Cut(rest, ":")
		if !ok {
			return
		}
		if !endsInCID(head) {
			rest = after
			continue
		}
		id := after[:min(len(after), longestMediaType)]
		rest = after[len(id):]
		if end := strings.IndexAny(id, "\"' \t\r\n)<>&"); end >= 0 {
			id, rest = id[:end], after[end:]
			mark(id)
			if plain, err := url.PathUnescape(id); err == nil && plain != id {
				mark(plain)
			}
		}
	}
}

// endsInCID reports whether the scheme of RFC 2392, in any case, stands at the end of s.
func endsInCID(s string) bool {
	const scheme = "cid"
	at := len(s) - len(scheme)
	return at >= 0 && strings.EqualFold(s[at:], scheme) && (at == 0 || !isAlphanumeric(rune(s[at-1])))
}
