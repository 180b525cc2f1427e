package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// phrases finds phrases by one of their words, so that a table of any length costs one look.
type phrases map[string][]string

// byFirst indexes by the first word, byLast by the last one.
func (p phrases) byFirst(phrase string) {
	word, _, _ := strings.Cut(phrase, " ")
	p[word] = append(p[word], phrase)
}

func (p phrases) byLast(phrase string) {
	word := phrase[strings.LastIndexByte(phrase, ' ')+1:]
	p[word] = append(p[word], phrase)
}

// begin says whether s, in lower case, begins with a phrase that ends where a word ends.
func (p phrases) begin(s string) bool {
	word := s
	if i := strings.IndexFunc(s, endsWord); i >= 0 {
		word = s[:i]
	}
	for _, phrase := range p[word] {
		if rest, ok := strings.CutPrefix(s, phrase); ok {
			if next, _ := utf8.DecodeRuneInString(rest); rest == "" || endsWord(next) {
				return true
			}
		}
	}
	return false
}

// endsWord says whether a character stands behind a word.
func endsWord(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(".,:;،、，：", r) || unicode.Is(unicode.Cf, r)
}

// isSpaced says whether a phrase is in a script that puts spaces between words.
func isSpaced(phrase string) bool {
	r, _ := utf8.DecodeRuneInString(phrase)
	return !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
}

// unspaced lists the phrases in other scripts, which are looked for anywhere.
func unspaced(phrase string) bool { return !isSpaced(phrase) }

// containsAny says whether s contains one of the words.
func containsAny(s string, words []string) bool {
	for _, word := range words {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

// cutFold is strings.CutPrefix without regard to case; prefix is in lower case.
func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// firstLower is the first character of s in lower case.
func firstLower(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.ToLower(r)
}

// hasPrefixOf says whether s begins with one of the words.
func hasPrefixOf(s string, words []string) bool {
	for _, word := range words {
		if strings.HasPrefix(s, word) {
			return true
		}
	}
	return false
}
