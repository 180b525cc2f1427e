package inbound

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of RFC 5321 section 4.5.3.1, in octets.
const (
	maxLocalPart = 64
	maxDomain    = 255
	maxPath      = 256 // with the angle brackets
)

// ErrSMTPUTF8 is what [ParsePath] returns (wrapped) for an address that would be right in a session with SMTPUTF8
// (RFC 6531), which this one is not.
var ErrSMTPUTF8 = errors.New("address is not ASCII and SMTPUTF8 was not asked for")

// Path is a reverse-path or a forward-path (RFC 5321 section 4.1.2) taken apart, so that no later code has to search
// for an "@" in a string. The zero value is the null reverse-path "<>".
type Path struct {
	// LocalPart is the decoded local-part: the quotes and backslashes of a quoted-string are removed. At most 64
	// octets; UTF-8 only where the session said SMTPUTF8 (RFC 6531). Empty with a Domain: the quoted-string "".
	LocalPart string
	// Domain is the domain as the peer wrote it (an address literal keeps its brackets). At most 255 octets. Compare
	// it only after normalising it.
	Domain string
}

// ParsePath reads a path strictly by the grammar of RFC 5321 section 4.1.2, with or without its angle brackets. A
// source route is checked and dropped (RFC 5321 appendix C). UTF-8 is allowed only with smtputf8 (RFC 6531 section
// 3.3). Both "" and "<>" are the null reverse-path.
func ParsePath(s string, smtputf8 bool) (Path, error) {
	if s == "" {
		return Path{}, nil
	}
	if s[0] != '<' {
		s = "<" + s + ">"
	}
	path, rest, err := cutPath(s, smtputf8)
	if err != nil {
		return Path{}, fmt.Errorf("parsing path: %w", err)
	}
	if rest != "" {
		return Path{}, errors.New("parsing path: text behind it")
	}
	return path, nil
}

// IsNull says whether p is the null reverse-path of bounces and reports (RFC 5321 section 4.5.5).
func (p Path) IsNull() bool { return p == Path{} }

// String renders the mailbox without angle brackets, its local-part quoted where the grammar asks for it. [ParsePath]
// reads it back to the same Path. The null reverse-path gives "".
func (p Path) String() string {
	if p.IsNull() {
		return ""
	}
	if isDotString(p.LocalPart) {
		return p.LocalPart + "@" + p.Domain
	}
	var b strings.Builder
	b.Grow(len(p.LocalPart) + len(p.Domain) + 8)
	b.WriteByte('"')
	for i := range len(p.LocalPart) {
		if c := p.LocalPart[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(p.LocalPart[i])
	}
	b.WriteString(`"@`)
	b.WriteString(p.Domain)
	return b.String()
}

// MarshalText gives [Path.String].
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote, UTF-8 included.
func (p *Path) UnmarshalText(text []byte) error {
	path, err := ParsePath(string(text), true)
	if err != nil {
		return err
	}
	*p = path
	return nil
}

// same says whether two paths name one mailbox: the local-part as it stands, the domain in any case (RFC 5321
// section 2.4).
func (p Path) same(q Path) bool {
	return p.LocalPart == q.LocalPart && strings.EqualFold(p.Domain, q.Domain)
}

// cutPath reads a path in angle brackets from the front of s and returns what follows it.
func cutPath(s string, smtputf8 bool) (path Path, rest string, err error) {
	inner, ok := strings.CutPrefix(s, "<")
	if !ok {
		return Path{}, "", errors.New("no angle bracket")
	}
	if rest, ok := strings.CutPrefix(inner, ">"); ok {
		return Path{}, rest, nil
	}
	if inner, err = cutSourceRoute(inner, smtputf8); err != nil {
		return Path{}, "", err
	}
	mailbox := inner
	local, inner, err := cutLocalPart(inner, smtputf8)
	if err != nil {
		return Path{}, "", err
	}
	if inner, ok = strings.CutPrefix(inner, "@"); !ok {
		return Path{}, "", errors.New("no domain")
	}
	domain, inner, err := cutDomain(inner, smtputf8)
	if err != nil {
		return Path{}, "", err
	}
	if len(mailbox)-len(inner)+len("<>") > maxPath {
		return Path{}, "", errors.New("path too long")
	}
	if rest, ok = strings.CutPrefix(inner, ">"); !ok {
		return Path{}, "", errors.New("no closing angle bracket")
	}
	return Path{LocalPart: local, Domain: domain}, rest, nil
}

// cutSourceRoute drops an A-d-l ("@a,@b:"), which a server must accept and should ignore (RFC 5321 section 3.6.1).
func cutSourceRoute(s string, smtputf8 bool) (rest string, err error) {
	if !strings.HasPrefix(s, "@") {
		return s, nil
	}
	for {
		if _, s, err = cutDomain(s[1:], smtputf8); err != nil {
			return "", err
		}
		switch {
		case strings.HasPrefix(s, ",@"):
			s = s[1:]
		case strings.HasPrefix(s, ":"):
			return s[1:], nil
		default:
			return "", errors.New("malformed source route")
		}
	}
}

// cutLocalPart reads a Dot-string or a Quoted-string and decodes it.
func cutLocalPart(s string, smtputf8 bool) (local, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		local, rest, err = cutQuoted(s[1:])
	} else {
		end := 0
		for end < len(s) && (isAtext(s[end]) || s[end] == '.') {
			end++
		}
		local, rest = s[:end], s[end:]
		if !isDotString(local) {
			err = errors.New("malformed local-part")
		}
	}
	if err == nil {
		err = checkText(local, smtputf8)
	}
	if err == nil && len(local) > maxLocalPart {
		err = errors.New("local-part too long")
	}
	return local, rest, err
}

// cutQuoted decodes a Quoted-string behind its opening quote.
func cutQuoted(s string) (local, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c == '\\':
			i++
			if i == len(s) || s[i] < ' ' || s[i] > '~' {
				return "", "", errors.New("malformed quoted-pair")
			}
			b.WriteByte(s[i])
		case c < ' ' || c == 0x7f:
			return "", "", errors.New("control character in quoted-string")
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("quoted-string not closed")
}

// checkText refuses what is neither ASCII nor, with smtputf8, UTF-8. C1 control characters count as control characters.
func checkText(s string, smtputf8 bool) error {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return errors.New("invalid UTF-8")
	}
	for _, r := range s {
		if r >= 0x80 && r < 0xa0 {
			return errors.New("control character")
		}
	}
	if !smtputf8 {
		return ErrSMTPUTF8
	}
	return nil
}

// isDotString says whether s needs no quotes (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
func isDotString(s string) bool {
	dot := true // where a dot may not stand
	for i := range len(s) {
		if s[i] == '.' {
			if dot {
				return false
			}
			dot = true
			continue
		}
		if !isAtext(s[i]) {
			return false
		}
		dot = false
	}
	return !dot
}

// isAtext says whether c may stand in an atom (RFC 5322 section 3.2.3); octets of UTF-8 may (RFC 6532 section 3.2).
func isAtext(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= utf8.RuneSelf:
		return true
	}
	return c > ' ' && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}
