package tnef

import (
	"bufio"
	"errors"
	"io"
	"math"
)

// ErrNotTNEF says that a stream does not begin with the signature of the format.
var ErrNotTNEF = errors.New("not a TNEF stream")

// Limits bound what one [Decode] keeps. Zero means the default of each field.
type Limits struct {
	Files int // attachments, those of embedded messages and the messages themselves included; default 1,000
	Depth int // messages embedded in each other; default 8
}

// Range is where something lies in the stream: an offset from its begin, and a length, in octets. A body of length 0 is not
// there.
type Range struct{ Offset, Length int64 }

// Body is a text of the message.
type Body struct {
	Range

	Charset string // WHATWG label of the code page it is in; "" if unknown
}

// Message is what a stream holds.
type Message struct {
	Attachments []Attachment
	Text        Body  // plain text
	HTML        Body  // HTML
	RTF         Range // compressed (MS-OXRTFCP): see [NewRTFReader]

	Damage    string // what was wrong first, for people; "" when the stream was read whole
	MoreFiles bool   // there are more attachments than Limits.Files
	TooDeep   bool   // a message is embedded deeper than Limits.Depth; it is listed as a file

	codepage int // of text that is not Unicode
	htmlPage int // of the HTML
}

// Attachment is a file or a message.
type Attachment struct {
	Range

	Name        string // as the sender gave it: not harmless; "" if none
	ContentType string // "" if none
	ContentID   string // without angle brackets; "" if none
	Message     *Message
	OLE         bool // an object of some program and not a file: what it holds only that program knows

	short bool // Name is one of eight and three characters, for which a longer one may come
	data  bool // its content was found
}

const (
	signature = 0x223E9F78

	levelMessage    = 1
	levelAttachment = 2

	attBody           = 0x0002800C
	attOemCodepage    = 0x00069007
	attMAPIProps      = 0x00069003
	attRendData       = 0x00069002
	attAttachData     = 0x0006800F
	attAttachTitle    = 0x00018010
	attAttachment     = 0x00069005
	attTransportName  = 0x00069001
	longestName       = 1 << 10 // octets of a name that are read
	mostAttributes    = 100_000 // of a stream: a mail has some dozens
	mostProperties    = 10_000  // of a message or an attachment
	attachTypeOLE     = 2
	methodOLE         = 6
	methodEmbedded    = 5
	damageAttribute   = "an attribute is cut or damaged"
	damageTrailing    = "octets behind the last attribute"
	damageAttributes  = "too many attributes"
	damageNoSignature = "an embedded message has no signature"
)

// Decode reads a stream to its end. The error is [ErrNotTNEF] or one of reading.
func Decode(r io.Reader, lim Limits) (*Message, error) {
	if lim.Files <= 0 {
		lim.Files = 1000
	}
	if lim.Depth <= 0 {
		lim.Depth = 8
	}
	d := &decoder{cursor: cursor{in: bufio.NewReaderSize(r, 8<<10), end: math.MaxInt64}, files: lim.Files}
	m := &Message{}
	ok := d.message(m, lim.Depth)
	switch {
	case d.err != nil:
		return nil, d.err
	case !ok:
		return nil, ErrNotTNEF
	}
	return m, nil
}

// decoder is the state of one Decode.
type decoder struct {
	cursor

	files      int // that may still be listed
	attributes int
}

// message reads a stream, or what is embedded in one, and reports whether there is one at all.
func (d *decoder) message(m *Message, depth int) bool {
	m.codepage = 1252
	if d.u32() != signature {
		return false
	}
	d.u16() // the key of the attachments, of no use
	for d.pos < d.end && !d.eof {
		if _, err := d.in.Peek(1); err != nil {
			d.fail(err)
			break
		}
		if level := d.number(1); level != levelMessage && level != levelAttachment {
			m.damaged(damageTrailing)
			break
		}
		if d.attributes++; d.attributes > mostAttributes {
			m.damaged(damageAttributes)
			break
		}
		id, size := d.u32(), d.u32()
		d.cut = false // what is missing here is missing below
		whole := d.block(size, func() { d.attribute(m, id, depth) })
		if !whole || d.end-d.pos < 2 {
			m.damaged(damageAttribute)
			break
		}
		d.u16() // the checksum, which some senders get wrong
		if d.cut {
			m.damaged(damageAttribute)
		}
	}
	m.finish()
	return true
}

func (m *Message) damaged(what string) {
	if m.Damage == "" {
		m.Damage = what
	}
}

// attribute reads one attribute of the message or of the attachment that was begun last; the cursor ends with it.
func (d *decoder) attribute(m *Message, id int64, depth int) {
	here := Range{Offset: d.pos, Length: d.end - d.pos}
	switch id {
	case attOemCodepage:
		m.codepage = int(d.u32())
	case attBody:
		if m.Text.Length == 0 {
			m.Text = Body{Range: here, Charset: charset(m.codepage)}
		}
	case attMAPIProps:
		d.messageProperties(m)
	case attRendData:
		if a := d.newAttachment(m); a != nil {
			a.OLE = d.u16() == attachTypeOLE
		}
	case attAttachTitle, attTransportName:
		if a := d.attachment(m, false); a != nil && a.Name == "" {
			a.Name, a.short = text8(d.bytes(here.Length, longestName), m.codepage), true
		}
	case attAttachData:
		if a := d.attachment(m, true); a != nil {
			a.Range, a.data = here, true
		}
	case attAttachment:
		if a := d.attachment(m, false); a != nil {
			d.attachmentProperties(m, a, depth)
		}
	}
}

// newAttachment begins an attachment, unless there are too many.
func (d *decoder) newAttachment(m *Message) *Attachment {
	if d.files == 0 {
		m.MoreFiles = true
		return nil
	}
	d.files--
	m.Attachments = append(m.Attachments, Attachment{})
	return &m.Attachments[len(m.Attachments)-1]
}

// attachment is the one that was begun last. Not every sender begins one as the format wants it; a second content
// begins another.
func (d *decoder) attachment(m *Message, content bool) *Attachment {
	n := len(m.Attachments)
	switch {
	case m.MoreFiles:
		return nil
	case n == 0 || content && m.Attachments[n-1].data:
		return d.newAttachment(m)
	}
	return &m.Attachments[n-1]
}

// finish takes away the attachments that hold nothing: of a file there is at least an empty content or a name.
func (m *Message) finish() {
	kept := m.Attachments[:0]
	for _, a := range m.Attachments {
		if a.data || a.Name != "" || a.Message != nil {
			kept = append(kept, a)
		}
	}
	m.Attachments = kept
	if m.HTML.Length > 0 && m.HTML.Charset == "" {
		m.HTML.Charset = charset(m.htmlPage)
	}
}
