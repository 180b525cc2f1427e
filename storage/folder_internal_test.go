package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMakeFolderSyncsEveryNewName(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a", "b", "c")
	var synced []string
	sync := func(path string) error {
		synced = append(synced, path)
		return nil
	}
	if err := makeFolder(path, sync); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(root, "a", "b"), filepath.Join(root, "a"), root}
	if !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
	synced = nil
	if err := makeFolder(path, sync); err != nil || synced != nil {
		t.Errorf("a folder that is there: synced %q, error %v", synced, err)
	}
	broken := errors.New("broken")
	if err := makeFolder(filepath.Join(path, "d"), func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a failing sync: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeFolder(filepath.Join(root, "file", "d"), sync); err == nil {
		t.Error("a folder was made below a file")
	}
}

// TestStoreMakesItsFoldersDurable looks at what a store syncs when it makes its folders: the data folder and segments hold
// acknowledged mail from the first minute on.
func TestStoreMakesItsFoldersDurable(t *testing.T) {
	root := t.TempDir()
	var synced []string
	cfg := Config{Dir: filepath.Join(root, "new", "data"), syncFolder: func(path string) error {
		synced = append(synced, path)
		return nil
	}}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, path := range []string{root, filepath.Join(root, "new"), cfg.Dir} {
		if !slices.Contains(synced, path) {
			t.Errorf("%s was not synced; only %q were", path, synced)
		}
	}
}

// TestFilesAreTheOwnersAlone looks at every file that an open store has made: the keys of messages stand in the database.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "data")}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	files, err := filepath.Glob(filepath.Join(cfg.Dir, DatabaseName+"*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %q, error %v; want database, log and shared memory", files, err)
	}
	for _, path := range files {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, error %v", path, info.Mode(), err)
		}
	}
}

// TestRemoveUnused takes away what a store made of its folder before it came to nothing, and nothing that is used.
func TestRemoveUnused(t *testing.T) {
	for name, use := range map[string]func(dir string) (io.Closer, error){
		"unused":   func(string) (io.Closer, error) { return io.NopCloser(nil), nil },
		"locked":   func(dir string) (io.Closer, error) { return lockFolder(dir) },
		"a file":   func(dir string) (io.Closer, error) { return os.Create(filepath.Join(dir, "instance.key")) },
		"a blob":   func(dir string) (io.Closer, error) { return os.Create(filepath.Join(dir, "blobs", "pack")) },
		"database": func(dir string) (io.Closer, error) { return os.Create(filepath.Join(dir, DatabaseName)) },
	} {
		dir := filepath.Join(t.TempDir(), "new", "data")
		made, err := MissingFolders(dir)
		if err != nil || len(made) != 2 {
			t.Fatalf("%q, %v", made, err)
		}
		if err := MakeFolder(filepath.Join(dir, "blobs", "tmp")); err != nil {
			t.Fatal(err)
		}
		if lock, err := lockFolder(dir); err != nil || lock.Close() != nil {
			t.Fatal(err)
		}
		used, err := use(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := RemoveUnused(made); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Dir(dir)); errors.Is(err, fs.ErrNotExist) != (name == "unused") {
			t.Errorf("%s: %v", name, err)
		}
		if err := used.Close(); err != nil {
			t.Error(err)
		}
	}
}
