package storage

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// matchKind orders the ways a route selects local-parts; lower kinds are tried first.
type matchKind int

const (
	matchExact matchKind = iota
	matchDetail
	matchGlob
	matchRegexp
	matchAll
)

// match is the taken apart [DeclaredRoute.Match].
type match struct {
	kind matchKind
	text string // normalised source, by which the route is known again
	re   *regexp.Regexp
}

// normalLocalPart is the form in which local-parts are compared: RFC 5321 section 2.4 leaves the case to the receiving
// host, and we do not tell mailboxes apart by it. NFC, because RFC 6531 peers may send either form.
func normalLocalPart(s string) string {
	return strings.ToLower(norm.NFC.String(s))
}

func parseMatch(s string) (match, error) {
	if len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
		re, err := regexp.Compile(`(?i)\A(?:` + s[1:len(s)-1] + `)\z`)
		if err != nil {
			return match{}, fmt.Errorf("regular expression: %w", err)
		}
		return match{kind: matchRegexp, text: s, re: re}, nil
	}
	text := normalLocalPart(s)
	switch {
	case text == "":
		return match{}, errors.New("a match must not be empty")
	case text == "*":
		return match{kind: matchAll, text: text}, nil
	case strings.HasSuffix(text, "+*") && !strings.ContainsAny(text[:len(text)-2], "*?+"):
		return match{kind: matchDetail, text: text}, nil
	case strings.ContainsAny(text, "*?"):
		re, err := globExpression("", text)
		if err != nil {
			return match{}, fmt.Errorf("glob: %w", err)
		}
		return match{kind: matchGlob, text: text, re: re}, nil
	}
	return match{kind: matchExact, text: text}, nil
}

// globExpression makes of a glob of * and ? an expression over the whole of a text. (?s) because that may hold anything, a quoted
// local-part for example, and .* of RE2 takes linear time where nested loops would not. flags are further ones of RE2.
func globExpression(flags, glob string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s` + flags + `)\A`)
	for _, r := range glob {
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString(`\z`)
	return regexp.Compile(b.String())
}

// captures gives the named groups of a regular expression match, in NFC with the case the peer wrote. It is false when
// there is no match.
func (m *match) captures(localPart string) (map[string]string, bool) {
	found := m.re.FindStringSubmatch(norm.NFC.String(localPart))
	if found == nil {
		return nil, false
	}
	var named map[string]string
	for i, name := range m.re.SubexpNames() {
		if name == "" {
			continue
		}
		if named == nil {
			named = make(map[string]string)
		}
		named[name] = found[i]
	}
	return named, true
}
