package parser

import "strings"

// normalAddress writes an addr-spec in one form: without route (RFC 5322 section 4.4), comments, white space and needless
// quotes. A local-part that is no dot-atom comes out quoted, so that the last "@" always ends it.
func normalAddress(spec string) string {
	spec = strings.TrimSpace(cleanText(spec))
	if len(spec) > 7 && strings.EqualFold(spec[:7], "mailto:") {
		spec, _, _ = strings.Cut(spec[7:], "?") // RFC 6068 section 2
	}
	if text, closed := cutComments(spec); closed {
		spec = strings.TrimSpace(text)
	}
	if strings.HasPrefix(spec, "@") {
		if _, behind, ok := strings.Cut(spec, ":"); ok {
			spec = behind
		}
	}
	at := lastAt(spec)
	local, domain := spec, ""
	if at >= 0 {
		local, domain = spec[:at], strings.Join(strings.Fields(spec[at+1:]), "")
	}
	local = strings.TrimSpace(local)
	if n := len(local); n > 1 && local[0] == '"' && local[n-1] == '"' {
		local = unquote(local[1 : n-1])
	} else {
		local = strings.ReplaceAll(strings.ReplaceAll(local, " .", "."), ". ", ".")
	}
	if at < 0 {
		return local
	}
	if !isDotAtom(local) {
		local = quote(local)
	}
	return local + "@" + domain
}

// lastAt finds the "@" between local-part and domain: the last that is not in quotes.
func lastAt(spec string) int {
	at, quoted := -1, false
	for i := 0; i < len(spec); i++ {
		switch spec[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case '@':
			if !quoted {
				at = i
			}
		}
	}
	if at < 0 {
		return strings.LastIndexByte(spec, '@')
	}
	return at
}

// isDotAtom tells a local-part that needs no quotes (RFC 5322 section 3.2.3, RFC 6532 section 3.2).
func isDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`()<>[]:;@\,"`, c) >= 0 {
			return false
		}
	}
	return true
}

// quoter is shared: building one costs more than a word, and a list can hold 100,000.
var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quote writes a quoted-string (RFC 5322 section 3.2.4).
func quote(s string) string { return `"` + quoter.Replace(s) + `"` }

// unquote removes the backslashes of quoted-pairs.
func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}
