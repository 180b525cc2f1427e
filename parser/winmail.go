package parser

import (
	"errors"
	"fmt"
	"strings"

	"github.com/letterhook/letterhook/parser/tnef"
)

// isTNEF reports whether the part says that it is a winmail.dat (MS-OXTNEF section 1.3.1).
func (p *Part) isTNEF() bool {
	switch p.ContentType {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return true
	case "application/octet-stream":
		return strings.EqualFold(p.Filename, "winmail.dat")
	}
	return false
}

// unpack looks for the winmail.dat in a message and makes parts of what they hold. Those of nested messages stay as they are.
func (p *parsing) unpack(part *Part) error {
	if len(part.Parts) == 0 && part.isTNEF() {
		return p.winmail(part)
	}
	for _, child := range part.Parts {
		if err := p.unpack(child); err != nil {
			return err
		}
	}
	return nil
}

// winmail unpacks one. Where all of it was understood its contents stand in its place, else beside it.
func (p *parsing) winmail(part *Part) error {
	k := &container{part: part}
	// One more than may be listed, so that "parts" is named.
	m, err := tnef.Decode(k.open(), tnef.Limits{Files: max(1, p.lim.Parts-p.parts+1)})
	switch {
	case errors.Is(err, tnef.ErrNotTNEF):
		if part.ContentType != "application/octet-stream" {
			p.defect(DefectTNEF, part.ID, "it does not begin as one")
		}
		return nil
	case err != nil:
		return fmt.Errorf("unpack part %s: %w", part.ID, err)
	}
	before := p.parts
	whole := p.winmailParts(k, part, m, "body")
	if m.TooDeep {
		p.limit(LimitDepth)
	}
	if m.Damage != "" {
		p.defect(DefectTNEF, part.ID, m.Damage)
	}
	part.replaced = whole && p.parts > before && m.Damage == "" && !m.MoreFiles && !m.TooDeep
	return nil
}

// winmailParts makes parts of what a message holds: its files, then its own text in each form, and reports whether there was
// room for all. An embedded message is a part that is not listed, with what it holds below it.
func (p *parsing) winmailParts(k *container, parent *Part, m *tnef.Message, body string) (whole bool) {
	whole = true
	for _, a := range m.Attachments {
		part := p.unpacked(k, parent, a.Offset, a.Length)
		if part == nil {
			return false
		}
		part.Filename = harmlessName(validText(a.Name))
		part.ContentID = validText(a.ContentID)
		if t, ok := mediaType(a.ContentType); ok {
			part.ContentType = t
		}
		if a.Message != nil {
			name := part.Filename
			if name == "" {
				name = "message"
			}
			part.ContentType, part.replaced = "application/ms-tnef", true
			before := p.parts
			whole = p.winmailParts(k, part, a.Message, name) && whole
			part.replaced = p.parts > before
		}
	}
	for _, b := range []struct {
		contentType, ext, charset, encoding string
		at                                  tnef.Range
	}{
		{"text/plain", ".txt", m.Text.Charset, "", m.Text.Range},
		{"text/html", ".html", m.HTML.Charset, "", m.HTML.Range},
		{"application/rtf", ".rtf", "", encodingRTF, m.RTF},
	} {
		if b.at.Length == 0 {
			continue
		}
		part := p.unpacked(k, parent, b.at.Offset, b.at.Length)
		if part == nil {
			return false
		}
		part.ContentType, part.Charset, part.Encoding = b.contentType, b.charset, b.encoding
		part.Filename = harmlessName(body + b.ext)
		if parent == k.part {
			p.winmailBody(part)
		}
	}
	return whole
}

// winmailBody remembers the text of a winmail.dat for a message that has none of its own.
func (p *parsing) winmailBody(part *Part) {
	switch part.ContentType {
	case "text/plain":
		p.packed.text = append(p.packed.text, part)
	case "text/html":
		p.packed.html = append(p.packed.html, part)
	case "application/rtf":
		p.packedRTF = part
	}
}

// packedBodies takes the texts of a winmail.dat for those of a message that has none.
func (p *parsing) packedBodies(m *Message, used map[*Part]bool, src *source) error {
	if src == nil || m.HTML != nil || m.Text != nil && strings.TrimSpace(*m.Text) != "" {
		return nil
	}
	if len(p.packed.text) == 0 && len(p.packed.html) == 0 {
		return p.richBody(m)
	}
	if err := p.htmlBody(m, p.packed, used, src); err != nil {
		return err
	}
	found := p.packed
	if len(found.text) == 0 {
		found.text = found.html
	}
	return p.textBody(m, found, used, src)
}

// richBody takes the text or HTML out of an RTF body, where there is no other. The body itself stays an attachment.
func (p *parsing) richBody(m *Message) error {
	if p.packedRTF == nil {
		return nil
	}
	rich, err := tnef.ReadRTF(p.packedRTF.Open(), p.lim.BodyBytes)
	if err != nil {
		return fmt.Errorf("read part %s: %w", p.packedRTF.ID, err)
	}
	if rich.Cut {
		p.limit(LimitBodyBytes)
	}
	text := validText(rich.Text)
	if rich.HTML {
		html := text
		m.HTML, m.HTMLCharset, m.TextFromHTML = &html, rich.Charset, true
		text = validText(textFromHTML(text[:min(len(text), mostHTMLForText)]))
	}
	if strings.TrimSpace(text) != "" {
		m.Text, m.TextCharset = &text, rich.Charset
	}
	return nil
}
