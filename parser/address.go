package parser

import "strings"

// Address is one mailbox of an address list (RFC 5322 section 3.4).
type Address struct {
	Name    string // display name, decoded; empty if none
	Address string // addr-spec, the local-part quoted where it must be; without "@" where the sender gave no domain
	Group   string // display name of the group that it stands in; empty if none
}

// addressParser reads an address list as it is sent: obsolete forms (RFC 5322 section 4.4), comments, missing commas and
// brackets, semicolons for commas, raw UTF-8 (RFC 6532). The work is linear: what looks ahead either consumes what it saw or
// notes that looking again is of no use (noQuote, noParen, noWord), and nothing looks back.
type addressParser struct {
	s         string
	at        int
	limit     int
	list      []Address
	more      bool // beyond the limit
	malformed bool

	words   []addressWord // of the mailbox being read
	hasAt   bool          // one of them, not quoted, holds "@"
	angle   string        // what stood in angle brackets
	angled  bool
	comment string
	group   string
	inGroup bool
	noQuote bool // no quote closes from here on
	noParen bool // no comment closes from here on
	noWord  int  // no encoded-word that begins before this position ends

	looked int // octets looked at ahead of at; the tests hold it against len(s)
}

// addressWord is a run of text without space before it, or with.
type addressWord struct {
	text   string // a quoted string without its quotes
	quoted bool
	space  bool // white space stood before it
}

// parseAddresses reads at most limit mailboxes; more says that there were others.
func parseAddresses(s string, limit int) (list []Address, malformed, more bool) {
	p := addressParser{s: s, limit: limit}
	p.read()
	return p.list, p.malformed, p.more
}

func (p *addressParser) read() {
	for p.at < len(p.s) && !p.more {
		p.next()
	}
	p.finish()
}

// next reads one token.
func (p *addressParser) next() {
	space := false
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\t') {
		p.at++
		space = true
	}
	if p.at == len(p.s) {
		return
	}
	switch c := p.s[p.at]; {
	case c == ',':
		p.at++
		p.finish()
	case c == ';':
		p.at++
		p.finish()
		p.group, p.inGroup = "", false
	case c == ':' && !p.inGroup && !p.angled && !p.hasAt:
		p.at++
		p.startGroup()
	case c == '<':
		p.readAngle()
	case c == '(' && !p.noParen:
		p.readComment(space)
	case c == '"' && !p.noQuote:
		p.readQuoted(space)
	default:
		p.readWord(space)
	}
}

func (p *addressParser) startGroup() {
	name := p.phrase(p.words)
	p.words, p.hasAt, p.comment = nil, false, ""
	if strings.EqualFold(name, "mailto") {
		return
	}
	p.group, p.inGroup = name, true
}

// readAngle reads "<...>". An unclosed one ends at the next comma or at the end.
func (p *addressParser) readAngle() {
	if p.angled {
		p.finish() // a comma was forgotten
		p.malformed = true
	}
	p.at++
	start, hasAt := p.at, false
	p.angled = true
	for p.at < len(p.s) {
		switch c := p.s[p.at]; {
		case c == '"' && !p.noQuote:
			p.at = p.quotedEnd()
			continue
		case c == '>':
			p.angle = p.s[start:p.at]
			p.at++
			return
		case c == '<':
			start, hasAt = p.at+1, false // "<<a@b>>"
		case c == '@':
			hasAt = true
		case c == ',' && p.s[start] != '@' && hasAt:
			p.angle, p.malformed = p.s[start:p.at], true
			return
		}
		p.at++
	}
	p.angle, p.malformed = p.s[start:], true
}

// quotedEnd returns the position behind the quoted-string that begins here. When nothing closes it, quotes mean nothing
// from here on, and the position behind this one is returned.
func (p *addressParser) quotedEnd() int {
	for i := p.at + 1; i < len(p.s); i++ {
		p.looked++
		switch p.s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	p.noQuote, p.malformed = true, true
	return p.at + 1
}

func (p *addressParser) readQuoted(space bool) {
	start := p.at
	p.at = p.quotedEnd()
	if !p.noQuote {
		p.words = append(p.words, addressWord{text: unquote(p.s[start+1 : p.at-1]), quoted: true, space: space})
	}
}

// readComment reads a comment (RFC 5322 section 3.2.2); it serves as the name where there is no other.
func (p *addressParser) readComment(space bool) {
	depth := 0
	for i := p.at; i < len(p.s); i++ {
		p.looked++
		switch p.s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				if p.comment == "" {
					p.comment = unquote(p.s[p.at+1 : i])
				}
				p.at = i + 1
				return
			}
		}
	}
	p.noParen, p.malformed = true, true
	p.at++
	p.readWord(space)
}

