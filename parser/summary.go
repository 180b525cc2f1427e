package parser

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

// summarise fills the fields of a message that come from its header.
func (p *parsing) summarise(m *Message) {
	id := m.Root.ID
	if m == p.top {
		id = ""
	}
	var f knownFields
	for i := range m.Headers {
		if f.note(&m.Headers[i]) {
			p.defect(DefectHeaderDuplicate, id, m.Headers[i].Name)
		}
	}
	m.Subject = f.subject.Value
	m.From = p.addresses(id, f.from)
	m.ReplyTo = p.addresses(id, f.replyTo)
	if sender := p.addresses(id, f.sender); len(sender) > 0 {
		m.Sender = &sender[0]
	}
	m.To, m.Cc, m.Bcc = p.addresses(id, f.to...), p.addresses(id, f.cc...), p.addresses(id, f.bcc...)
	if ids := messageIDs(f.messageID.Raw); len(ids) > 0 {
		m.MessageID = ids[0]
	}
	m.InReplyTo = messageIDs(f.inReplyTo.Raw)
	m.References = messageIDs(f.references.Raw)
	m.ThreadID = threadID(m)
	if m.DateRaw = f.date.Raw; m.DateRaw != "" {
		var ok bool
		if m.Date, ok = parseDate(m.DateRaw); !ok {
			p.defect(DefectDate, id, "")
		}
	}
}

// knownFields are the fields that a Message has members for. Those that may stand once (RFC 5322 section 3.6) count where
// they stand first; the recipients of all To, Cc and Bcc fields are joined.
type knownFields struct {
	from, sender, replyTo, subject, date, messageID, inReplyTo, references Header
	to, cc, bcc                                                            []Header
}

// note takes a field in, and reports whether it is one too many.
func (f *knownFields) note(h *Header) (twice bool) {
	var lower [len("in-reply-to")]byte
	if len(h.Name) > len(lower) {
		return false
	}
	for i := range len(h.Name) {
		c := h.Name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	single := func(field *Header) bool {
		twice := field.Name != ""
		if !twice {
			*field = *h
		}
		return twice
	}
	switch string(lower[:len(h.Name)]) {
	case "from":
		return single(&f.from)
	case "sender":
		return single(&f.sender)
	case "reply-to":
		return single(&f.replyTo)
	case "subject":
		return single(&f.subject)
	case "date":
		return single(&f.date)
	case "message-id":
		return single(&f.messageID)
	case "in-reply-to":
		return single(&f.inReplyTo)
	case "references":
		return single(&f.references)
	case "to":
		f.to = append(f.to, *h)
	case "cc":
		f.cc = append(f.cc, *h)
	case "bcc":
		f.bcc = append(f.bcc, *h)
	}
	return false
}

// addresses reads the address lists of one or more fields of a name.
func (p *parsing) addresses(id string, fields ...Header) []Address {
	var list []Address
	for _, h := range fields {
		if h.Raw == "" {
			continue
		}
		found, malformed, more := parseAddresses(h.structured(), p.lim.Addresses-len(list))
		list = append(list, found...)
		if malformed {
			p.defect(DefectAddress, id, h.Name)
		}
		if more {
			p.limit(LimitAddresses)
		}
	}
	return list
}

// messageIDs reads the msg-ids of a field (RFC 5322 section 3.6.4): what stands in angle brackets, and failing that, words
// that look like one. Programs that fold a long id as if it were text send it in encoded-words.
func messageIDs(raw string) []string {
	var ids []string
	if strings.HasPrefix(raw, "=?") {
		raw, _ = decodeWords(raw)
	}
	for rest := raw; ; {
		_, after, ok := strings.Cut(rest, "<")
		if !ok {
			break
		}
		id, tail, closed := strings.Cut(after, ">")
		if !closed {
			break
		}
		if i := strings.LastIndexByte(id, '<'); i >= 0 {
			id = id[i+1:]
		}
		if id = strings.Join(strings.Fields(id), ""); id != "" {
			ids = append(ids, id)
		}
		rest = tail
	}
	if ids != nil {
		return ids
	}
	words := strings.FieldsFunc(raw, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '<' || r == '>' })
	for _, w := range words {
		if strings.Contains(w, "@") || len(words) == 1 {
			ids = append(ids, w)
		}
	}
	return ids
}

// threadID names the conversation: every mail of it that follows RFC 5322 section 3.6.4 names the same first id.
func threadID(m *Message) string {
	first := m.MessageID
	switch {
	case len(m.References) > 0:
		first = m.References[0]
	case len(m.InReplyTo) > 0:
		first = m.InReplyTo[0]
	}
	if first == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(first))
	return "thr_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// contentID returns the Content-ID without its angle brackets (RFC 2045 section 7).
func contentID(headers []Header) string {
	return trimID(value(headers, "Content-ID"))
}

// trimID takes the angle brackets off an id.
func trimID(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}

// plural is "1 line", "2 lines".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
