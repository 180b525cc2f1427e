package storage

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// The index knows terms: a letter for the field and a text. Of a word it has the beginnings of certain lengths, so that a word that is
// still being typed is found as fast as one that is whole. A search asks for the longest beginning that is indexed, and what the index
// gives is compared with the search before it is shown.
const (
	termSubject  = "s"
	termFrom     = "f" // a word of an address
	termTo       = "t"
	termDomain   = "d" // of a recipient, whole, and those above it
	termID       = "m" // the Message-ID
	termKind     = "k"
	termEndpoint = "e"
	termAccount  = "a"
	termUnparsed = "u" // of a message whose header is not known yet; no text
)

// beginnings are the lengths in characters of the beginnings of words that are indexed. In an address those of at least longPart
// go on over what separates its words, so that a whole address or a domain is asked for by one term that few messages have.
var beginnings = []int{1, 2, 3, 4, 5, 6, 8, 12, 20}

const longPart = 8

// maxTerms bounds the terms of one message: a subject or a list of recipients may be long.
const maxTerms = 1000

// hashOf is what stands for a term in the index: FNV-1a, its two halves folded. It must stay what it is.
func hashOf(field, text string) uint32 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, part := range [2]string{field, text} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * prime
		}
	}
	return uint32(h>>32) ^ uint32(h)
}

// terms collects those of a message.
type terms []uint32

func (t *terms) add(field, text string) {
	if text != "" && len(*t) < maxTerms {
		*t = append(*t, hashOf(field, text))
	}
}

// words adds the beginnings of words.
func (t *terms) words(field string, words []string) {
	for _, w := range words {
		at, next := 0, 0
		for i := range w {
			if at == beginnings[next] {
				t.add(field, w[:i])
				if next++; next == len(beginnings) {
					break
				}
			}
			at++
		}
		if next < len(beginnings) && at == beginnings[next] {
			t.add(field, w)
		}
	}
}

// address adds the beginnings of what begins with each of its words.
func (t *terms) address(field, address string) {
	words := wordsOf(address)
	t.words(field, words)
	for rest := plainTerm(address); len(words) > 0; words = words[1:] {
		at := strings.Index(rest, words[0])
		if at < 0 {
			return
		}
		rest = rest[at:]
		for _, length := range beginnings {
			if length < longPart {
				continue
			}
			if part, ok := firstRunes(rest, length); ok && len(part) > len(words[0]) {
				t.add(field, part)
			}
		}
		rest = rest[len(words[0]):]
	}
}

// firstRunes cuts a text to n characters; false: it has fewer.
func firstRunes(s string, n int) (string, bool) {
	for i := range s {
		if n == 0 {
			return s[:i], true
		}
		n--
	}
	return s, n == 0
}

// termsOf gives the terms of a message, in no order, some of them twice, and whether all is known that it will ever have.
func termsOf(m *Mail) (list terms, whole bool) {
	t := make(terms, 0, 128)
	t.add(termAccount, m.Account)
	owed := false
	for i := range m.Envelope.Recipients {
		for _, e := range m.Envelope.Recipients[i].Endpoints {
			owed = true
			t.add(termEndpoint, e)
		}
	}
	if whole = m.Summary != nil || !owed; !whole {
		t = append(t, hashOf(termUnparsed, ""))
	}
	if s := m.Summary; s != nil {
		t.add(termKind, s.Kind)
		t.add(termID, fold(s.MessageID))
	}
	k := knownOf(m)
	t.words(termSubject, k.subject)
	for _, a := range k.from {
		t.address(termFrom, a)
	}
	for _, d := range k.recipients {
		for rest := d; rest != ""; _, rest, _ = strings.Cut(rest, ".") {
			t.add(termDomain, rest)
		}
	}
	for _, a := range k.to {
		t.address(termTo, a)
	}
	return t, whole
}

// plainTerm replaces what stands between words and may be written differently.
func plainTerm(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r == '@' || isWordRune(r) {
			return r
		}
		return '_'
	}, fold(s))
}

