package parser

// The words of [Reading.As].
const (
	AsMultipart  = "multipart"  // holds other parts
	AsBody       = "body"       // is in Text or HTML
	AsAttachment = "attachment" // is in Attachments of the message that it lies in
	AsUnpacked   = "unpacked"   // everything in it is listed instead of it
)

// Reading says what became of a part, for people who wonder.
type Reading struct {
	Part  *Part
	Depth int    // of the part in the tree, nested messages included; 0 is the message itself
	As    string // one of the As constants; the list may grow
	Why   string // a short explanation, may change
}

// Explain lists all parts of a message in their order, those of nested messages and what was unpacked included, and says of each
// why it is what it is. The work is linear in the number of parts.
func (m *Message) Explain() []Reading {
	e := explaining{attached: map[*Part]bool{}}
	e.message(m, 0)
	return e.list
}

// explaining is the state of one Explain.
type explaining struct {
	list     []Reading
	attached map[*Part]bool
}

func (e *explaining) message(m *Message, depth int) {
	for _, p := range m.Attachments {
		e.attached[p] = true
	}
	e.part(m.Root, place{container: "mixed", leads: true, depth: depth})
}

// place is where a part stands.
type place struct {
	container string // subtype of the multipart around it
	leads     bool   // see [Part.leads]
	depth     int
}

func (e *explaining) part(p *Part, at place) {
	r := Reading{Part: p, Depth: at.depth}
	subtype, isMultipart := p.multipart()
	switch {
	case isMultipart && len(p.Parts) > 0:
		r.As, r.Why = AsMultipart, "its boundary divides it"
	case p.replaced:
		r.As, r.Why = AsUnpacked, "everything in it is listed by itself"
	case e.attached[p]:
		r.As, r.Why = AsAttachment, whyAttached(p, at)
	default:
		r.As, r.Why = AsBody, whyBody(p, at)
	}
	e.list = append(e.list, r)
	root := p.rootPart()
	for i, child := range p.Parts {
		e.part(child, place{container: subtype, leads: p.leads(i, root), depth: at.depth + 1})
	}
	if p.Message != nil {
		e.message(p.Message, at.depth+1)
	}
}

func whyAttached(p *Part, at place) string {
	why := notBody(p, at.container, at.leads)
	switch {
	case p.within != nil:
		why = "it was unpacked from the part around it"
	case why == "":
		why = "the message has its text elsewhere"
	}
	if p.Inline {
		why += "; the html shows it by its Content-ID"
	}
	return why
}

func whyBody(p *Part, at place) string {
	switch {
	case p.within != nil:
		return "it is the text of a winmail.dat, and the message has no other"
	case at.container == "alternative":
		return "it is one form of a multipart/alternative"
	case at.container == "related":
		return "it is the root of a multipart/related"
	case at.leads && p.Filename != "":
		return "it is the first part, so that its name does not count"
	}
	return "it is a text to be shown"
}
