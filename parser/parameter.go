package parser

import (
	"strconv"
	"strings"
)

const (
	longestMediaType = 2048 // octets of a Content-Type or Content-Disposition value that are read
	mostParameters   = 64
)

// parameter is one attribute of a Content-Type or Content-Disposition field (RFC 2045 section 5.1), quotes removed.
type parameter struct{ name, value string }

// cutMediaType splits a field value into what stands before the first semicolon and its parameters. It reads whatever
// is sent: missing semicolons and quotes, 8-bit octets, repeated names. The work is linear in at most longestMediaType octets;
// more says that there were others, or mostParameters.
func cutMediaType(value string) (head string, params []parameter, more bool) {
	more = len(value) > longestMediaType
	value = value[:min(len(value), longestMediaType)]
	end := strings.IndexAny(value, ";")
	if end < 0 {
		end = len(value)
	}
	head = strings.TrimSpace(value[:end])
	// "text/plain charset=x": the semicolon was forgotten.
	if i := strings.IndexAny(head, " \t"); i >= 0 && strings.Contains(head[i:], "=") {
		end = strings.Index(value, head) + i
		head = head[:i]
	}
	for rest := value[end:]; ; {
		var p parameter
		if p, rest = cutParameter(rest); p.name == "" {
			return head, params, more
		}
		if len(params) == mostParameters {
			return head, params, true
		}
		params = append(params, p)
	}
}

// cutParameter reads the next parameter; its name is empty at the end.
func cutParameter(s string) (parameter, string) {
	for {
		s = strings.TrimLeft(s, "; \t")
		eq := strings.IndexByte(s, '=')
		if eq < 0 {
			return parameter{}, ""
		}
		// What has no "=" of its own is dropped.
		if semi := strings.IndexByte(s[:eq], ';'); semi >= 0 {
			s = s[semi:]
			continue
		}
		name := strings.TrimSpace(s[:eq])
		if i := strings.LastIndexAny(name, " \t)"); i >= 0 {
			name = name[i+1:]
		}
		value, rest := cutParameterValue(strings.TrimLeft(s[eq+1:], " \t"))
		if name == "" {
			s = rest
			continue
		}
		return parameter{name: strings.ToLower(name), value: value}, rest
	}
}

func cutParameterValue(s string) (value, rest string) {
	if s == "" || s[0] != '"' {
		end := strings.IndexByte(s, ';')
		if end < 0 {
			end = len(s)
		}
		return strings.TrimSpace(s[:end]), s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case c == '"' && closesQuote(s[i+1:]):
			return b.String(), s[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// closesQuote reports whether the quote in front of s ends the value: "a "b" c.txt" has quotes that do not.
func closesQuote(s string) bool {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] == ';' || s[0] == '(' {
		return true
	}
	// name="x" size=3: a forgotten semicolon
	word, _, ok := strings.Cut(s, "=")
	return ok && word != "" && strings.IndexFunc(word, func(r rune) bool { return r != '-' && r != '*' && !isAlphanumeric(r) }) < 0
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// lookParameter returns the decoded value of a parameter: in RFC 2231's form, whole or in segments, encoded or not, in any
// mixture, or plain, with the encoded-words and raw octets that RFC 2231 forbids.
func lookParameter(params []parameter, name string) (value string, ok bool) {
	var plain *parameter
	for i, p := range params {
		switch {
		case p.name == name+"*":
			// The encoded form is the better of two (RFC 6266 section 4.3).
			return decodeExtended([]segment{{text: p.value, encoded: true}}), true
		case p.name == name && plain == nil:
			plain = &params[i]
		}
	}
	if segments := collectSegments(params, name); segments != nil {
		return decodeExtended(segments), true
	}
	if plain == nil {
		return "", false
	}
	if plainASCII(plain.value) && !strings.Contains(plain.value, "=?") {
		return plain.value, true
	}
	text, _ := decodeWords(toText(plain.value, ""))
	return text, true
}

// segment is one piece of a continued parameter (RFC 2231 section 3).
type segment struct {
	text    string
	encoded bool
}

// collectSegments puts the pieces name*0, name*1* ... in order. A missing number ends the value.
func collectSegments(params []parameter, name string) []segment {
	var found [mostParameters]*segment
	for _, p := range params {
		rest, ok := strings.CutPrefix(p.name, name+"*")
		if !ok {
			continue
		}
		number, encoded := strings.CutSuffix(rest, "*")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n >= len(found) || found[n] != nil {
			continue
		}
		found[n] = &segment{text: p.value, encoded: encoded}
	}
	start := 0
	if found[0] == nil {
		start = 1 // some mailers count from one
	}
	var list []segment
	for _, s := range found[start:] {
		if s == nil {
			break
		}
		list = append(list, *s)
	}
	return list
}

// decodeExtended joins the octets of all segments before their charset is decoded: a character may be split between two.
// Where an extended value has no charset'language' in front, it is read as text that needs none.
func decodeExtended(segments []segment) string {
	var charset string
	if segments[0].encoded {
		if label, rest, ok := strings.Cut(segments[0].text, "'"); ok {
			if _, text, ok := strings.Cut(rest, "'"); ok {
				charset, segments[0].text = label, text
			}
		}
	}
	var octets []byte
	words := false
	for _, s := range segments {
		if s.encoded {
			octets = appendPercentDecoded(octets, s.text)
			continue
		}
		words = words || strings.Contains(s.text, "=?")
		octets = append(octets, s.text...)
	}
	text := cleanText(decodeCharset(string(octets), charset).text)
	if words && charset == "" {
		text, _ = decodeWords(text)
	}
	return text
}

func appendPercentDecoded(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

// mediaType makes a lower-case type/subtype of what stands before the parameters; ok is false when there is none.
func mediaType(head string) (t string, ok bool) {
	slash := strings.IndexByte(head, '/')
	if slash <= 0 {
		return "", false
	}
	end := slash + 1
	for end < len(head) && isToken(head[end]) {
		end++
	}
	for i := range slash {
		if !isToken(head[i]) {
			return "", false
		}
	}
	if end == slash+1 {
		return "", false
	}
	return strings.ToLower(head[:end]), true
}

// isToken tells the characters of a token (RFC 2045 section 5.1).
func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?=`, rune(c))
}
