package parser

import "strings"

// stripComments removes comments (RFC 5322 section 3.2.2) from a structured value; one that nothing closes goes to the end.
func stripComments(s string) string {
	text, _ := cutComments(s)
	return text
}

// cutComments removes comments, nested ones too, and says whether each was closed. Parentheses in quotes are no comment.
func cutComments(s string) (text string, closed bool) {
	if strings.IndexByte(s, '(') < 0 {
		return s, true
	}
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			if depth == 0 {
				b.WriteString(s[i : i+2])
			}
			i++
			continue
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			depth++
			continue
		case c == ')' && depth > 0:
			depth--
			continue
		}
		if depth == 0 {
			b.WriteByte(c)
		}
	}
	return b.String(), depth == 0
}
