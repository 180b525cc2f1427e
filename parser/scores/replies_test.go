package scores_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser/reply"
)

// replyContradictions are facts of other sets that are against what discourse, the first authority, or this project's contract
// says. docs/replies.md has the reasons at length.
var replyContradictions = map[string]string{
	"replies/crisp/email_with_regards.txt":    "a greeting and a name at the end stay",
	"replies/talon-standard/iphone.eml":       "what a phone adds goes",
	"replies/talon-standard/sparrow.eml":      "a signature below -- goes",
	"replies/discourse/forwarded_message.txt": "a mere forwarded mail is left whole, its header included",
}

// replyCheck counts, over all sets, what is promised of any text.
type replyCheck struct{ covered, filled *score }

func newReplyCheck() replyCheck {
	return replyCheck{newScore("replies segments are the text", floor{1, 334}, floor{1, 244}), newScore("replies not empty", floor{1, 220}, floor{1, 130})}
}

// split takes a text apart; truth is the reply expected where that is known.
func (c replyCheck) split(t *testing.T, row, text, truth string) reply.Reply {
	t.Helper()
	r := reply.Split(text)
	joined := ""
	for _, s := range r.Segments {
		joined += s.Text
	}
	c.covered.note(t, row, joined == text, joined, text)
	if strings.TrimSpace(truth) != "" {
		c.filled.note(t, row, r.Text != "", r.Text, truth)
	}
	return r
}

// TestReplies compares with the sets of texts.
func TestReplies(t *testing.T) {
	c := newReplyCheck()
	compareDiscourse(t, c)
	compareReplyFacts(t, c, "crisp", newScore("replies/crisp", floor{0.97, 70}, floor{0.97, 70}))
	compareReplyFacts(t, c, "zapier", newScore("replies/zapier", floor{1, 11}, floor{1, 11}))
	compareReplyFacts(t, c, "willdurand", newScore("replies/willdurand", floor{0.95, 24}, floor{0.95, 24}))
	compareTalon(t, c)
	compareSignatures(t, c, "talon-signatures", newScore("replies/talon-signatures", floor{1, 8}, floor{1, 8}))
	compareSignatures(t, c, "forge", newScore("replies/forge", floor{0.98, 90}, floor{}))
	for _, path := range textsOf(t, "replies/github", "") {
		c.split(t, path, readText(t, path), "")
	}
	c.covered.report(t)
	c.filled.report(t)
}

func compareDiscourse(t *testing.T, c replyCheck) {
	t.Helper()
	trimmed := newScore("replies/discourse trimmed", floor{0.97, 35}, floor{0.97, 35})
	before := newScore("replies/discourse before", floor{1, 6}, floor{1, 6})
	for _, path := range textsOf(t, "replies/discourse/emails", ".txt") {
		name := filepath.Base(path)
		want := readText(t, filepath.Join(filepath.Dir(path), "../trimmed", name))
		r := c.split(t, name, readText(t, path), want)
		trimmed.note(t, name, fold(r.Text) == fold(want), r.Text, want)
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "../before", name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case replyContradictions["replies/discourse/"+name] != "":
			before.skip(t, name, replyContradictions["replies/discourse/"+name])
		default:
			before.note(t, name, fold(r.Text) == fold(string(b)), r.Text, string(b))
		}
	}
	trimmed.report(t)
	before.report(t)
}

// compareReplyFacts compares with a truth.jsonl. willdurand has none; its texts are those of crisp.
func compareReplyFacts(t *testing.T, c replyCheck, set string, s *score) {
	t.Helper()
	facts := "replies/" + set
	if set == "willdurand" {
		facts = "replies/crisp"
	}
	seen := map[string]bool{}
	for line := range strings.Lines(readText(t, filepath.Join(folder(t, facts), "truth.jsonl"))) {
		var fact map[string]any
		if err := json.Unmarshal([]byte(line), &fact); err != nil {
			t.Fatal(err)
		}
		name, _ := fact["file"].(string)
		row := "replies/" + set + "/" + name
		path := filepath.Join(folder(t, "replies/"+set), name)
		seen[path] = true
		if _, err := os.Stat(path); err != nil && set == "willdurand" {
			continue
		}
		if why := replyContradictions[row]; why != "" {
			s.skip(t, row, why)
			continue
		}
		truth, _ := fact["equals"].(string)
		text := readText(t, path)
		r := c.split(t, row, text, truth)
		s.note(t, row, factHolds(fact, r.Text, text), r.Text, fact)
	}
	for _, path := range textsOf(t, "replies/"+set, ".txt") {
		if !seen[path] {
			c.split(t, path, readText(t, path), "")
		}
	}
	s.report(t)
}

