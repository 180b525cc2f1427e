package scores_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/letterhook/letterhook/parser"
)

// second is what Python's email package makes of a message: a second opinion, not law.
type second struct {
	File        string
	Subject     *string
	Date        *int64
	From, To    []string
	Text, HTML  *textOrHash
	Defects     []string
	Attachments []struct {
		Filename *string
		SHA256   *string
	}
}

// textOrHash is a text, or the SHA-256 of one that is long, without the white space at the end of lines and around it.
type textOrHash struct{ Text, SHA256 string }

func (x *textOrHash) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &x.Text)
	}
	type plain textOrHash
	return json.Unmarshal(b, (*plain)(x))
}

// agrees folds white space. Python takes the first of several texts, where we join them: a text that ours begins with will do.
func (x *textOrHash) agrees(ours string) bool {
	if x.SHA256 == "" {
		return strings.HasPrefix(fold(ours), fold(x.Text)) && (x.Text != "" || fold(ours) == "")
	}
	h := sha256.New()
	gap := ""
	for line := range strings.Lines(strings.TrimSpace(ours)) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		io.WriteString(h, gap+line)
		gap = "\n"
		if hex.EncodeToString(h.Sum(nil)) == x.SHA256 {
			return true
		}
	}
	return false
}

// TestStdlib compares with Python's reading of every message that it reads without complaint.
func TestStdlib(t *testing.T) {
	field := func(name string, whole, copied int) *score {
		return newScore("stdlib "+name, floor{1, whole}, floor{1, copied})
	}
	c := newTruth(t, "stdlib", field("subject", 455, 127), field("from", 455, 127), field("to", 455, 127), field("date", 268, 85),
		field("text", 337, 104), field("html", 128, 31), field("attachment count", 455, 127),
		field("attachment bytes", 444, 125), field("attachment name", 82, 28))
	path := filepath.Join(folder(t, "mime"), "stdlib-truth.jsonl")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var want second
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if len(want.Defects) > 0 {
			for _, s := range c.scores {
				s.skip(t, want.File, "the truth complains of "+strings.Join(want.Defects, ", "))
			}
			continue
		}
		compareSecond(c, parseFile(t, filepath.Dir(path), want.File), want)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	c.report()
}

func compareSecond(c *truth, m *parser.Message, want second) {
	c.t.Helper()
	note := func(field string, same bool, ours, theirs any) {
		c.t.Helper()
		c.note(want.File, field, same, ours, theirs)
	}
	if want.Subject != nil {
		note("subject", fold(m.Subject) == fold(*want.Subject), m.Subject, *want.Subject)
	}
	note("from", slices.Equal(mailboxes(m.From), lowerDomains(want.From)), mailboxes(m.From), want.From)
	note("to", slices.Equal(mailboxes(m.To), lowerDomains(want.To)), mailboxes(m.To), want.To)
	if want.Date != nil {
		note("date", m.Date.Unix() == *want.Date, m.Date, *want.Date)
	}
	if want.Text != nil && !m.TextFromHTML {
		note("text", want.Text.agrees(deref(m.Text)), deref(m.Text), *want.Text)
	}
	if want.HTML != nil {
		note("html", want.HTML.agrees(deref(m.HTML)), deref(m.HTML), *want.HTML)
	}
	var ours, theirs []string
	for _, p := range m.Attachments {
		ours = append(ours, hash(c.t, p))
	}
	for i, p := range want.Attachments {
		theirs = append(theirs, deref(p.SHA256))
		if p.SHA256 == nil && i < len(ours) {
			ours[i] = "" // Python names no hash of a message
		}
	}
	note("attachment count", len(ours) == len(theirs), len(ours), len(theirs))
	if len(ours) != len(theirs) {
		return
	}
	note("attachment bytes", slices.Equal(ours, theirs), ours, theirs)
	compareNames(c, m, want)
}

// compareNames counts a message once that has names, and folds white space: Python makes one space of a folded line.
func compareNames(c *truth, m *parser.Message, want second) {
	c.t.Helper()
	var ours, theirs []string
	for i, p := range want.Attachments {
		if p.Filename != nil {
			ours, theirs = append(ours, fold(m.Attachments[i].Filename)), append(theirs, fold(*p.Filename))
		}
	}
	if theirs != nil {
		c.note(want.File, "attachment name", slices.Equal(ours, theirs), ours, theirs)
	}
}

func hash(t *testing.T, p *parser.Part) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, p.Open()); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
