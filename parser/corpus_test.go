package parser_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

// agrees folds white space; Python takes the first of several texts, where we join them.
func (x *textOrHash) agrees(ours string) bool {
	if x.SHA256 != "" {
		lines := strings.Split(ours, "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " \t\r")
		}
		sum := sha256.Sum256([]byte(strings.TrimSpace(strings.Join(lines, "\n"))))
		return hex.EncodeToString(sum[:]) == x.SHA256
	}
	return strings.HasPrefix(fold(ours), fold(x.Text)) && (x.Text != "" || fold(ours) == "")
}

// floors are the shares of agreement below which something broke. What is missing to 1 was looked at: Python leaves bad
// encoded-words, takes trailing text for base64, replaces octets that no charset explains, and hashes text after transcoding it.
var floors = map[string]float64{
	"subject": 0.99, "from": 0.99, "to": 0.99, "date": 0.99, "text": 0.95, "html": 0.93,
	"attachment count": 0.97, "attachment bytes": 0.97, "attachment name": 0.94,
}

// TestCorpus parses every message of testdata, or of the folder that CORPUS names, holds each against the promises of
// this package, and compares with the stdlib-truth.jsonl that lies there, field by field.
func TestCorpus(t *testing.T) {
	root := "testdata/corpus/mime"
	if dir := os.Getenv("CORPUS"); dir != "" {
		root = dir
	}
	var truth []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if d.Name() == "stdlib-truth.jsonl" {
			truth = append(truth, path)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		checkMessage(t, path, raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range truth {
		compareWithTruth(t, path)
	}
}

type agreement struct {
	same, all map[string]int
}

func (a agreement) note(t *testing.T, file, field string, same bool, ours, theirs any) {
	a.all[field]++
	if same {
		a.same[field]++
		return
	}
	if testing.Verbose() {
		t.Logf("%s: %s: ours %.300q theirs %.300q", file, field, ours, theirs)
	}
}

func compareWithTruth(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	clean := agreement{map[string]int{}, map[string]int{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var want second
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if len(want.Defects) > 0 {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(path), want.File))
		if err != nil {
			t.Fatal(err)
		}
		m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		compareMessage(t, clean, m, want)
	}
	for field, floor := range floors {
		all, same := clean.all[field], clean.same[field]
		t.Logf("%-18s %4d of %4d  %5.1f %%", field, same, all, 100*float64(same)/float64(all))
		if all == 0 || float64(same) < floor*float64(all) {
			t.Errorf("%s: %d of %d agree, floor %.2f", field, same, all, floor)
		}
	}
}

func compareMessage(t *testing.T, a agreement, m *parser.Message, want second) {
	t.Helper()
	note := func(field string, same bool, ours, theirs any) {
		t.Helper()
		a.note(t, want.File, field, same, ours, theirs)
	}
	if want.Subject != nil {
		note("subject", fold(m.Subject) == fold(*want.Subject), m.Subject, *want.Subject)
	}
	note("from", slices.Equal(addresses(m.From), want.From), addresses(m.From), want.From)
	note("to", slices.Equal(addresses(m.To), want.To), addresses(m.To), want.To)
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
		ours = append(ours, hash(t, p))
	}
	for i, p := range want.Attachments {
		theirs = append(theirs, deref(p.SHA256))
		if p.SHA256 == nil && i < len(ours) {
			ours[i] = "" // Python names no hash of a message
		}
	}
	note("attachment count", len(ours) == len(theirs), len(ours), len(theirs))
	if len(ours) == len(theirs) {
		note("attachment bytes", slices.Equal(ours, theirs), ours, theirs)
		for i, p := range want.Attachments {
			if p.Filename != nil {
				note("attachment name", m.Attachments[i].Filename == *p.Filename, m.Attachments[i].Filename, *p.Filename)
			}
		}
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

func addresses(list []parser.Address) []string {
	var out []string
	for _, a := range list {
		if a.Address != "" {
			out = append(out, a.Address)
		}
	}
	return out
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func fold(s string) string { return strings.Join(strings.Fields(s), " ") }
