package scores_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// disagreement is a field of a message on which a truth and this parser differ.
type disagreement struct{ truth, file, field string }

// explained is the table of disagreements that somebody looked at, each with its reason. docs/parser-differences.md lists the
// same rows and says what each reason means.
func explained(t *testing.T) map[disagreement]string {
	t.Helper()
	b, err := os.ReadFile("testdata/explained.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[disagreement]string{}
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(cells) != 4 {
			t.Fatalf("explained.tsv: %q has not four cells", line)
		}
		d := disagreement{truth: cells[0], file: cells[1], field: cells[2]}
		if rows[d] != "" {
			t.Errorf("explained.tsv: %v stands twice", d)
		}
		rows[d] = cells[3]
	}
	return rows
}

// truth compares with one source of truth, field by field. A row that differs must be explained, and one that is explained
// must differ: the table can hide nothing new, and nothing in it outlives its cause.
type truth struct {
	t         *testing.T
	name      string
	scores    []*score
	explained map[disagreement]string
	seen      map[disagreement]bool
}

func newTruth(t *testing.T, name string, scores ...*score) *truth {
	t.Helper()
	return &truth{t: t, name: name, scores: scores, explained: explained(t), seen: map[disagreement]bool{}}
}

func (c *truth) score(field string) *score {
	i := slices.IndexFunc(c.scores, func(s *score) bool { return s.name == c.name+" "+field })
	return c.scores[i] // a panic when a test forgot to declare it
}

func (c *truth) has(field string) bool {
	return slices.ContainsFunc(c.scores, func(s *score) bool { return s.name == c.name+" "+field })
}

// note counts a field of a file.
func (c *truth) note(file, field string, same bool, ours, theirs any) {
	c.t.Helper()
	s := c.score(field)
	d := disagreement{truth: c.name, file: file, field: field}
	why, known := c.explained[d]
	c.seen[d] = true
	switch {
	case known && same:
		c.t.Errorf("%s: %s: explained by %s, but there is no disagreement", file, field, why)
	case known:
		s.explained++
		same = true
	}
	s.note(c.t, file, same, ours, theirs)
}

func (c *truth) report() {
	c.t.Helper()
	for d := range c.explained {
		if d.truth == c.name && wholeCorpus() && !c.seen[d] && c.has(d.field) {
			c.t.Errorf("explained.tsv: %v was never compared", d)
		}
	}
	for _, s := range c.scores {
		s.report(c.t)
	}
}

// TestExplained: every explained row stands in the documentation, under a reason that it describes; of enmime's the reasons do.
func TestExplained(t *testing.T) {
	b, err := os.ReadFile("../../docs/parser-differences.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	rows, enmime := explained(t), 0
	for d, reason := range rows {
		if d.truth == "enmime" {
			enmime++ // the reasons say more than its many rows would
		} else if !strings.Contains(doc, fmt.Sprintf("\n| %s | %s | %s | %s |\n", d.truth, d.file, d.field, reason)) {
			t.Errorf("docs/parser-differences.md does not list %v: %s", d, reason)
		}
		if !strings.Contains(doc, "\n| `"+reason+"` | ") {
			t.Errorf("docs/parser-differences.md does not describe %s", reason)
		}
	}
	if listed := strings.Count(doc, "\n| stdlib | ") + strings.Count(doc, "\n| stalwart | ") + strings.Count(doc, "\n| mime4j | "); listed != len(rows)-enmime {
		t.Errorf("docs/parser-differences.md lists %d rows, explained.tsv %d", listed, len(rows)-enmime)
	}
}

func parse(t *testing.T, raw []byte) *parser.Message {
	t.Helper()
	m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// parseFile parses a message of a set.
func parseFile(t *testing.T, path ...string) *parser.Message {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, raw)
}

// mailboxes lists the addresses, each domain in lower case, without those that have none.
func mailboxes(list []parser.Address) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.Address)
	}
	return lowerDomains(out)
}

func lowerDomains(addresses []string) []string {
	var out []string
	for _, a := range addresses {
		if a == "" {
			continue
		}
		at := strings.LastIndexByte(a, '@')
		out = append(out, a[:at+1]+strings.ToLower(a[at+1:]))
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
