package parser

import (
	"io"
	"slices"

	"github.com/letterhook/letterhook/parser/tnef"
)

// container is a part with others in it that MIME does not know of: a winmail.dat, or a text with a file between its lines.
// Those lie in its decoded content. So that each can be opened without decoding all that lies before it, the one pass
// that finds them leaves marks on the way.
type container struct {
	part  *Part
	marks []mark
}

// mark is a place from which decoding can go on.
type mark struct {
	encoded, decoded int64           // octets before it
	dec              transferDecoder // not to be used, but cloned
}

// markEvery is how many decoded octets lie between two marks: whoever opens a part decodes no more than these, and a chunk,
// in vain, and the marks of 50 MB are some hundred.
const markEvery = 64 << 10

// open is the content of the container, leaving marks as it is read.
func (k *container) open() *Content {
	c := k.part.Open()
	c.marks = k
	return c
}

// mark notes where c stands, unless the last mark is near.
func (k *container) mark(c *Content) {
	if n := len(k.marks); n == 0 || c.made-k.marks[n-1].decoded >= markEvery {
		k.marks = append(k.marks, mark{encoded: c.used, decoded: c.made, dec: c.dec.clone()})
	}
}

// from returns the content of the container and how much of it lies before an offset that is to be skipped.
func (k *container) from(offset int64) (c *Content, skip int64) {
	p := k.part
	if newTransferDecoder(p.Encoding) == nil {
		offset = min(offset, p.Length)
		return &Content{part: p, src: io.NewSectionReader(p.source, p.Offset+offset, p.Length-offset)}, 0
	}
	i, found := slices.BinarySearchFunc(k.marks, offset, func(m mark, offset int64) int { return int(m.decoded - offset) })
	if !found {
		i--
	}
	if i < 0 {
		return p.Open(), offset
	}
	m := k.marks[i]
	return &Content{part: p, src: io.NewSectionReader(p.source, p.Offset+m.encoded, p.Length-m.encoded), dec: m.dec.clone()}, offset - m.decoded
}

// encodingRTF is the compression of an RTF body (MS-OXRTFCP); no mail names it, only what is unpacked has it.
const encodingRTF = "x-rtf-compressed"

// openWithin opens a part that was unpacked from a container.
func (p *Part) openWithin() *Content {
	src := &span{offset: p.Offset, left: p.Length, within: p.within}
	if p.Encoding == encodingRTF {
		rtf := tnef.NewRTFReader(src)
		return &Content{part: p, src: rtf, rtf: rtf}
	}
	return &Content{part: p, src: src, dec: newTransferDecoder(p.Encoding)}
}

// span reads a piece of the content of a container.
type span struct {
	within       *container
	offset, left int64
	content      *Content // nil until somebody reads
}

func (s *span) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if s.content == nil {
		content, skip := s.within.from(s.offset)
		if _, err := io.CopyN(io.Discard, content, skip); err != nil {
			return 0, err
		}
		s.content = content
	}
	n, err := s.content.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}

// unpacked makes a part of something within a container, unless there are too many parts.
func (p *parsing) unpacked(k *container, parent *Part, offset, length int64) *Part {
	if p.parts >= p.lim.Parts {
		p.limit(LimitParts)
		return nil
	}
	p.parts++
	part := &Part{
		ID: partID(parent.ID, len(parent.Parts)+1), ContentType: "application/octet-stream", Disposition: "attachment",
		Offset: offset, Length: length, within: k,
	}
	parent.Parts = append(parent.Parts, part)
	return part
}
