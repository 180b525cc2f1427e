package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is one message of the corpus. Each goes to a recipient of its own, by which its event is told from the others.
type sample struct {
	path    string
	content []byte // as it lies on disk
	to      string
}

// corpus reads the messages of testdata/corpus, or of the folder that the environment variable CORPUS names: every
// .eml and .msg file in it.
func corpus(t *testing.T) []sample {
	t.Helper()
	dir := os.Getenv("CORPUS")
	if dir == "" {
		dir = filepath.Join("testdata", "corpus")
	}
	var samples []sample
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || d.IsDir() || ext != ".eml" && ext != ".msg" {
			return err
		}
		content, err := os.ReadFile(path)
		to := fmt.Sprintf("m%04d@corpus.example", len(samples))
		samples = append(samples, sample{path, content, to})
		return err
	})
	if err != nil {
		t.Fatalf("reading the corpus: %v", err)
	}
	if len(samples) < 50 {
		t.Fatalf("only %d messages in %s", len(samples), dir)
	}
	return samples
}

func sum(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}

// stored returns the paths of the files below dir whose name is name.
func stored(t *testing.T, dir, name string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() == name {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestCorpusHoldsTheOddities keeps the corpus worth its name: these are what a server is most likely to alter.
func TestCorpusHoldsTheOddities(t *testing.T) {
	oddities := map[string]func(string) bool{
		"NUL":               func(s string) bool { return strings.Contains(s, "\x00") },
		"bare LF":           func(s string) bool { return strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\n") },
		"bare CR":           func(s string) bool { return strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\r") },
		"a line of one dot": func(s string) bool { return strings.Contains(s, "\n.\n") || strings.Contains(s, "\n.\r\n") },
		"64 KiB without CR LF": func(s string) bool {
			return slices.ContainsFunc(strings.Split(s, "\r\n"), func(l string) bool { return len(l) > 64<<10 })
		},
		"no line end at its end": func(s string) bool { return !strings.HasSuffix(s, "\n") },
		"octets above 127":       func(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) },
	}
	samples := corpus(t)
	for name, has := range oddities {
		found := false
		for _, s := range samples {
			found = found || has(string(s.content))
		}
		if !found {
			t.Errorf("no message holds %s", name)
		}
	}
}
