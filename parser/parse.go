package parser

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// Parse reads the message in the first size octets of r. The error is of reading r only; whatever the octets say gives
// a Message. Small messages are held in memory once, [Octets] where they lie; of large ones only headers and the text of the
// bodies are. r must stay readable for [Part.Open]; Parse itself keeps nothing running.
//
// Parse takes no context: [Limits] bound its work to a fraction of what a deadline would allow, and reading is all that it can
// wait for. Who must be able to end it gives it an r that fails from then on; Parse returns that error at its next read.
func Parse(r io.ReaderAt, size int64, lim Limits) (*Message, error) {
	window := windowSize
	if size <= wholeSize {
		window = int(size)
	}
	return parse(newSource(r, size, window), lim)
}

// parse is Parse of a source whose window may be of any size: what comes of it is the same.
func parse(src *source, lim Limits) (*Message, error) {
	p := &parsing{lim: lim.withDefaults()}
	p.headerBudget = 4 * p.lim.HeaderBytes
	p.decodeBudget = mostEncoded
	m := &Message{}
	p.top = m
	p.root(&scanner{source: src}, m, "", 0)
	src.skipAll() // a limit may have ended the scan, but line ends are counted in the whole message
	p.lineEnds(src.seen)
	if src.err != nil {
		return nil, src.err
	}
	if err := p.unpack(m.Root); err != nil {
		return nil, err
	}
	if err := p.bodies(m, src); err != nil {
		return nil, err
	}
	if m.cutReply() {
		p.limit(LimitReply)
	}
	m.Protection = protectionOf(m)
	if err := p.invitations(m, src); err != nil {
		return nil, err
	}
	judge(m, false)
	return m, nil
}

// parsing is the state of one Parse.
type parsing struct {
	lim          Limits
	top          *Message
	buffer       []byte // see scratch
	parts        int
	headerBudget int       // octets of header that may still be kept
	decodeBudget int       // octets of encoded containers that may still be held in memory
	detections   int       // of charsets
	stopped      bool      // a limit ended the scan
	packed       bodyParts // the texts that a winmail.dat holds
	packedRTF    *Part     // likewise; nil if there is none
}

func (p *parsing) limit(word string) {
	if !slices.Contains(p.top.LimitsHit, word) {
		p.top.LimitsHit = append(p.top.LimitsHit, word)
	}
}

// defect notes a defect once for each part.
func (p *parsing) defect(code, part, detail string) {
	for _, d := range p.top.Defects {
		if d.Code == code && d.Part == part {
			return
		}
	}
	if len(p.top.Defects) == maxDefects {
		p.limit(LimitDefects)
		return
	}
	if detail == "" {
		detail = explain(code)
	}
	p.top.Defects = append(p.top.Defects, Defect{Code: code, Part: part, Detail: detail})
}

func (p *parsing) lineEnds(o octets) {
	for _, c := range []struct {
		code, what string
		n          int
	}{{DefectNUL, "NUL octet", o.nul}, {DefectBareCR, "CR without LF", o.cr - o.crlf}, {DefectBareLF, "LF without CR", o.lf - o.crlf}} {
		if c.n > 0 {
			p.defect(c.code, "", plural(c.n, c.what))
		}
	}
}

// root reads a message: the outer one, or one within a part numbered container.
func (p *parsing) root(s *scanner, m *Message, container string, depth int) delimiter {
	part, ok := p.newPart(s)
	if !ok {
		part = &Part{ContentType: "text/plain", ID: partID(container, 1), source: s.r, Offset: s.pos()}
	}
	m.Root = part
	if !ok {
		return delimiter{level: endOfMessage, end: s.pos()}
	}
	e := entity{part: part, container: container, root: true, depth: depth}
	d := p.entity(s, e)
	m.Headers = part.Headers
	p.summarise(m)
	return d
}

// newPart counts a part. It returns false, and ends the scan, when there are too many or no more header may be kept.
func (p *parsing) newPart(s *scanner) (*Part, bool) {
	switch {
	case p.parts >= p.lim.Parts:
		p.limit(LimitParts)
	case p.headerBudget <= 0:
		p.limit(LimitHeaderBytes)
	default:
		p.parts++
		return &Part{source: s.r}, true
	}
	p.stopped = true
	return nil, false
}

