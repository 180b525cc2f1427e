package report

import (
	"slices"
	"strings"
)

// How sure it is that an address is a recipient, the surest first.
const (
	named      = iota // at the beginning of a line with a diagnosis behind it, or behind a label
	alone             // alone in its line
	commanded         // in an SMTP transcript
	anywhere          // somewhere in the text
	confidence        // how many there are
)

// mention is an address that the text speaks of, and what is said of it.
type mention struct {
	address    string
	diagnostic strings.Builder
	line       int    // where it stands first
	label      string // that line, where the address stands behind words
}

func (m *mention) say(s string) {
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "===") {
		s = strings.Trim(s, "-= ")
	}
	s = strings.Join(strings.Fields(s), " ")
	if s == "" || m.diagnostic.Len() >= longestDiagnostic {
		return
	}
	if m.diagnostic.Len() > 0 {
		m.diagnostic.WriteByte(' ')
	}
	m.diagnostic.WriteString(cutRunes(s, longestDiagnostic-m.diagnostic.Len()))
}

// transcript is a text being read.
type transcript struct {
	by    [confidence][]*mention
	index [confidence]map[string]*mention
	lines []string
	cut   bool
}

// listen goes through the text once, line by line.
func listen(said string) *transcript {
	t := &transcript{lines: strings.Split(said, "\n")}
	for i := range t.index {
		t.index[i] = map[string]*mention{}
	}
	var open *mention // whose paragraph this is
	heard := false    // it has a diagnosis
	for i, line := range t.lines {
		trimmed := strings.TrimLeft(line, " \t*|•·")
		if strings.TrimSpace(trimmed) == "" {
			if heard {
				open = nil
			}
			continue
		}
		level, address, rest := hear(trimmed)
		switch {
		case address == "" && open != nil:
			open.say(trimmed)
			heard = !strings.HasSuffix(strings.TrimSpace(trimmed), ":")
		case address == "":
		case open != nil && level >= commanded:
			open.say(trimmed)
			heard = true
			if level == commanded {
				t.note(level, address, i).say(rest)
			}
		default:
			if level == alone && i+1 < len(t.lines) && explains(line, t.lines[i+1]) {
				level = named
			}
			m := t.note(level, address, i)
			m.say(rest)
			if level == named && !strings.HasPrefix(strings.TrimLeft(trimmed, "<"), address) {
				m.label = strings.TrimSpace(trimmed)
			}
			open, heard = nil, false
			if level <= alone {
				open, heard = m, strings.TrimSpace(rest) != ""
			}
		}
		t.answer(trimmed, level)
	}
	return t
}

// explains reports whether a line belongs to the address above it: it is indented deeper, as Exim does, or in parentheses, as
// sendmail does.
func explains(address, line string) bool {
	trimmed := strings.TrimLeft(line, " \t")
	return strings.HasPrefix(trimmed, "(") || strings.TrimSpace(trimmed) != "" && indentOf(line) > indentOf(address)
}

// note is the mention of an address at a level of confidence. Beyond the limit it belongs to no list.
func (t *transcript) note(level int, address string, line int) *mention {
	key := strings.ToLower(address)
	if m := t.index[level][key]; m != nil {
		return m
	}
	m := &mention{address: address, line: line}
	if len(t.by[level]) == MostRecipients {
		t.cut = true
		return m
	}
	t.by[level] = append(t.by[level], m)
	t.index[level][key] = m
	return m
}

// answer gives a server's refusal to the recipients of the transcript that have none yet.
func (t *transcript) answer(line string, level int) {
	if level == commanded || len(t.by[commanded]) == 0 || look(line).reply == "" {
		return
	}
	for _, m := range slices.Backward(t.by[commanded]) {
		if m.diagnostic.Len() > 0 {
			return
		}
		m.say(line)
	}
}

// heard reports whether the text names anybody as a recipient, in whatever way is better than by chance.
func (t *transcript) heard() bool {
	return len(t.by[named])+len(t.by[alone])+len(t.by[commanded]) > 0
}
