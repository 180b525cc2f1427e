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

// beginnings are the lengths in characters of the beginnings of words that are indexed.
var beginnings = []int{3, 4, 5, 6, 8, 11, 16, 24}

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
		t.words(termFrom, wordsOf(a))
	}
	for _, d := range k.recipients {
		for rest := d; rest != ""; _, rest, _ = strings.Cut(rest, ".") {
			t.add(termDomain, plainTerm(rest))
		}
	}
	for _, a := range k.to {
		t.words(termTo, wordsOf(a))
	}
	t.words(termSubject, k.subject)
	return strings.Join(t.list, " ")
}

// plainTerm replaces what the index would split at or quote.
func plainTerm(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || isWordRune(r) {
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
	longest := 0
	for _, length := range beginnings {
		if length <= n {
			longest = length
		}
	}
	if longest == 0 {
		return "", false
	}
	at := 0
	for i := range word {
		if at == longest {
			return word[:i], true
		}
		at++
	}
	return word, true
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
		if len(some) == 1 {
			all = append(all, some[0])
		} else {
			all = append(all, question{some: some})
		}
	}
	return allOf(all...)
}

// question gives what the index can be asked for a search. All that is looked for meets it, and more may. It is empty when the
// index does not help.
func (q *matcher) question() question {
	s := q.search
	all := []question{
		exactly(termID, hashTerm(q.messageID)),
		wordsIn(wordsOf(q.from), termFrom),
		wordsIn(wordsOf(q.to), termTo),
		wordsIn(q.subject, termSubject),
		exactly(termDomain, plainTerm(q.domain)),
	}
	for _, w := range q.words {
		words := wordsIn(w.words, termFrom, termTo, termSubject)
		if strings.Contains(w.text, "@") && !words.empty() { // it may be a Message-ID, of which the index has no words
			words = question{some: []question{words, exactly(termID, hashTerm(w.text))}}
		}
		all = append(all, words)
	}
	return allOf(append(all, exactly(termKind, plainTerm(s.Kind)), exactly(termEndpoint, plainTerm(s.Endpoint)), exactly(termAccount, s.Account))...)
}