// entity is a part about to be read, and where it stands.
type entity struct {
	part      *Part
	container string // ID of what it lies in
	number    int    // among the parts of that
	root      bool   // of a message
	digest    bool   // within a multipart/digest
	depth     int
}

// entity reads header and body of a part and everything in it, and returns the delimiter that ended it.
func (p *parsing) entity(s *scanner, e entity) delimiter {
	part := e.part
	block := s.readHeader(min(p.lim.HeaderBytes, p.headerBudget))
	p.headerBudget -= len(block.text)
	if block.truncated && p.headerBudget < p.lim.HeaderBytes {
		p.headerBudget = 0
	}
	headers, more, damage := block.fields(p.lim.HeaderCount)
	if damage.eightBit {
		if block.charset = ownCharset(headers); block.charset != "" {
			headers, more, damage = block.fields(p.lim.HeaderCount)
		}
	}
	part.Headers = headers
	part.Offset = s.pos()
	boundary := p.typeOf(e)
	_, isMultipart := part.multipart()
	switch {
	case e.root && isMultipart:
		part.ID = e.container
	case e.root:
		part.ID = partID(e.container, 1)
	default:
		part.ID = partID(e.container, e.number)
	}
	p.headerDefects(part.ID, block, more, damage)

	encoded := part.Encoding == "base64" || part.Encoding == "quoted-printable"
	switch {
	case (isMultipart || part.isMessage()) && e.depth >= p.lim.Depth:
		p.limit(LimitDepth)
	case isMultipart:
		return p.multipart(s, e, boundary, encoded)
	case part.isMessage() && encoded:
		d := p.leaf(s, part)
		p.encodedContainer(part, e.depth, nil)
		return d
	case part.isMessage():
		part.Message = &Message{}
		d := p.root(s, part.Message, part.ID, e.depth+1)
		part.Length = max(0, d.end-part.Offset)
		p.readLeaf(part)
		return d
	}
	return p.leaf(s, part)
}

func (p *parsing) headerDefects(id string, block headerBlock, more bool, damage headerDamage) {
	for _, code := range block.defects {
		p.defect(code, id, "")
	}
	if block.truncated {
		p.limit(LimitHeaderBytes)
	}
	if more {
		p.limit(LimitHeaderCount)
	}
	if damage.eightBit {
		p.defect(DefectHeader8Bit, id, "")
	}
	if damage.word {
		p.defect(DefectEncodedWord, id, "")
	}
	if damage.words {
		p.limit(LimitEncodedWords)
	}
}

// typeOf sets ContentType and Encoding, and returns the boundary if there is one.
func (p *parsing) typeOf(e entity) (boundary string) {
	part := e.part
	field, _ := first(part.Headers, "Content-Type")
	head, params, more := cutMediaType(field.Raw)
	if more {
		p.limit(LimitParameters)
	}
	var ok bool
	part.ContentType, ok = mediaType(head)
	switch {
	case !ok && field.Raw == "" && e.digest:
		part.ContentType = "message/rfc822" // RFC 2046 section 5.1.5
	case !ok:
		part.ContentType = "text/plain"
	}
	if encoding, found := first(part.Headers, "Content-Transfer-Encoding"); found {
		part.Encoding, _ = transferEncoding(encoding.Value)
	}
	if _, is := part.multipart(); is {
		part.Params = make(map[string]string, len(params))
		for _, param := range params {
			if text, ok := lookParameter(params, param.name); ok && part.Params[param.name] == "" {
				part.Params[cleanText(param.name)] = text
			}
		}
		for _, param := range params {
			if param.name == "boundary" {
				return strings.TrimRight(param.value, " \t")
			}
		}
		boundary, _ = lookParameter(params, "boundary")
	}
	return boundary
}

// leaf reads a part that is not divided further here.
func (p *parsing) leaf(s *scanner, part *Part) delimiter {
	d := s.toDelimiter()
	part.Length = max(0, d.end-part.Offset)
	p.finishLeaf(part)
	return d
}

