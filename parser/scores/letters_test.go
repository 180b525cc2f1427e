package scores_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

var letterName = regexp.MustCompile(`^test_([a-z]+)_(plaintext|multipart_mixed)_(.+)_over_(.+)\.txt\.eml$`)

// TestLetters: the same letter in every charset and transfer encoding is the same text.
func TestLetters(t *testing.T) {
	s := newScore("letters text", floor{1, 78}, floor{1, 78})
	files, err := filepath.Glob(filepath.Join(folder(t, "mime/letters"), "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]string{}
	for _, path := range files {
		name := letterName.FindStringSubmatch(filepath.Base(path))
		if name == nil {
			s.skip(t, filepath.Base(path), "it is no letter of the table")
			continue
		}
		m := parseFile(t, path)
		ours := fold(deref(m.Text))
		if _, ok := first[name[1]]; !ok {
			first[name[1]] = ours
		}
		s.note(t, filepath.Base(path), ours == first[name[1]] && m.Text != nil, ours, first[name[1]])
	}
	s.report(t)
}