// factHolds reports whether a reply is as a line of a truth.jsonl says.
func factHolds(fact map[string]any, ours, text string) bool {
	holds := map[string]func(word string) bool{
		"equals":       func(w string) bool { return fold(ours) == fold(w) },
		"matches":      func(w string) bool { return regexp.MustCompile("(?m)" + w).MatchString(ours) },
		"cut_matches":  func(w string) bool { return !regexp.MustCompile("(?m)" + w).MatchString(ours) },
		"contains":     func(w string) bool { return strings.Contains(ours, w) },
		"not_contains": func(w string) bool { return !strings.Contains(ours, w) },
	}
	for key, value := range fact {
		if key == "whole_text_kept" && fold(ours) != fold(text) {
			return false
		}
		words, many := value.([]any)
		if !many {
			words = []any{value}
		}
		for _, word := range words {
			if w, ok := word.(string); ok && holds[key] != nil && !holds[key](w) {
				return false
			}
		}
	}
	return true
}

// compareTalon compares with whole mails, and with HTML.
func compareTalon(t *testing.T, c replyCheck) {
	t.Helper()
	mails := newScore("replies/talon-standard", floor{1, 10}, floor{1, 10})
	for line := range strings.Lines(readText(t, filepath.Join(folder(t, "replies/talon-standard"), "truth.jsonl"))) {
		var fact map[string]any
		if err := json.Unmarshal([]byte(line), &fact); err != nil {
			t.Fatal(err)
		}
		name, _ := fact["file"].(string)
		if why := replyContradictions["replies/talon-standard/"+name]; why != "" {
			mails.skip(t, name, why)
			continue
		}
		m := parseFile(t, folder(t, "replies/talon-standard"), name)
		r := c.split(t, name, deref(m.Text), "Hello")
		mails.note(t, name, factHolds(fact, r.Text, deref(m.Text)), r.Text, fact)
	}
	mails.report(t)

	cut := newScore("replies/talon-html html", floor{1, 9}, floor{1, 9})
	text := newScore("replies/talon-html text", floor{1, 9}, floor{1, 9})
	const want = "Hi.Iamfine.Thanks,Alex"
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for _, path := range textsOf(t, "replies/talon-html/html_replies", ".html") {
		raw := "Content-Type: text/html; charset=utf-8\n\n" + readText(t, path)
		m := parse(t, []byte(raw))
		r := c.split(t, path, deref(m.Text), want)
		text.note(t, path, squeeze(r.Text) == want, r.Text, want)
		left := parse(t, []byte("Content-Type: text/html; charset=utf-8\n\n"+deref(m.ReplyHTML)))
		cut.note(t, path, squeeze(deref(left.Text)) == want, deref(m.ReplyHTML), want)
	}
	cut.report(t)
	text.report(t)
}

// compareSignatures compares with texts whose signatures are known. All above must stay. The signature must go where a delimiter
// is its first line: without one a name and an address stay, as discourse has it.
func compareSignatures(t *testing.T, c replyCheck, set string, s *score) {
	t.Helper()
	for _, path := range textsOf(t, "replies/"+set, "_body") {
		text, above, signature := signed(t, path)
		row := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		r := c.split(t, row, text, above)
		s.note(t, row+": what stays", strings.HasPrefix(fold(r.Text), fold(above)), r.Text, above)
		first, _, _ := strings.Cut(signature, "\n")
		switch {
		case signature == "":
		case strings.Trim(first, "- ") == "" && strings.HasPrefix(strings.TrimSpace(first), "--"):
			s.note(t, row+": what goes", fold(r.Text) == fold(above), r.Text, signature)
		default:
			s.skip(t, row+": what goes", "no delimiter: a name and an address stay")
		}
	}
	s.report(t)
}

// signed reads a text whose signature is marked line by line, or stands in a file beside it.
func signed(t *testing.T, path string) (text, above, signature string) {
	t.Helper()
	var lines, marked []string
	for line := range strings.Lines(readText(t, path)) {
		plain, is := strings.CutPrefix(strings.TrimRight(line, "\n"), "#sig#")
		lines = append(lines, plain)
		if is {
			marked = append(marked, plain)
		}
	}
	text = strings.Join(lines, "\n")
	signature = strings.Join(marked, "\n")
	if beside := strings.TrimSuffix(path, "_body") + "_signature"; len(marked) == 0 {
		if b, err := os.ReadFile(beside); err == nil {
			signature = strings.TrimSpace(string(b))
		}
	}
	above, _, ok := strings.Cut(text, signature)
	if signature == "" || !ok {
		return text, text, ""
	}
	return text, above, signature
}

// textsOf lists the files below the folder of a set whose names end so.
func textsOf(t *testing.T, set, ending string) []string {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(folder(t, set), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ending) {
			found[path] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

// readText reads a text with the line ends that a parsed mail has.
func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}