// finishLeaf reads the fields that a leaf has and a container has not.
func (p *parsing) finishLeaf(part *Part) {
	p.readLeaf(part)
	if field, ok := first(part.Headers, "Content-Type"); ok {
		if head, _, _ := cutMediaType(field.Raw); head != "" {
			if _, ok := mediaType(head); !ok {
				p.defect(DefectContentType, part.ID, "")
			}
		}
	}
	if field, ok := first(part.Headers, "Content-Transfer-Encoding"); ok {
		if _, known := transferEncoding(field.Value); !known {
			p.defect(DefectEncodingUnknown, part.ID, "")
		}
	}
}

func (p *parsing) readLeaf(part *Part) {
	if readLeaf(part) {
		p.limit(LimitParameters)
	}
	part.ContentID = contentID(part.Headers)
}

// multipart reads the parts of a multipart (RFC 2046 section 5.1). One that cannot be divided is read as a text.
func (p *parsing) multipart(s *scanner, e entity, boundary string, encoded bool) delimiter {
	part := e.part
	switch {
	case boundary == "":
		return p.undivided(s, e, DefectBoundaryMissing)
	case len(boundary) > p.lim.Boundary:
		p.limit(LimitBoundary)
		return p.undivided(s, e, "")
	}
	level := s.push(boundary)
	d := s.toDelimiter() // the preamble
	if d.level != level || d.closing {
		s.pop(level)
		if d.level == level {
			d = s.toDelimiter()
		}
		part.Length = max(0, d.end-part.Offset)
		if encoded && p.encodedContainer(part, e.depth, &boundary) {
			return d
		}
		p.asText(e, DefectBoundaryNotFound)
		return d
	}
	if encoded {
		p.defect(DefectEncodingContainer, part.ID, "")
		part.Encoding = ""
	}
	subtype, _ := part.multipart()
	for d.level == level && !d.closing {
		child, ok := p.newPart(s)
		if !ok {
			d = delimiter{level: endOfMessage, end: s.pos()}
			break
		}
		part.Parts = append(part.Parts, child)
		d = p.entity(s, entity{part: child, container: part.ID, number: len(part.Parts), digest: subtype == "digest", depth: e.depth + 1})
	}
	s.pop(level)
	if d.level == level {
		d = s.toDelimiter() // the epilogue
	} else if !p.stopped {
		p.defect(DefectBoundaryUnclosed, part.ID, "")
	}
	part.Length = max(0, d.end-part.Offset)
	return d
}

// undivided reads the body of a multipart that says nothing of how to divide it.
func (p *parsing) undivided(s *scanner, e entity, code string) delimiter {
	d := s.toDelimiter()
	e.part.Length = max(0, d.end-e.part.Offset)
	p.asText(e, code)
	return d
}

// asText makes a plain text of a multipart that cannot be divided.
func (p *parsing) asText(e entity, code string) {
	e.part.ContentType = "text/plain"
	if e.root {
		e.part.ID = partID(e.container, 1)
	}
	p.finishLeaf(e.part)
	if code != "" {
		p.defect(code, e.part.ID, "")
	}
}

// mostEncoded bounds the memory for containers that must be decoded before they can be scanned.
const mostEncoded = 1 << 20

// encodedContainer scans a multipart (its boundary given) or message whose body is base64 or quoted-printable. It returns
// false when there is nothing to find in it.
func (p *parsing) encodedContainer(part *Part, depth int, boundary *string) bool {
	b, err := io.ReadAll(io.LimitReader(part.Open(), int64(p.decodeBudget)+1))
	if err != nil {
		return false
	}
	if len(b) > p.decodeBudget {
		p.limit(LimitNestedBytes)
		return false
	}
	p.decodeBudget -= len(b)
	if boundary != nil && !bytes.Contains(b, []byte("--"+*boundary)) {
		return false
	}
	p.defect(DefectEncodingContainer, part.ID, "")
	s := &scanner{source: &source{r: bytes.NewReader(b), size: int64(len(b)), buf: b}}
	if boundary == nil {
		part.Message = &Message{}
		p.root(s, part.Message, part.ID, depth+1)
		return true
	}
	inner := &Part{ID: part.ID, ContentType: part.ContentType, source: s.r}
	p.multipart(s, entity{part: inner, container: part.ID, depth: depth}, *boundary, false)
	part.Parts = inner.Parts
	return len(part.Parts) > 0
}
