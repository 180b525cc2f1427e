package tnef

import (
	"encoding/binary"
	"strings"
)

// The types of MAPI properties (MS-OXCDATA section 2.11.1).
const (
	typeInt16   = 0x0002
	typeInt32   = 0x0003
	typeFloat32 = 0x0004
	typeFloat64 = 0x0005
	typeMoney   = 0x0006
	typeAppTime = 0x0007
	typeError   = 0x000A
	typeBool    = 0x000B
	typeObject  = 0x000D
	typeInt64   = 0x0014
	typeString8 = 0x001E
	typeUnicode = 0x001F
	typeTime    = 0x0040
	typeGUID    = 0x0048
	typeBinary  = 0x0102
	manyValues  = 0x1000
)

// The properties that are looked at (MS-OXPROPS).
const (
	propBody           = 0x1000
	propRTF            = 0x1009
	propHTML           = 0x1013
	propDisplayName    = 0x3001
	propAttachData     = 0x3701
	propFilename       = 0x3704
	propAttachMethod   = 0x3705
	propLongFilename   = 0x3707
	propMIMETag        = 0x370E
	propContentID      = 0x3712
	propInternetCPID   = 0x3FDE
	propMessageCPID    = 0x3FFD
	firstNamedProperty = 0x8000
	guidSize           = 16
)

// property is one value. Of the types of variable length the cursor stands at its first octet, and here says where it ends.
type property struct {
	id, kind int
	here     Range
	number   uint64 // of the types of fixed length
}

// text is a name: a string, or the octets that some senders put in its place.
func (d *decoder) text(p property, codepage int) string {
	b := d.bytes(p.here.Length, longestName)
	if p.kind == typeUnicode {
		return text16(b)
	}
	return text8(b, codepage)
}

// properties reads a block of MAPI properties (MS-OXTNEF section 2.1.3.4), handing over each value.
func (d *decoder) properties(each func(p property)) {
	count := d.u32()
	if count > mostProperties {
		d.cut = true
	}
	for ; count > 0 && !d.cut; count-- {
		p := property{kind: d.u16(), id: d.u16()}
		if p.id >= firstNamedProperty {
			d.skip(guidSize)
			if d.u32() == 1 { // by name, else by number
				d.skip(padded(d.u32()))
			} else {
				d.skip(4)
			}
		}
		d.values(p, each)
	}
}

// values reads the values of one property.
func (d *decoder) values(p property, each func(p property)) {
	many := p.kind&manyValues != 0
	p.kind &^= manyValues
	size := fixedSize(p.kind)
	values := int64(1)
	if many || size == 0 {
		values = d.u32()
	}
	if size < 0 {
		d.cut = true // how long it is nobody can know
	}
	for ; values > 0 && !d.cut && d.pos < d.end; values-- {
		if size > 0 {
			p.number = d.number(min(size, 8))
			d.skip(int64(size - min(size, 8)))
			each(p)
			continue
		}
		n := d.u32()
		p.here = Range{Offset: d.pos, Length: n}
		whole := d.block(n, func() { each(p) })
		d.cut = d.cut || !whole
		d.skip(min(padded(n)-n, d.end-d.pos)) // of the last value the padding may be missing
	}
}

// padded is n rounded up to four octets.
func padded(n int64) int64 { return (n + 3) &^ 3 }

// fixedSize is how many octets a value takes in the stream; 0 where it says so itself, -1 for a type that nobody defined.
func fixedSize(kind int) int {
	switch kind {
	case typeInt16, typeInt32, typeFloat32, typeError, typeBool:
		return 4
	case typeFloat64, typeMoney, typeAppTime, typeInt64, typeTime:
		return 8
	case typeGUID:
		return guidSize
	case typeObject, typeString8, typeUnicode, typeBinary:
		return 0
	}
	return -1
}

func (d *decoder) messageProperties(m *Message) {
	d.properties(func(p property) {
		switch p.id {
		case propMessageCPID:
			m.codepage = int(p.number)
		case propInternetCPID:
			m.htmlPage = int(p.number)
		case propBody:
			m.Text = d.body(p, m.codepage)
		case propHTML:
			m.HTML = d.body(p, 0)
		case propRTF:
			m.RTF = p.here
		}
	})
}

// body is where a text lies. The code page of HTML may come behind it: 0 leaves it open.
func (d *decoder) body(p property, codepage int) Body {
	b := Body{Range: p.here, Charset: charset(codepage)}
	if p.kind == typeUnicode {
		b.Charset = "utf-16le"
	}
	return b
}

func (d *decoder) attachmentProperties(m *Message, a *Attachment, depth int) {
	embedded := false
	d.properties(func(p property) {
		switch p.id {
		case propLongFilename:
			if name := d.text(p, m.codepage); name != "" {
				a.Name, a.short = name, false
			}
		case propFilename, propDisplayName:
			if name := d.text(p, m.codepage); a.Name == "" {
				a.Name, a.short = name, p.id == propFilename
			}
		case propMIMETag:
			a.ContentType = strings.ToLower(d.text(p, m.codepage))
		case propContentID:
			a.ContentID = strings.Trim(d.text(p, m.codepage), "<>")
		case propAttachMethod:
			a.OLE, embedded = p.number == methodOLE, p.number == methodEmbedded
		case propAttachData:
			d.attachmentData(m, a, p, depth)
		}
	})
	if embedded {
		a.OLE = false
	}
}

// attachmentData reads the content that stands among the properties: octets, an embedded message, or an object.
func (d *decoder) attachmentData(m *Message, a *Attachment, p property, depth int) {
	if p.here.Length == 0 {
		return
	}
	a.Range, a.data = p.here, true
	head, err := d.in.Peek(guidSize + 4)
	if p.kind != typeObject || err != nil || binary.LittleEndian.Uint32(head[guidSize:]) != signature {
		return // an object keeps the identifier of its interface in front
	}
	if depth == 0 {
		m.TooDeep = true
		return
	}
	d.skip(guidSize)
	a.Range = Range{Offset: d.pos, Length: d.end - d.pos}
	a.Message = &Message{}
	d.message(a.Message, depth-1)
	m.MoreFiles = m.MoreFiles || a.Message.MoreFiles
	m.TooDeep = m.TooDeep || a.Message.TooDeep
	if a.Message.Damage != "" {
		m.damaged(a.Message.Damage)
	}
}
