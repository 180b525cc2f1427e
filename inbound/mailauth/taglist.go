package mailauth

import (
	"bytes"
	"errors"
	"strings"
)

// tag is one of a tag-list (RFC 6376 section 3.2).
type tag struct {
	name, value string // value without folding white space around it
	from, to    int    // where the value stands in the text, with white space
}

type tagList []tag

// maxTags is how many tags a list may have. Twenty are registered.
const maxTags = 64

// parseTags reads a tag-list. Names differ by case and may stand once. An octet outside of printable ASCII is an error.
func parseTags(text []byte) (tagList, error) {
	var tags tagList
	seen := map[string]bool{}
	for at := 0; at < len(text); {
		end := len(text)
		if semicolon := bytes.IndexByte(text[at:], ';'); semicolon >= 0 {
			end = at + semicolon
		}
		spec := text[at:end]
		equals := bytes.IndexByte(spec, '=')
		switch {
		case len(trimFold(spec)) == 0 && end == len(text): // behind the last semicolon
			return tags, nil
		case equals < 0:
			return nil, errors.New("a tag has no value")
		}
		t := tag{string(trimFold(spec[:equals])), string(trimFold(spec[equals+1:])), at + equals + 1, end}
		if !isTagName(t.name) || !isTagValue(t.value) {
			return nil, errors.New("a tag is malformed")
		}
		switch {
		case seen[t.name]:
			return nil, errors.New("a tag stands twice")
		case len(tags) == maxTags:
			return nil, errors.New("there are too many tags")
		}
		seen[t.name] = true
		tags = append(tags, t)
		at = end + 1
	}
	return tags, nil
}

func isTagName(s string) bool {
	for i := range len(s) {
		letter := s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z'
		if !letter && (i == 0 || s[i] != '_' && (s[i] < '0' || s[i] > '9')) {
			return false
		}
	}
	return s != ""
}

func isTagValue(s string) bool {
	for i := range len(s) {
		if (s[i] < ' ' || s[i] > '~') && strings.IndexByte("\t\r\n", s[i]) < 0 {
			return false
		}
	}
	return true
}

// find gives the tag of a name, or nil.
func (l tagList) find(name string) *tag {
	for i := range l {
		if l[i].name == name {
			return &l[i]
		}
	}
	return nil
}

// get is the value of a tag, or "" without it.
func (l tagList) get(name string) string {
	if t := l.find(name); t != nil {
		return t.value
	}
	return ""
}

// withoutFold removes folding white space from a value that may be folded anywhere.
func withoutFold(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s)
}

// split divides a colon-separated value and removes folding white space.
func split(value string) []string {
	return strings.Split(withoutFold(value), ":")
}
