package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	longestField   = 40 // octets of a field's name
	mostFieldLines = 20 // lines of a header block
	mostFolded     = 3  // lines that a value goes on for
	leastProof     = 3  // different fields that prove a header block, the sender among them
)

var headerIndex = indexHeaders()

func indexHeaders() map[string]field {
	index := map[string]field{}
	for _, l := range headerWords {
		for kind, words := range map[field][]string{fieldFrom: l.from, fieldDate: l.date, fieldTo: l.to, fieldSubject: l.subject, fieldOther: l.other} {
			for _, word := range words {
				index[word] = kind
			}
		}
		index[l.date[0]] = fieldSent
	}
	return index
}

// headerBlock looks for a header block that begins at line i, as Outlook, Exchange, Notes and many others write it above the
// mail that is answered. It returns the line behind the block.
func (d *document) headerBlock(i int) (to int, ok bool) {
	first, value := fieldOf(d.lines[i].text)
	if first == fieldNone || first == fieldOther {
		return 0, false
	}
	var seen [fieldOther + 1]bool
	var sender string
	to = i
	current := first
	for at, strange := i, 0; at < len(d.lines) && at < i+mostFieldLines; at++ {
		l := &d.lines[at]
		if l.quoted {
			break
		}
		kind := fieldNone
		if l.text != "" {
			kind, value = fieldOf(l.text)
		}
		switch {
		case kind == fieldOther || kind != fieldNone && !seen[kind]:
			seen[kind], current = true, kind
			to, strange = at+1, 0
			if kind == fieldFrom {
				sender = value
			}
		case strange == mostFolded || kind != fieldNone:
			at = len(d.lines) // the same field once more begins something else
		default:
			strange++
			if current == fieldFrom {
				sender += l.text
			}
		}
	}
	return to, provesHeader(seen, sender)
}

// provesHeader tells a header block from a list that a person wrote: "From: Paris", "To: Rome", "Date: Monday" has no subject,
// no address, and was not sent.
func provesHeader(seen [fieldOther + 1]bool, sender string) bool {
	seen[fieldDate] = seen[fieldDate] || seen[fieldSent]
	n := 0
	for _, kind := range []field{fieldFrom, fieldDate, fieldTo, fieldSubject} {
		if seen[kind] {
			n++
		}
	}
	return seen[fieldFrom] && n >= leastProof && (seen[fieldSubject] || seen[fieldSent] || strings.Contains(sender, "@"))
}

// fieldOf reads a line of a header block: "From: Bob", "*From:* Bob", "发件人：Bob".
func fieldOf(s string) (kind field, value string) {
	colon := -1
	width := 1
	for i := 0; i < len(s) && i <= longestField; i++ {
		if s[i] == ':' {
			colon = i
			break
		}
		if s[i] == 0xEF && strings.HasPrefix(s[i:], "：") {
			colon, width = i, len("：")
			break
		}
	}
	if colon <= 0 {
		return fieldNone, ""
	}
	var buf [2 * longestField]byte
	name := buf[:0]
	for _, r := range trim(strings.Trim(s[:colon], "*_ \t|•")) {
		if unicode.Is(unicode.Cf, r) {
			continue
		}
		if r == '\u00a0' {
			r = ' '
		}
		name = utf8.AppendRune(name, unicode.ToLower(r))
	}
	kind, ok := headerIndex[string(name)]
	if !ok {
		kind, ok = headerIndex[strings.ReplaceAll(string(name), " ", "")] // 发 件 人
	}
	if !ok {
		return fieldNone, ""
	}
	return kind, trim(strings.TrimLeft(s[colon+width:], "* "))
}

// isRule tells a line that was drawn: "_____", "-----".
func isRule(s string) bool {
	if len(s) < len("--") || s[0] >= '0' && s[0] != '=' && s[0] != '_' && s[0] != '~' && s[0] != 0xE2 {
		return false
	}
	for _, r := range s {
		if !strings.ContainsRune("-_=*~ ‐‑‒–—―─━", r) {
			return false
		}
	}
	return true
}

// isFramed tells a few words between dashes; above a header block they say "Original Message" in some language.
func isFramed(s string) bool {
	const longest = 80
	return len(s) <= longest && strings.HasPrefix(s, "--") && strings.HasSuffix(s, "--")
}
