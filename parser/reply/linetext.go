package reply

import (
	"bytes"
	"strings"
)

// lineText is a line of text while it is put together. Most lines are one piece of the document, and are not copied.
type lineText struct {
	whole  string // the line, as long as it is one piece
	pieces []byte // else
	lines  strings.Builder
}

// lineRoom is how much room is made at a time for lines that are copied.
const lineRoom = 1 << 10

// fold appends a text with its white space folded, and without any at the beginning of the line.
func (l *lineText) fold(text string) {
	if l.empty() {
		for text != "" && isSpace(text[0]) {
			text = text[1:]
		}
		if isFolded(text) {
			l.whole = text
			return
		}
	}
	l.copyWhole()
	for i := 0; i < len(text); {
		word := i
		for i < len(text) && !isSpace(text[i]) {
			i++
		}
		l.pieces = append(l.pieces, text[word:i]...)
		if i == len(text) {
			return
		}
		for i < len(text) && isSpace(text[i]) {
			i++
		}
		if n := len(l.pieces); n > 0 && l.pieces[n-1] != ' ' {
			l.pieces = append(l.pieces, ' ')
		}
	}
}

// isFolded says whether there is no white space in a text but single spaces.
func isFolded(text string) bool {
	space := false
	for i := range len(text) {
		was := space
		if space = isSpace(text[i]); space && (was || text[i] != ' ') {
			return false
		}
	}
	return true
}

// add appends a text as it is.
func (l *lineText) add(text string) {
	if l.empty() {
		l.whole = text
		return
	}
	l.copyWhole()
	l.pieces = append(l.pieces, text...)
}

func (l *lineText) copyWhole() {
	l.pieces = append(l.pieces, l.whole...)
	l.whole = ""
}

func (l *lineText) empty() bool { return l.whole == "" && len(l.pieces) == 0 }

func (l *lineText) blank() bool {
	return strings.TrimSpace(l.whole) == "" && len(bytes.TrimSpace(l.pieces)) == 0
}

func (l *lineText) reset() { l.whole, l.pieces = "", l.pieces[:0] }

// take returns the line and begins another.
func (l *lineText) take() string {
	defer l.reset()
	if len(l.pieces) == 0 {
		return l.whole
	}
	if l.lines.Cap()-l.lines.Len() < len(l.pieces) {
		l.lines = strings.Builder{} // the lines in the old one keep it
		l.lines.Grow(max(lineRoom, len(l.pieces)))
	}
	start := l.lines.Len()
	l.lines.Write(l.pieces)
	return l.lines.String()[start:]
}
