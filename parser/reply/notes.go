package reply

import "strings"

const (
	mostNotesName  = 6  // words of the name in the line of Notes
	longestNotes   = 40 // octets of the date in it
	mostNotesLines = 14 // lines from "To" to "Subject"
	mostNotesAbove = 5  // lines with text from the date to "To"
)

// notesLine tells the line that Notes 8 writes above a header block: "Bob Smith ---05/01/2013 10:00 AM---Hi Ann".
func notesLine(s string) bool {
	name, rest, ok := strings.Cut(s, " ---")
	if !ok || strings.Count(name, " ") >= mostNotesName {
		return false
	}
	when, _, ok := strings.Cut(rest, "---")
	if !ok || len(when) > longestNotes {
		return false
	}
	date, clock := dateIn(when)
	return date && clock
}

// notesColumns looks for the header of Notes 6 and 7, which is a table on the screen and in a text has the names of its fields on
// lines of their own: a name, a date, "To", who, "cc", "Subject", what. Line i is "To".
func (d *document) notesColumns(i int) (a announcement, ok bool) {
	if loneField(d.lines[i].text) != fieldTo {
		return a, false
	}
	to := 0
	for at := i + 1; at < len(d.lines) && at < i+mostNotesLines; at++ {
		if loneField(d.lines[at].text) == fieldSubject {
			to = at + 1
			break
		}
	}
	if to == 0 {
		return a, false
	}
	if to < len(d.lines) && d.lines[to].plain() {
		to++ // the subject itself
	}
	for at, n := i-1, 0; at > 0 && n < mostNotesAbove; at-- {
		l := &d.lines[at]
		if l.blank() {
			continue
		}
		if !l.plain() || l.is != own {
			return a, false
		}
		n++
		if date, clock := dateIn(l.text); date && clock && len(l.text) <= longestNotes && d.lines[at-1].plain() {
			return announcement{from: at - 1, to: to, kind: announcesMail, confidence: 0.9}, true
		}
	}
	return a, false
}

// loneField is the field whose name stands alone on a line, without a colon.
func loneField(s string) field {
	const longest = 16
	if s == "" || len(s) > longest {
		return fieldNone
	}
	var lower [longest]byte
	return headerIndex[string(appendLower(lower[:0], s))]
}