// readWord reads up to the next character that means something, an encoded-word in one piece.
func (p *addressParser) readWord(space bool) {
	start := p.at
	if start == len(p.s) {
		return
	}
	if p.at = p.wordEnd(); p.at == start {
		p.at++ // whatever it is that no case of next wanted
	}
	for p.at < len(p.s) {
		c := p.s[p.at]
		if strings.IndexByte(" \t,;<", c) >= 0 || c == '(' && !p.noParen || c == '"' && !p.noQuote || c == ':' && !p.inGroup && !p.hasAt {
			break
		}
		p.at++
	}
	word := p.s[start:p.at]
	hasAt := strings.Contains(word, "@")
	if p.angled {
		if word = strings.TrimLeft(word, ">"); word == "" {
			return
		}
		if hasAt {
			p.finish() // a comma was forgotten
			p.malformed = true
		}
	}
	p.words = append(p.words, addressWord{text: word, space: space})
	p.hasAt = p.hasAt || hasAt
}

// wordEnd returns the position behind the encoded-word that begins here, or this position when none does. Quotes and
// brackets end the search: they stand in no encoded-word of a phrase (RFC 2047 section 5), but around addresses.
func (p *addressParser) wordEnd() int {
	if p.at < p.noWord {
		return p.at
	}
	head := encodedWordHead(p.s[p.at:])
	if head == 0 {
		return p.at
	}
	i := p.at + head
	for ; i < len(p.s) && strings.IndexByte(`<>"`, p.s[i]) < 0; i++ {
		p.looked++
		if strings.HasPrefix(p.s[i:], "?=") {
			return i + len("?=")
		}
	}
	p.noWord = i
	return p.at
}

// finish adds the mailbox that was read, if there is one.
func (p *addressParser) finish() {
	words, angle, angled, comment := p.words, p.angle, p.angled, p.comment
	p.words, p.hasAt, p.angle, p.angled, p.comment = nil, false, "", false, ""
	if len(words) == 0 && !angled {
		return
	}
	if len(p.list) == p.limit {
		p.more = true
		return
	}
	if !angled {
		words = p.oneOfMany(words)
	}
	a := Address{Group: p.group}
	if angled {
		a.Name, a.Address = p.phrase(words), normalAddress(angle)
	} else {
		a.Name, a.Address = p.bare(words)
	}
	if a.Name == "" {
		a.Name = p.phrase([]addressWord{{text: comment}})
	}
	if !strings.Contains(a.Address, "@") {
		p.malformed = p.malformed || a.Address != "" || a.Name != ""
	}
	if a.Name != "" || a.Address != "" {
		p.list = append(p.list, a)
	}
}

// oneOfMany adds the addresses of a list without commas and brackets, but for the last, whose words it returns.
func (p *addressParser) oneOfMany(words []addressWord) []addressWord {
	for _, w := range words {
		if !w.whole() {
			return words
		}
	}
	for ; len(words) > 1 && len(p.list) < p.limit-1; words = words[1:] {
		p.malformed = true // commas were forgotten
		p.list = append(p.list, Address{Address: normalAddress(words[0].text), Group: p.group})
	}
	return words
}

// whole reports whether the word is an address by itself.
func (w addressWord) whole() bool {
	at := strings.IndexByte(w.text, '@')
	return !w.quoted && at > 0 && at < len(w.text)-1 && strings.IndexByte(w.text[at+1:], '@') < 0 && !strings.HasSuffix(w.text, ".")
}

// bare reads a mailbox without angle brackets: an address, perhaps with spaces around "@" and ".", perhaps with words before it.
// A single word without "@" is a local-part without domain; several are a name.
func (p *addressParser) bare(words []addressWord) (name, address string) {
	at := -1
	for i, w := range words {
		if !w.quoted && strings.Contains(w.text, "@") {
			at = i
		}
	}
	if at < 0 {
		if len(words) == 1 && !words[0].quoted && !strings.Contains(words[0].text, "=?") {
			return "", normalAddress(words[0].text)
		}
		return p.phrase(words), ""
	}
	from := at
	for from > 0 && (!words[from].space || strings.HasPrefix(words[from].text, "@") || strings.HasPrefix(words[from].text, ".") ||
		!words[from-1].quoted && strings.HasSuffix(words[from-1].text, ".")) {
		from--
	}
	to := at + 1
	for to < len(words) && (!words[to].space || strings.HasSuffix(words[to-1].text, "@") || strings.HasSuffix(words[to-1].text, ".") ||
		strings.HasPrefix(words[to].text, ".")) {
		to++
	}
	var spec strings.Builder
	for _, w := range words[from:to] {
		if w.quoted {
			spec.WriteString(quote(w.text))
		} else {
			spec.WriteString(w.text)
		}
	}
	p.malformed = p.malformed || from > 0
	name = p.phrase(words[:from])
	if name == "" {
		name = p.phrase(words[to:])
	}
	return name, normalAddress(spec.String())
}

// phrase makes a display name.
func (p *addressParser) phrase(words []addressWord) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && (w.space || w.quoted) {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	name := b.String()
	if strings.Contains(name, "=?") {
		name, _ = decodeWords(name)
	}
	return strings.TrimSpace(cleanText(name))
}
