package storage

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold is a text as it is compared: lower case and of one form. What looks the same is the same.
func fold(s string) string {
	s = strings.ToLower(s)
	if isASCII(s) {
		return s
	}
	return norm.NFKC.String(s)
}

// isWordRune says what words are made of.
func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// standsAlone says that a character is a word by itself, in scripts that write no spaces.
func standsAlone(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Khmer, unicode.Lao, unicode.Myanmar)
}

// wordsOf gives the words of a folded text in their order.
func wordsOf(folded string) (list []string) {
	start := -1
	end := func(at int) {
		if start >= 0 {
			list = append(list, folded[start:at])
		}
		start = -1
	}
	for i, r := range folded {
		switch {
		case r >= utf8.RuneSelf && standsAlone(r):
			end(i)
			list = append(list, folded[i:i+utf8.RuneLen(r)])
		case isWordRune(r):
			if start < 0 {
				start = i
			}
		default:
			end(i)
		}
	}
	end(len(folded))
	return list
}

// beginsWords says whether every word of query begins a word of the text.
func beginsWords(text, query []string) bool {
	for _, q := range query {
		if !slices.ContainsFunc(text, func(w string) bool { return strings.HasPrefix(w, q) }) {
			return false
		}
	}
	return true
}

// holdsPart says whether query stands in the address, beginning where a word of it begins.
func holdsPart(address, query string) bool {
	for from := 0; ; {
		i := strings.Index(address[from:], query)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(address[:i])
		first, size := utf8.DecodeRuneInString(query)
		if i == 0 || !isWordRune(before) || !isWordRune(first) {
			return true
		}
		from = i + size
	}
}

// matcher is a [Search] made ready to be compared with messages.
type matcher struct {
	search    *Search
	words     []needle
	from, to  string
	subject   []string
	domain    string
	messageID string
}

// needle is a word that may stand anywhere.
type needle struct {
	text  string
	words []string
}

func newMatcher(s *Search) *matcher {
	m := &matcher{
		search: s, from: foldAddress(s.From), to: foldAddress(s.To), subject: wordsOf(fold(s.Subject)),
		domain: strings.TrimPrefix(fold(s.Domain), "@"), messageID: strings.Trim(s.MessageID, "<>"),
	}
	for _, w := range s.Words {
		if w = foldAddress(w); w != "" {
			m.words = append(m.words, needle{w, wordsOf(w)})
		}
	}
	return m
}

func foldAddress(s string) string { return strings.Trim(fold(strings.TrimSpace(s)), "<>") }

// known are the texts of a message that are searched.
type known struct {
	subject    []string
	from, to   []string // addresses
	messageID  string
	recipients []string // domains
}

func knownOf(m *Mail) *known {
	var k known
	if !m.Envelope.ReversePath.IsNull() {
		k.from = append(k.from, fold(m.Envelope.ReversePath.String()))
	}
	for i := range m.Envelope.Recipients {
		p := &m.Envelope.Recipients[i].Path
		k.to = append(k.to, fold(p.String()))
		k.recipients = append(k.recipients, fold(p.Domain))
	}
	if s := m.Summary; s != nil {
		k.subject = wordsOf(fold(s.Subject))
		if from := fold(s.From); from != "" && !slices.Contains(k.from, from) {
			k.from = append(k.from, from)
		}
		k.messageID = s.MessageID
	}
	return &k
}

// matches says whether a message is one that is looked for, as far as it says so itself: account, state, time and place in the
// list are the database's to know.
func (q *matcher) matches(m *Mail) bool {
	s := q.search
	if s.Kind != "" && (m.Summary == nil || m.Summary.Kind != s.Kind) {
		return false
	}
	if s.Endpoint != "" && !slices.ContainsFunc(m.Envelope.Recipients, func(r recipient) bool { return slices.Contains(r.Endpoints, s.Endpoint) }) {
		return false
	}
	if !s.hasText() {
		return true
	}
	k := knownOf(m)
	holds := func(addresses []string, query string) bool {
		return query == "" || slices.ContainsFunc(addresses, func(a string) bool { return holdsPart(a, query) })
	}
	inDomain := func(d string) bool { return d == q.domain || strings.HasSuffix(d, "."+q.domain) }
	if !holds(k.from, q.from) || !holds(k.to, q.to) || !beginsWords(k.subject, q.subject) ||
		q.domain != "" && !slices.ContainsFunc(k.recipients, inDomain) || q.messageID != "" && k.messageID != q.messageID {
		return false
	}
	for _, w := range q.words {
		if !holds(k.from, w.text) && !holds(k.to, w.text) && k.messageID != w.text && fold(k.messageID) != w.text &&
			(len(w.words) == 0 || !beginsWords(k.subject, w.words)) {
			return false
		}
	}
	return true
}
