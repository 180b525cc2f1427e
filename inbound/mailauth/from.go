package mailauth

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// author is the one address of the From field (RFC 5322 section 3.6.2).
type author struct{ address, domain string }

const maxFrom = 16 << 10 // octets of a From field that is looked into

// readAuthor takes the address out of the From field. It reads strictly: where two readers could see two addresses there is
// none. A mailing list's group, several authors, a phrase with unquoted separators in it, or a line behind it that a tolerant
// reader takes for its continuation is an error.
func readAuthor(h *header) (author, error) {
	fields := h.all("from")
	switch {
	case len(fields) == 0:
		return author{}, errors.New("there is no From field")
	case len(fields) > 1:
		return author{}, errors.New("there is more than one From field")
	case len(fields[0].raw) > maxFrom:
		return author{}, errors.New("the From field is too long")
	case h.strays(h.byName["from"][0] + 1):
		return author{}, errors.New("a line that is no field stands behind the From field")
	}
	spec, err := addrSpec(fields[0].body)
	if err != nil {
		return author{}, err
	}
	at := strings.LastIndexByte(spec, '@')
	if at < 0 {
		return author{}, errNoAddress
	}
	local := spec[:at]
	domain, err := domainName(spec[at+1:])
	if err != nil || !isLocalPart(local) {
		return author{}, errNoAddress
	}
	return author{local + "@" + spec[at+1:], domain}, nil
}

var (
	errNoAddress = errors.New("the From field has no address that can be read")
	errAddresses = errors.New("the From field has more than one address, or a group")
)

// addrSpec finds the addr-spec: what stands in the angle brackets, or everything without comments.
func addrSpec(body []byte) (string, error) {
	var all, inside strings.Builder
	brackets, open := 0, false
	for at := 0; at < len(body); {
		word, kind := nextWord(body[at:])
		at += len(word)
		switch {
		case kind == wordBroken:
			return "", errNoAddress
		case kind == wordComment || kind == wordSpace:
			continue
		case kind == wordQuoted && !open:
			if brackets > 0 {
				return "", errNoAddress
			}
			all.Write(word)
		case kind == wordOther && bytes.IndexByte(word, '<') == 0:
			if brackets++; brackets > 1 {
				return "", errAddresses
			}
			open = true
		case kind == wordOther && bytes.IndexByte(word, '>') == 0:
			if !open {
				return "", errNoAddress
			}
			open = false
		case kind == wordOther && bytes.IndexAny(word, ",;:") == 0:
			return "", errAddresses
		case open:
			inside.Write(word)
		case brackets > 0:
			return "", errNoAddress // behind the angle brackets
		default:
			all.Write(word)
		}
	}
	switch {
	case open:
		return "", errNoAddress
	case brackets == 1:
		return inside.String(), nil
	}
	return all.String(), nil
}

type wordKind int

const (
	wordOther wordKind = iota // one octet
	wordSpace
	wordComment
	wordQuoted
	wordBroken // a comment or a quoted string without an end, or a control character
)

// nextWord is the lexical token (RFC 5322 section 3.2) at the front of s, which is not empty.
func nextWord(s []byte) ([]byte, wordKind) {
	switch c := s[0]; {
	case c == '(':
		return enclosed(s, '(', ')', wordComment)
	case c == '"':
		return enclosed(s, 0, '"', wordQuoted)
	case c == ' ' || c == '\t':
		return s[:1], wordSpace
	case c == '\r' && len(s) > 1 && s[1] == '\n':
		return s[:2], wordSpace
	case c == '\n': // of a line that ended without CR
		return s[:1], wordSpace
	case c < ' ' || c == 0x7f:
		return s, wordBroken
	}
	return s[:1], wordOther
}

// enclosed reads up to the closing octet. Comments nest, quoted strings do not (nest is 0).
func enclosed(s []byte, nest, closing byte, kind wordKind) ([]byte, wordKind) {
	depth := 1
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == closing:
			if depth--; depth == 0 {
				return s[:i+1], kind
			}
		case nest != 0 && c == nest:
			depth++
		case c == 0 || c == 0x7f:
			return s, wordBroken
		}
	}
	return s, wordBroken
}

// isLocalPart accepts a dot-atom or one quoted string (RFC 5322 section 3.4.1, RFC 6532), of at most 64 octets.
func isLocalPart(s string) bool {
	if s == "" || len(s) > 64 || !utf8.ValidString(s) {
		return false
	}
	if s[0] == '"' {
		word, kind := nextWord([]byte(s))
		return kind == wordQuoted && len(word) == len(s) && !strings.ContainsAny(s, "\r\n")
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsAny(atom, "()<>[]:;@\\,\" \t\r\n") {
			return false
		}
	}
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}
