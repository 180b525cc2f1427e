package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestMissingKeyIsExplained: before the first start the server will make it; beside a database nothing but a copy of it helps, and no other one is made.
func TestMissingKeyIsExplained(t *testing.T) {
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "letterhook.yaml")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.NewReplacer("DATA", data, "URL", "http://127.0.0.1:1/").Replace(served)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(word, name string) {
		t.Helper()
		if out, err := command(t, name, "-c", file); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s does not say %q: %v\n%s", name, word, err, out)
		}
	}
	refused("starts for the first time", "fsck")
	if err := os.WriteFile(filepath.Join(data, storage.DatabaseName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("bring it back", "fsck")
	refused("bring it back", "serve")
	if _, err := os.Stat(filepath.Join(data, instanceKeyName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a server made a key beside a database that was begun with another one: %v", err)
	}
}
