package parser_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// TestCorpus parses every file of testdata, or of the folder that CORPUS names, and holds each against the promises of this
// package. What others read in these messages is compared in scores.
func TestCorpus(t *testing.T) {
	root := "testdata/corpus"
	if dir := os.Getenv("CORPUS"); dir != "" {
		root = dir
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
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
}

func hash(t *testing.T, p *parser.Part) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, p.Open()); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
