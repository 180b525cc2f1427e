package reply

import "strings"

// CutHTML cuts what the author wrote out of an HTML document: the same document, without the elements that hold only what
// others wrote, signatures and disclaimers. The cut is empty where there is nothing to cut, where nothing would be left, and where
// the document is tooLarge to be looked at: larger than 1 MiB, of more than 100,000 tags and texts or 50,000 lines, or nested deeper
// than 500 elements. It judges the lines that a reader sees by the rules of [Split], and the marks that mail programs leave in
// the markup. It is linear in the document.
func CutHTML(document string) (cut string, tooLarge bool) {
	p := readPage(document)
	if p == nil {
		return "", true
	}
	p.doc.judge()
	kept, others := false, false
	for i := range p.doc.lines {
		switch l := &p.doc.lines[i]; {
		case l.blank():
		case l.is == own:
			kept = kept || l.text != ""
		default:
			others = true
		}
	}
	if !kept || !others {
		return "", false
	}
	return p.write(), false
}

// write puts the tokens out that are the author's. An element goes where nothing within is his and something is not, or where it
// stands among other people's words.
func (p *page) write() string {
	p.markDropped()
	size := int32(0)
	p.pieces(func(start, end int32) { size += end - start })
	var out strings.Builder
	out.Grow(int(size))
	held := "" // signs that the last piece ended with
	p.pieces(func(start, end int32) {
		piece := strings.TrimRight(p.source[start:end], "<")
		signs := p.source[start+int32(len(piece)) : end]
		if piece == "" {
			held += signs
			return
		}
		if !beginsTag(piece) {
			out.WriteString(held)
		}
		out.WriteString(piece)
		held = signs
	})
	out.WriteString(held)
	return out.String()
}

// beginsTag reports whether a text would be a tag, a comment or the like behind a "<" that stood apart from it.
func beginsTag(text string) bool {
	return text != "" && (text[0]|0x20 >= 'a' && text[0]|0x20 <= 'z' || strings.IndexByte("/!?", text[0]) >= 0)
}

// pieces gives the pieces of the document that are the author's, in their order.
func (p *page) pieces(keep func(start, end int32)) {
	for i := 0; i < len(p.tokens); {
		if next := p.behindDropped(i); next > i {
			i = next
			continue
		}
		start := p.tokens[i].start
		for i++; i < len(p.tokens) && p.behindDropped(i) == i; i++ {
		}
		keep(start, p.endOf(i-1))
	}
}

// behindDropped is the first token behind what goes with the token i; i itself where that stays.
func (p *page) behindDropped(i int) int {
	switch t := &p.tokens[i]; {
	case t.kind == droppedTag:
		return int(t.until)
	case t.isSeen() && !p.isOwn(t):
		return i + 1
	}
	return i
}

// markDropped finds the elements that go. From the end on it remembers where the next token that a reader sees stands, the
// author's and another's.
func (p *page) markDropped() {
	nextOwn, nextOther := len(p.tokens), len(p.tokens)
	for i := len(p.tokens) - 1; i >= 0; i-- {
		t := &p.tokens[i]
		until := int(t.until)
		switch isOwn := p.isOwn(t); {
		case (t.kind == shown || t.kind == picture) && isOwn:
			nextOwn = i
		case t.kind == shown || t.kind == picture:
			nextOther = i
		case t.kind == startTag && until > i && nextOwn >= until && (nextOther < until || !isOwn):
			t.kind = droppedTag
		}
	}
}

func (t *token) isSeen() bool { return t.kind == shown || t.kind == space || t.kind == picture }

// isOwn says whether a token stands on a line of the author's.
func (p *page) isOwn(t *token) bool {
	return int(t.line) >= len(p.doc.lines) || p.doc.lines[t.line].is == own
}
