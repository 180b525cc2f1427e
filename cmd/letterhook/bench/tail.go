package bench

import (
	"bytes"
	"strings"
)

// tailSize is how much of what a process said is kept, in octets.
const tailSize = 4 << 10

// tail is a writer that keeps only the end of what is written to it. It belongs to the goroutine that copies the output
// of a process; others read it when the process has ended.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// String gives the last lines, without one that was cut in front.
func (t *tail) String() string {
	text := t.text
	if len(text) == tailSize {
		if _, rest, found := bytes.Cut(text, []byte("\n")); found {
			text = rest
		}
	}
	return strings.TrimSpace(string(text))
}
