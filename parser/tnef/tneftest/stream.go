// Package tneftest writes winmail.dat for tests, as net/http/httptest serves pages for them.
package tneftest

import (
	"encoding/binary"
	"unicode/utf16"
)

// Stream is a TNEF stream that grows by one attribute after the other (MS-OXTNEF section 2.1).
type Stream []byte

// New begins a stream.
func New() Stream { return Stream{0x78, 0x9F, 0x3E, 0x22, 1, 0} }

const (
	levelMessage    = 1
	levelAttachment = 2
)

func (s Stream) attribute(level byte, id uint32, data []byte) Stream {
	s = append(s, level)
	s = binary.LittleEndian.AppendUint32(s, id)
	s = binary.LittleEndian.AppendUint32(s, uint32(len(data)))
	s = append(s, data...)
	var sum uint16
	for _, b := range data {
		sum += uint16(b)
	}
	return binary.LittleEndian.AppendUint16(s, sum)
}

// Codepage adds the code page of what is not Unicode.
func (s Stream) Codepage(n uint32) Stream {
	return s.attribute(levelMessage, 0x00069007, binary.LittleEndian.AppendUint32(nil, n))
}

// Body adds a plain text.
func (s Stream) Body(text string) Stream {
	return s.attribute(levelMessage, 0x0002800C, []byte(text+"\x00"))
}

// Properties adds the properties of the message.
func (s Stream) Properties(p ...[]byte) Stream {
	return s.attribute(levelMessage, 0x00069003, block(p))
}

// Attachment begins an attachment of a type: 1 for a file, 2 for an object.
func (s Stream) Attachment(kind uint16) Stream {
	return s.attribute(levelAttachment, 0x00069002, binary.LittleEndian.AppendUint16(nil, kind))
}

// Title adds the short name of the attachment.
func (s Stream) Title(name string) Stream {
	return s.attribute(levelAttachment, 0x00018010, []byte(name+"\x00"))
}

// Data adds the content of the attachment.
func (s Stream) Data(content []byte) Stream {
	return s.attribute(levelAttachment, 0x0006800F, content)
}

// AttachmentProperties adds the properties of the attachment.
func (s Stream) AttachmentProperties(p ...[]byte) Stream {
	return s.attribute(levelAttachment, 0x00069005, block(p))
}

// File adds an attachment with a long name and its content.
func (s Stream) File(name string, content []byte) Stream {
	return s.Attachment(1).Data(content).AttachmentProperties(Unicode(0x3707, name))
}

// Embedded adds an attachment that is a message.
func (s Stream) Embedded(name string, m Stream) Stream {
	return s.Attachment(1).AttachmentProperties(Unicode(0x3001, name), Int32(0x3705, 5), Object(0x3701, append(make([]byte, 16), m...)))
}

func block(properties [][]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(properties)))
	for _, p := range properties {
		b = append(b, p...)
	}
	return b
}

func head(kind, id uint16) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, kind), id)
}

func variable(kind, id uint16, value []byte) []byte {
	b := binary.LittleEndian.AppendUint32(head(kind, id), 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, value...)
	return append(b, make([]byte, (4-len(value)%4)%4)...)
}

// Int32 is a property that is a number.
func Int32(id uint16, n uint32) []byte {
	return binary.LittleEndian.AppendUint32(head(0x0003, id), n)
}

// Time is a property that is a time.
func Time(id uint16, n uint64) []byte {
	return binary.LittleEndian.AppendUint64(head(0x0040, id), n)
}

// String is a property that is a text in the code page of the message.
func String(id uint16, text string) []byte { return variable(0x001E, id, []byte(text+"\x00")) }

// Unicode is a property that is a text in UTF-16.
func Unicode(id uint16, text string) []byte {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(text)), 0) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return variable(0x001F, id, b)
}

// Binary is a property of octets.
func Binary(id uint16, b []byte) []byte { return variable(0x0102, id, b) }

// Object is a property that begins with the 16 octets that name its interface.
func Object(id uint16, b []byte) []byte { return variable(0x000D, id, b) }

// Named is a property with a name instead of a number.
func Named(name string, n uint32) []byte {
	b := append(head(0x0003, 0x8001), make([]byte, 16)...)
	b = binary.LittleEndian.AppendUint32(b, 1)
	units := append(utf16.Encode([]rune(name)), 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*len(units)))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	b = append(b, make([]byte, (4-2*len(units)%4)%4)...)
	return binary.LittleEndian.AppendUint32(b, n)
}

// Int16s is a property of several small numbers.
func Int16s(id uint16, n ...uint32) []byte {
	b := binary.LittleEndian.AppendUint32(head(0x1002, id), uint32(len(n)))
	for _, v := range n {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// StoredRTF is an RTF body that is not compressed (MS-OXRTFCP section 2.1.3.1.1).
func StoredRTF(text string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(text)+12))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	b = binary.LittleEndian.AppendUint32(b, 0x414C454D)
	return append(append(b, 0, 0, 0, 0), text...)
}