// beginningOf is the longest beginning of a word that the index has.
func beginningOf(word string) string {
	n := utf8.RuneCountInString(word)
	for _, length := range slices.Backward(beginnings) {
		if length <= n {
			word, _ = firstRunes(word, length)
			break
		}
	}
	return word
}

// question is what an index is asked: for a term, for all of several questions or for any of them. The zero value asks for nothing.
type question struct {
	term uint32
	asks bool // for the term
	all  []question
	some []question
}

func (q question) empty() bool { return !q.asks && len(q.all) == 0 && len(q.some) == 0 }

// allOf joins what is not empty.
func allOf(list ...question) question {
	list = slices.DeleteFunc(list, question.empty)
	if len(list) == 1 {
		return list[0]
	}
	return question{all: list}
}

// terms adds those that a question is made of.
func (q question) terms(list []uint32) []uint32 {
	if q.asks {
		return append(list, q.term)
	}
	for _, part := range [2][]question{q.all, q.some} {
		for i := range part {
			list = part[i].terms(list)
		}
	}
	return list
}

// answer gives the messages of a segment that meet the question, of those that have each term.
func (q question) answer(have map[uint32]docSet) docSet {
	if q.asks {
		return have[q.term]
	}
	list := q.all
	if len(q.some) > 0 {
		list = q.some
	}
	set := slices.Clone(list[0].answer(have))
	for i := range list[1:] {
		for k, w := range list[1+i].answer(have) {
			if len(q.some) > 0 {
				set[k] |= w
			} else {
				set[k] &= w
			}
		}
	}
	return set
}

// exactly asks for a whole term.
func exactly(field, text string) question {
	if text == "" {
		return question{}
	}
	return asking(field, text)
}

func asking(field, text string) question { return question{term: hashOf(field, text), asks: true} }

// askedWords is how many words of one text are asked for. The longest ones leave few others.
const askedWords = 3

// wordsIn asks for words in a field.
func wordsIn(words []string, field string) question {
	if len(words) > askedWords {
		words = slices.Clone(words)
		slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
		words = words[:askedWords]
	}
	var all []question
	for _, w := range words {
		all = append(all, asking(field, beginningOf(w)))
	}
	return allOf(all...)
}

// partOf asks for a part of an address, in any of the fields: for a long beginning of it, or for its words.
func partOf(text string, words []string, fields ...string) question {
	var some []question
	part := ""
	if len(words) > 1 {
		_, rest, _ := strings.Cut(text, words[0])
		part = beginningOf(plainTerm(words[0] + rest))
	}
	for _, f := range fields {
		if utf8.RuneCountInString(part) >= longPart {
			some = append(some, asking(f, part))
		} else {
			some = append(some, wordsIn(words, f))
		}
	}
	return anyOfThem(some...)
}

// anyOfThem joins what is not empty.
func anyOfThem(list ...question) question {
	list = slices.DeleteFunc(list, question.empty)
	if len(list) == 1 {
		return list[0]
	}
	return question{some: list}
}

// question gives what the index can be asked for a search. All that is looked for meets it, and more may. It is empty when the
// index does not help.
func (q *matcher) question() question {
	s := q.search
	all := []question{
		exactly(termID, fold(q.messageID)),
		partOf(q.from, wordsOf(q.from), termFrom),
		partOf(q.to, wordsOf(q.to), termTo),
		wordsIn(q.subject, termSubject),
		exactly(termDomain, q.domain),
	}
	for _, w := range q.words {
		if len(w.words) == 0 {
			continue // punctuation: any message may have it
		}
		all = append(all, anyOfThem(partOf(w.text, w.words, termFrom, termTo), wordsIn(w.words, termSubject), exactly(termID, w.text)))
	}
	return allOf(append(all, exactly(termKind, s.Kind), exactly(termEndpoint, s.Endpoint), exactly(termAccount, s.Account))...)
}
