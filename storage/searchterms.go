package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// The index knows terms: a letter for the field, a colon, and a text without spaces. Of a word it has the beginnings of certain
// lengths, so that a word that is still being typed is found as fast as one that is whole. A search asks for the longest beginning
// that is indexed, and what the index gives is compared with the search before it is shown.
const (
	termSubject  = "s:"
	termFrom     = "f:" // a word of an address
	termTo       = "t:"
	termDomain   = "d:" // of a recipient, whole, and those above it
	termID       = "m:" // hash of the Message-ID
	termKind     = "k:"
	termEndpoint = "e:"
	termAccount  = "a:"
)

// beginnings are the lengths in characters of the beginnings of words that are indexed. In an address those of at least longPart
// go on over what separates its words, so that a whole address or a domain is asked for by one term that few messages have.
var beginnings = []int{3, 4, 5, 6, 8, 12, 20}

const longPart = 8

// maxTerms bounds the terms of one message: a subject or a list of recipients may be long.
const maxTerms = 400

// terms collects those of a message.
type terms struct {
	list []string
	seen map[string]struct{}
}

func (t *terms) add(field, text string) {
	term := field + text
	if _, ok := t.seen[term]; ok || len(t.list) >= maxTerms || text == "" {
		return
	}
	t.seen[term] = struct{}{}
	t.list = append(t.list, term)
}

// words adds the beginnings of words.
func (t *terms) words(field string, words []string) {
	for _, w := range words {
		if n := utf8.RuneCountInString(w); n < beginnings[0] {
			t.add(field, w)
			continue
		}
		at := 0
		for i := range w {
			if slices.Contains(beginnings, at) {
				t.add(field, w[:i])
			}
			if at++; at > beginnings[len(beginnings)-1] {
				break
			}
		}
		if slices.Contains(beginnings, at) {
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
			if part, ok := firstRunes(rest, length); ok && length >= longPart && len(part) > len(words[0]) {
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

// termsOf gives the terms of a message, separated by spaces.
func termsOf(m *Mail) string {
	t := terms{seen: make(map[string]struct{}, 64)}
	t.add(termAccount, m.Account)
	for i := range m.Envelope.Recipients {
		for _, e := range m.Envelope.Recipients[i].Endpoints {
			t.add(termEndpoint, e)
		}
	}
	if s := m.Summary; s != nil {
		t.add(termKind, plainTerm(s.Kind))
		t.add(termID, hashTerm(s.MessageID))
	}
	k := knownOf(m)
	for _, a := range k.from {
		t.address(termFrom, a)
	}
	for _, d := range k.recipients {
		for rest := d; rest != ""; _, rest, _ = strings.Cut(rest, ".") {
			t.add(termDomain, plainTerm(rest))
		}
	}
	for _, a := range k.to {
		t.address(termTo, a)
	}
	t.words(termSubject, k.subject)
	return strings.Join(t.list, " ")
}

// plainTerm replaces what the index would split at or quote.
func plainTerm(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r == '@' || isWordRune(r) {
			return r
		}
		return '_'
	}, fold(s))
}

// hashTerm stands for a text that is only ever asked for as a whole.
func hashTerm(s string) string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(fold(s)))
	return hex.EncodeToString(sum[:6])
}

// beginningOf is the longest beginning of a word that the index has; false: any message may have the word.
func beginningOf(word string) (string, bool) {
	n := utf8.RuneCountInString(word)
	if r, _ := utf8.DecodeRuneInString(word); n == 1 && standsAlone(r) {
		return word, true
	}
	for _, length := range slices.Backward(beginnings) {
		if length <= n {
			return firstRunes(word, length)
		}
	}
	return "", false
}

// question is what an index is asked: for a term, for all of several questions or for any of them. The zero value asks for nothing.
type question struct {
	term string
	all  []question
	some []question
}

func (q question) empty() bool { return q.term == "" && len(q.all) == 0 && len(q.some) == 0 }

// allOf joins what is not empty.
func allOf(list ...question) question {
	list = slices.DeleteFunc(list, question.empty)
	if len(list) == 1 {
		return list[0]
	}
	return question{all: list}
}

// text writes the question for an engine.
func (q question) text(and, or, quote string) string {
	if q.term != "" {
		return quote + q.term + quote
	}
	list, join := q.all, and
	if len(q.some) > 0 {
		list, join = q.some, or
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].text(and, or, quote)
	}
	return "(" + strings.Join(texts, join) + ")"
}

// exactly asks for a whole term.
func exactly(field, text string) question {
	if text == "" {
		return question{}
	}
	return question{term: field + text}
}

// wordsIn asks for all of the words, each in any of the fields. What is too short to be asked for is left out.
func wordsIn(words []string, fields ...string) question {
	var all []question
	for _, w := range words {
		b, ok := beginningOf(w)
		if !ok {
			continue
		}
		var some []question
		for _, f := range fields {
			some = append(some, question{term: f + b})
		}
		all = append(all, anyOfThem(some...))
	}
	return allOf(all...)
}

// partOf asks for a part of an address.
func partOf(text string, words []string, fields ...string) question {
	if len(words) > 1 {
		at := strings.Index(text, words[0])
		if part, ok := beginningOf(plainTerm(text[at:])); ok && utf8.RuneCountInString(part) >= longPart {
			some := make([]question, len(fields))
			for i, f := range fields {
				some[i] = question{term: f + part}
			}
			return anyOfThem(some...)
		}
	}
	return wordsIn(words, fields...)
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
		exactly(termID, hashTerm(q.messageID)),
		partOf(q.from, wordsOf(q.from), termFrom),
		partOf(q.to, wordsOf(q.to), termTo),
		wordsIn(q.subject, termSubject),
		exactly(termDomain, plainTerm(q.domain)),
	}
	for _, w := range q.words {
		inSubject := wordsIn(w.words, termSubject)
		if inSubject.empty() {
			continue // too short: any message may have it
		}
		some := []question{partOf(w.text, w.words, termFrom, termTo), inSubject}
		if strings.Contains(w.text, "@") { // it may be a Message-ID, of which the index has no words
			some = append(some, exactly(termID, hashTerm(w.text)))
		}
		all = append(all, anyOfThem(some...))
	}
	return allOf(append(all, exactly(termKind, plainTerm(s.Kind)), exactly(termEndpoint, plainTerm(s.Endpoint)), exactly(termAccount, s.Account))...)
}
