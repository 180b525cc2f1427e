package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/letterhook/letterhook/docs/schema/schematest"
)

// TestParseTwice: the same mail gives the same octets of JSON, whatever else happens. CORPUS names a corpus other than the copy.
func TestParseTwice(t *testing.T) {
	root, least := "../../parser/testdata/corpus", 1000
	if dir := os.Getenv("CORPUS"); dir != "" {
		root, least = dir, 2000
	}
	mails := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		mails++
		if first, second := parseToJSON(t, path), parseToJSON(t, path); !bytes.Equal(first, second) {
			t.Errorf("%s: two runs differ", path)
		}
		return nil
	})
	if err != nil || mails < least {
		t.Fatalf("%d files, at least %d must be there; error %v", mails, least, err)
	}
	t.Logf("%d files, each twice", mails)
}

// TestParseFitsTheSchema: what the command prints of any mail is what the published schema promises of an event's data.
func TestParseFitsTheSchema(t *testing.T) {
	mails := 0
	for root, least := range map[string]int{"../../parser/testdata/corpus": 1000, "e2e/testdata/corpus": 80} {
		before := mails
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			mails++
			if err := schematest.CheckData(parseToJSON(t, path)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			return nil
		})
		if err != nil || mails-before < least {
			t.Fatalf("%s: %d files, at least %d must be there; error %v", root, mails-before, least, err)
		}
	}
}

func parseToJSON(t *testing.T, path string) []byte {
	t.Helper()
	var out bytes.Buffer
	cmd := newParseCommand()
	cmd.SetArgs([]string{path})
	cmd.SetOut(&out)
	if err := cmd.Execute(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out.Bytes()
}
