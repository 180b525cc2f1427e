package parser_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
)

var update = flag.Bool("update", false, "write testdata/golden.jsonl anew")

// golden is what is kept of a parsed message: enough that any change shows.
type golden struct {
	File        string   `json:"file"`
	Subject     string   `json:"subject,omitempty"`
	From        []string `json:"from,omitempty"`
	To          []string `json:"to,omitempty"`
	Date        string   `json:"date,omitempty"`
	ID          string   `json:"message_id,omitempty"`
	Tree        []string `json:"tree"`
	Text        string   `json:"text,omitempty"`
	HTML        string   `json:"html,omitempty"`
	Attachments []string `json:"attachments,omitempty"`
	Kind        string   `json:"kind"`
	Defects     []string `json:"defects,omitempty"`
	Limits      []string `json:"limits,omitempty"`
}

func goldenOf(t *testing.T, file string, m *parser.Message) golden {
	t.Helper()
	g := golden{File: file, Subject: m.Subject, ID: m.MessageID, Kind: m.Kind, Limits: m.LimitsHit,
		From: mailboxes(m.From), To: mailboxes(m.To), Text: brief(m.Text, m.TextCharset), HTML: brief(m.HTML, m.HTMLCharset)}
	if !m.Date.IsZero() {
		g.Date = m.Date.Format("2006-01-02T15:04:05Z")
	}
	var walk func(p *parser.Part)
	walk = func(p *parser.Part) {
		g.Tree = append(g.Tree, fmt.Sprintf("%s %s %d+%d", p.ID, p.ContentType, p.Offset, p.Length))
		for _, child := range p.Parts {
			walk(child)
		}
		if p.Message != nil {
			walk(p.Message.Root)
		}
	}
	walk(m.Root)
	for _, p := range m.Attachments {
		g.Attachments = append(g.Attachments, fmt.Sprintf("%s %q %.12s", p.ID, p.Filename, hash(t, p)))
	}
	for _, d := range m.Defects {
		g.Defects = append(g.Defects, d.Part+":"+d.Code)
	}
	return g
}

func mailboxes(list []parser.Address) []string {
	var out []string
	for _, a := range list {
		out = append(out, fmt.Sprintf("%s <%s> %s", a.Name, a.Address, a.Group))
	}
	return out
}

// brief is the beginning of a text and its hash.
func brief(s *string, charset string) string {
	if s == nil {
		return ""
	}
	sum := sha256.Sum256([]byte(*s))
	return fmt.Sprintf("%s %d %s %.40q", charset, len(*s), hex.EncodeToString(sum[:6]), *s)
}

func TestGolden(t *testing.T) {
	const file = "testdata/golden.jsonl"
	var got []golden
	err := filepath.WalkDir("testdata/corpus/mime", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".eml" && filepath.Ext(path) != ".msg" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
		if err != nil {
			return err
		}
		name, err := filepath.Rel("testdata/corpus/mime", path)
		got = append(got, goldenOf(t, name, m))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		for _, g := range got {
			if err := enc.Encode(g); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := readGolden(t, file)
	if len(got) != len(want) {
		t.Fatalf("%d messages, %d in %s", len(got), len(want), file)
	}
	for i := range got {
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", got[i].File, diff)
		}
	}
}

func readGolden(t *testing.T, file string) []golden {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []golden
	for dec := json.NewDecoder(f); dec.More(); {
		var g golden
		if err := dec.Decode(&g); err != nil {
			t.Fatal(err)
		}
		list = append(list, g)
	}
	return list
}
