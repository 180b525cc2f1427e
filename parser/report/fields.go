package report

import "strings"

// field is one field of a machine-readable part.
type field struct {
	name  string   // lower case
	value string   // unfolded
	lines []string // of the value, until they are joined
}

// groups cuts a part into fields and these into groups, which an empty line divides (RFC 3464 section 2.1). Lines that
// are neither a field nor the continuation of one are skipped.
func groups(text string) [][]field {
	var all [][]field
	var group []field
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
			if group != nil {
				all, group = append(all, group), nil
			}
		case line[0] == ' ' || line[0] == '\t':
			if len(group) > 0 {
				f := &group[len(group)-1]
				f.lines = append(f.lines, line)
			}
		default:
			if f, ok := cutField(line); ok {
				group = append(group, f)
			}
		}
	}
	if group != nil {
		all = append(all, group)
	}
	for _, group := range all {
		for i := range group {
			group[i].join()
		}
	}
	return all
}

// join makes the value of its lines, once, so that many lines cost no more than they are long.
func (f *field) join() { f.value, f.lines = strings.TrimSpace(strings.Join(f.lines, "")), nil }

// cutField reads "Name: value".
func cutField(line string) (field, bool) {
	name, value, ok := strings.Cut(line, ":")
	name = strings.TrimRight(name, " \t")
	if !ok || name == "" || len(name) > 64 {
		return field{}, false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f {
			return field{}, false
		}
	}
	return field{name: strings.ToLower(name), lines: []string{value}}, true
}

// first is the value of the first field of that name in a group.
func first(group []field, name string) string {
	for _, f := range group {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// typed reads "type; value" (RFC 3464 section 2.1.2), where the type may have been left out. Comments are removed.
func typed(value string) (kind, rest string) {
	kind, rest, ok := strings.Cut(value, ";")
	if !ok || strings.ContainsAny(kind, "@<") {
		return "", strings.TrimSpace(uncomment(value))
	}
	return strings.ToLower(strings.TrimSpace(kind)), strings.TrimSpace(uncomment(rest))
}

// uncomment removes comments (RFC 5322 section 3.2.2) outside of quotes.
func uncomment(s string) string {
	if !strings.Contains(s, "(") {
		return s
	}
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			if depth == 0 {
				b.WriteString(s[i : i+2])
			}
			i++
			continue
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			depth++
			continue
		case c == ')' && depth > 0:
			depth--
			continue
		}
		if depth == 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}
