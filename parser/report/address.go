package report

import "strings"

// The longest local-part and domain that are looked for (RFC 5321 section 4.5.3.1).
const (
	longestLocalPart = 64
	longestDomain    = 255
)

// addressAt reads the address that s begins with, bare or in angle brackets. n is its length with these; 0 means that there is none.
func addressAt(s string) (address string, n int) {
	if strings.HasPrefix(s, "<") && !strings.HasPrefix(s, "<<") {
		address, n = addressAt(s[1:])
		if n == 0 || n+1 >= len(s) || s[n+1] != '>' {
			return "", 0
		}
		return address, n + 2
	}
	at := strings.IndexByte(s[:min(len(s), 2*longestLocalPart+1)], '@') // extensions, VERP and SRS exceed the limit of the RFC
	if at <= 0 {
		return "", 0
	}
	if s[0] == '"' {
		if at < 3 || s[at-1] != '"' {
			return "", 0
		}
	} else {
		for i := range at {
			if !localOctet(s[i]) {
				return "", 0
			}
		}
	}
	end := domainEnd(s, at+1)
	if end == at+1 {
		return "", 0
	}
	return s[:end], end
}

// domainEnd is where the domain that begins at s[from:] ends.
func domainEnd(s string, from int) int {
	end := from
	for end < len(s) && end-from < longestDomain && domainOctet(s[end]) {
		end++
	}
	for end > from && (s[end-1] == '.' || s[end-1] == '-') {
		end--
	}
	return end
}

// localOctet reports whether c may stand in a local-part without quotes (RFC 5322 section 3.2.3, RFC 6532). What separates an
// address from the words around it in a sentence is left out.
func localOctet(c byte) bool {
	return domainOctet(c) || strings.IndexByte("!#$%&'*+/=?^_`{|}~", c) >= 0
}

func domainOctet(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_' || c >= 0x80
}

// nextAddress finds the first address in s, with what stands before it, without the bracket, and behind it.
func nextAddress(s string) (before, address, after string, ok bool) {
	for from := 0; ; {
		at := strings.IndexByte(s[from:], '@')
		if at < 0 {
			return "", "", "", false
		}
		at += from
		start := at
		for start > from && at-start < 2*longestLocalPart && localOctet(s[start-1]) && s[start-1] < 0x80 {
			start--
		}
		end := domainEnd(s, at+1)
		if start < at-1 && end < len(s) && s[start] == s[end] && strings.IndexByte("'*_`|", s[start]) >= 0 {
			start++ // quoted or in bold
		}
		if start < at && end > at+1 {
			return strings.TrimSuffix(s[:start], "<"), s[start:end], strings.TrimPrefix(s[end:], ">"), true
		}
		from = at + 1
	}
}
