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
	seen := map[string]Header{}
	var to, cc, bcc []Header
	for _, h := range m.Headers {
		name := strings.ToLower(h.Name)
		switch name {
		case "to":
			to = append(to, h)
		case "cc":
			cc = append(cc, h)
		case "bcc":
			bcc = append(bcc, h)
		case "from", "sender", "reply-to", "subject", "date", "message-id", "in-reply-to", "references":
			if _, twice := seen[name]; twice {
				p.defect(DefectHeaderDuplicate, id, h.Name)
				continue
			}
			seen[name] = h
		}
	}
	m.Subject = seen["subject"].Value
	m.From = p.addresses(id, seen["from"])
	m.ReplyTo = p.addresses(id, seen["reply-to"])
	if sender := p.addresses(id, seen["sender"]); len(sender) > 0 {
		m.Sender = &sender[0]
	}
	m.To, m.Cc, m.Bcc = p.addresses(id, to...), p.addresses(id, cc...), p.addresses(id, bcc...)
	if ids := messageIDs(seen["message-id"].Raw); len(ids) > 0 {
		m.MessageID = ids[0]
	}
	m.InReplyTo = messageIDs(seen["in-reply-to"].Raw)
	m.References = messageIDs(seen["references"].Raw)
	m.ThreadID = threadID(m)
	if m.DateRaw = seen["date"].Raw; m.DateRaw != "" {
		var ok bool
		if m.Date, ok = parseDate(m.DateRaw); !ok {
			p.defect(DefectDate, id, "")
		}
	}
}

// addresses reads the address lists of one or more fields of a name.
func (p *parsing) addresses(id string, fields ...Header) []Address {
	var list []Address
	for _, h := range fields {
		if h.Raw == "" {
			continue
		}
		text := h.Raw
		if strings.ContainsRune(text, '\ufffd') {
			text = h.Value // raw octets that are no UTF-8 were read as windows-1252 there
		}
		found, malformed, more := parseAddresses(text, p.lim.Addresses-len(list))
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
// that look like one.
func messageIDs(raw string) []string {
	var ids []string
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
	id := strings.TrimSpace(value(headers, "Content-ID"))
	return strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
}

// plural is "1 line", "2 lines".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
