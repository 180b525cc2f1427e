package reply

import "strings"

// CutHTML cuts what the author wrote out of an HTML document: the same document, without the elements that hold only what
// others wrote, signatures and disclaimers. It returns false where there is nothing to cut, where nothing would be left, and where
// the document is larger than 1 MiB, has more than 100,000 tags and texts, or is nested deeper than 500 elements. It judges the lines that a reader sees by the
// rules of [Split], and the marks that mail programs leave in the markup. It is linear in the document.
func CutHTML(document string) (string, bool) {
	p := readPage(document)
	if p == nil {
		return "", false
	}
	p.doc.judge()
	kept, cut := false, false
	for i := range p.doc.lines {
		switch l := &p.doc.lines[i]; {
		case l.blank():
		case l.is == own:
			kept = kept || l.text != ""
		default:
			cut = true
		}
	}
	if !kept || !cut {
		return "", false
	}
	return p.write(), true
}

// write puts the tokens out that are the author's. An element goes where nothing within is his and something is not, or where it
// stands among other people's words.
func (p *page) write() string {
	counts := p.count()
	var out strings.Builder
	out.Grow(len(p.source))
	for i := 0; i < len(p.tokens); i++ {
		t := &p.tokens[i]
		if t.kind == startTag && int(t.until) > i {
			within := counts[t.until].minus(counts[i])
			if within.own == 0 && (within.others > 0 || !p.isOwn(t)) {
				i = int(t.until) - 1
				continue
			}
		}
		if t.isSeen() && !p.isOwn(t) {
			continue
		}
		out.WriteString(p.source[t.start:t.end])
	}
	return out.String()
}

func (t *token) isSeen() bool { return t.kind == shown || t.kind == space || t.kind == picture }

// tally counts tokens that a reader sees, white space aside.
type tally struct{ own, others int32 }

func (t tally) minus(u tally) tally { return tally{t.own - u.own, t.others - u.others} }

// count counts what stands before each token.
func (p *page) count() []tally {
	counts := make([]tally, len(p.tokens)+1)
	for i := range p.tokens {
		t := &p.tokens[i]
		n := counts[i]
		switch {
		case t.kind != shown && t.kind != picture:
		case p.isOwn(t):
			n.own++
		default:
			n.others++
		}
		counts[i+1] = n
	}
	return counts
}

// isOwn says whether a token stands on a line of the author's.
func (p *page) isOwn(t *token) bool {
	return int(t.line) >= len(p.doc.lines) || p.doc.lines[t.line].is == own
}
