package report

import (
	"slices"
	"strings"
)

// known are the fields by which the header of a mail is told from prose.
var known = []string{
	"received", "return-path", "message-id", "from", "to", "cc", "subject", "date", "mime-version", "dkim-signature", "domainkey-signature", "delivered-to",
	"content-type", "content-transfer-encoding", "reply-to", "sender", "authentication-results", "errors-to", "precedence", "user-agent", "in-reply-to", "references", "x-",
	"arc-", "thread-", "list-", "received-spf",
}

// split divides a notice into what the mail system says and the mail that came back. Some systems begin with a few fields of
// that mail, before they say anything: these are no part of what is said either, and are returned where the mail itself did not come.
func split(text string) (said, original string) {
	said, original = divide(text)
	if original == "" || strings.Contains(said, "@") || holds(folded(said), failures) {
		return said, original
	}
	end := blockEnd(original)
	rest, returned := divide(original[end:])
	if returned == "" {
		returned = original[:end]
	}
	return said + rest, returned
}

// blockEnd is where the empty line behind a header begins.
func blockEnd(text string) int {
	for pos := 0; pos < len(text); {
		line, _, _ := strings.Cut(text[pos:], "\n")
		if strings.TrimSpace(line) == "" {
			return pos
		}
		pos += len(line) + 1
	}
	return len(text)
}

// divide cuts a text where the header of a mail begins, or the line that announces it.
func divide(text string) (said, original string) {
	marked, after := -1, 0 // a line that announces the mail, and how many lines ago
	for pos := 0; pos < len(text); {
		line, _, _ := strings.Cut(text[pos:], "\n")
		next := min(pos+len(line)+1, len(text))
		switch {
		case headerBegins(text[pos:], marked >= 0):
			if marked < 0 {
				marked = pos
			}
			return text[:marked], outdent(text[pos:])
		case announces(line):
			if marked < 0 || next == len(text) {
				marked, after = pos, 0
			}
		case marked >= 0 && strings.TrimSpace(line) != "":
			if after++; after > 8 {
				marked = -1 // it announced something else
			}
		}
		pos = next
	}
	if marked >= 0 && after == 0 {
		return text[:marked], ""
	}
	return text, ""
}

// announces reports whether a line says that the mail follows.
func announces(line string) bool {
	if len(line) > 160 || len(line) < 14 {
		return false
	}
	line = folded(line)
	for _, r := range returned {
		if strings.Contains(line, r.line) {
			return true
		}
	}
	return false
}

// headerBegins reports whether text begins with the header of a mail: three known fields in a row, two where one was announced.
// Folded lines belong to the field before them; the indent of the first line is that of all.
func headerBegins(text string, announced bool) bool {
	indent := indentOf(text)
	if !strings.Contains(text[:min(len(text), 80)], ":") && !strings.HasPrefix(text[indent:], "From ") {
		return false
	}
	need := 3
	if announced {
		need = 2
	}
	fields := 0
	for lines := range 40 {
		line, rest, more := strings.Cut(text, "\n")
		body := line[min(indent, len(line)):]
		f, ok := cutField(strings.TrimRight(body, "\r"))
		switch {
		case fields > 0 && body != "" && (body[0] == ' ' || body[0] == '\t'):
		case ok && isKnown(f.name):
			if fields++; fields == need {
				return true
			}
		case fields == 0 && lines == 0 && strings.HasPrefix(body, "From "):
		default:
			return false
		}
		if !more {
			return false
		}
		text = rest
	}
	return false
}

func isKnown(name string) bool {
	for _, k := range known {
		if name == k || k[len(k)-1] == '-' && strings.HasPrefix(name, k) {
			return true
		}
	}
	return false
}

func indentOf(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }

// outdent removes the indent of the first line from every line.
func outdent(text string) string {
	indent := indentOf(text)
	if indent == 0 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		cut := min(indent, indentOf(line), len(line))
		if strings.TrimSpace(line) == "" {
			cut = 0
		}
		b.WriteString(line[cut:])
	}
	return b.String()
}

// mentioned makes a header of the few fields of the mail concerned that a notice tells of in its own words.
func mentioned(said string) string {
	var b strings.Builder
	var has []string
	for line := range strings.Lines(said) {
		f, ok := cutField(strings.TrimSpace(line))
		if !ok {
			continue
		}
		f.join()
		switch f.name {
		case "subject", "message-id", "date", "from", "to":
			if f.value == "" || len(f.value) > 1000 || slices.Contains(has, f.name) {
				continue
			}
			has = append(has, f.name)
			b.WriteString(f.name + ": " + f.value + "\n")
		}
	}
	return b.String()
}

// headerOf is the header that a text begins with. Lines that are neither a field nor the rest of one are left out: programs
// break the lines of what they return.
func headerOf(original string) string {
	var b strings.Builder
	for line := range strings.Lines(original) {
		if strings.TrimSpace(line) == "" || b.Len() > 16<<10 {
			break
		}
		if _, ok := cutField(line); ok || b.Len() > 0 && (line[0] == ' ' || line[0] == '\t') {
			b.WriteString(line)
		}
	}
	return b.String()
}
