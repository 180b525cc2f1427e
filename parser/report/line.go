package report

import (
	"strings"
	"unicode/utf8"
)

// hear reads one line, without its indent and bullet: the address that it speaks of, how sure it is that this is a
// recipient, and what it says of it.
func hear(line string) (level int, address, rest string) {
	if address, n := addressAt(strings.TrimLeft(line, `'"`)); n > 0 {
		rest := strings.TrimLeft(strings.TrimLeft(line, `'"`)[n:], `'"`)
		if level, rest, ok := opening(rest); ok {
			return level, address, rest
		}
	}
	if address, rest, ok := refusal(line); ok {
		return commanded, address, rest
	}
	before, address, after, ok := nextAddress(line)
	if !ok {
		return 0, "", ""
	}
	lower := strings.TrimRight(strings.ToLower(before), " \t<'\"(")
	if suffixed(lower, commands) {
		return commanded, address, ""
	}
	if short := lower[max(0, len(lower)-200):]; labelled(short) {
		if after = strings.TrimLeft(after, " \t>'\":,.;"); strings.HasPrefix(after, "(") {
			after = ""
		}
		return named, address, after
	}
	if strings.HasSuffix(lower, "from:") || strings.Contains(lower, "mail from") || strings.HasSuffix(lower, "contact") || strings.HasSuffix(lower, "mailto:") {
		return 0, "", ""
	}
	return anywhere, address, line
}

// opening judges what follows an address at the beginning of a line: nothing, or the marks by which mail systems begin to
// explain. Behind another word the address is part of a sentence.
func opening(rest string) (level int, said string, ok bool) {
	trimmed := strings.TrimLeft(rest, " \t")
	switch {
	case strings.Trim(trimmed, ".,;\r ") == "":
		return alone, "", true
	case trimmed[0] == ':' || trimmed[0] == '[' || trimmed[0] == '(' || strings.HasPrefix(trimmed, "..."):
		return named, strings.TrimLeft(trimmed, ":. \t"), true
	case strings.HasPrefix(trimmed, "<mailto:"):
		_, after, _ := strings.Cut(trimmed, ">")
		return alone, after, true
	case strings.HasPrefix(trimmed, "on ") || strings.HasPrefix(trimmed, "- ") || strings.HasPrefix(trimmed, "-- ") || strings.HasPrefix(trimmed, ", "):
		return named, "", true
	case len(rest) > len(trimmed) && look(trimmed).reply != "":
		return named, trimmed, true
	}
	return 0, "", false
}

// refusal reads "550 5.1.1 <a@b>... User unknown", with the arrows of a transcript before it.
func refusal(line string) (address, rest string, ok bool) {
	line = strings.TrimLeft(line, "<> ")
	if len(line) < 5 || line[0] != '4' && line[0] != '5' || !isDigit(line[1]) || !isDigit(line[2]) || line[3] != ' ' && line[3] != '-' {
		return "", "", false
	}
	behind := strings.TrimLeft(line[4:], " #")
	behind = strings.TrimLeft(behind[len(enhancedAt(behind)):], " ")
	address, n := addressAt(behind)
	if n == 0 || !strings.HasPrefix(behind, "<") && !strings.HasPrefix(behind[n:], "...") {
		return "", "", false
	}
	return address, line, true
}

func suffixed(s string, words []string) bool {
	for _, w := range words {
		if strings.HasSuffix(s, w) {
			return true
		}
	}
	return false
}

// labelled reports whether s ends in words that announce a recipient.
func labelled(s string) bool {
	s = strings.TrimRight(folded(s), " <'\"")
	for _, l := range labels {
		if !strings.HasSuffix(s, l.words) {
			continue
		}
		if at := len(s) - len(l.words); at == 0 || s[at-1] == ' ' || s[at-1] >= 0x80 || strings.IndexByte(".,:;(", s[at-1]) >= 0 {
			return true
		}
	}
	return false
}

// reporter is the system that a text says it is from.
func reporter(said string) string {
	lower := strings.ToLower(clipTo(said, 4<<10))
	if len(lower) != min(len(said), 4<<10) {
		return "" // lower case is longer in some scripts, and none of them is a table's
	}
	for _, r := range reporters {
		if at := strings.Index(lower, r.before); at >= 0 {
			if name := host(strings.TrimLeft(said[at+len(r.before):], " ")); name != "" {
				return name
			}
		}
	}
	return ""
}

// remote is the system that a diagnostic says the refusal is from.
func remote(diagnostic string) string {
	lower := strings.ToLower(diagnostic)
	if len(lower) != len(diagnostic) {
		return ""
	}
	for _, r := range remotes {
		for from := 0; ; {
			at := strings.Index(lower[from:], r.before+"")
			if r.before == "" {
				at = strings.Index(lower[from:], r.after)
				if at < 0 {
					break
				}
				return host(strings.TrimLeft(diagnostic[:from+at], " "))
			}
			if at < 0 {
				break
			}
			from += at + len(r.before)
			name := host(diagnostic[from:])
			if name == "" {
				continue
			}
			behind := lower[from+len(name):]
			if end := strings.Index(clipTo(behind, 60), r.after); end >= 0 && (end == 0 || behind[0] == '[' || strings.HasPrefix(behind, " [") || strings.HasPrefix(behind, " (") || strings.HasPrefix(behind, ". [")) {
				return name
			}
		}
	}
	return ""
}

// host is the name or address that s begins with; a single word is none.
func host(s string) string {
	end := 0
	for end < len(s) && end < longestDomain && (domainOctet(s[end]) && s[end] < 0x80 || s[end] == ':' && end > 0 && end+1 < len(s) && isDigit(s[end+1])) {
		end++
	}
	name := strings.TrimRight(s[:end], ".-:")
	if !strings.Contains(name, ".") {
		return ""
	}
	return name
}

// cutRunes bounds a text at the end of a character.
func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
