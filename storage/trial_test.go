package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// filesIn is what lies in a folder, without the folders in it.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, entry := range list {
		if entry.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%s %x\n", entry.Name(), b)
	}
	return text
}

// copied is a folder with some of the files of another one, as a crash leaves them.
func copied(t *testing.T, from string, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestStoreIDChangesNothing: the id of a store is read beside its server, after it and after a crash, and no file is made or changed by that.
func TestStoreIDChangesNothing(t *testing.T) {
	config := serverWith(t, t.TempDir(), "", nil)
	s := open(t, config)
	running, err := storage.StoreID(t.Context(), config)
	if err != nil || running == "" {
		t.Fatalf("beside its server: %q, %v", running, err)
	}
	crashed := copied(t, config.Dir, storage.DatabaseName, storage.DatabaseName+"-wal", storage.DatabaseName+"-shm")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, storage.DatabaseName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, dir, want string }{
		{"ended", config.Dir, running}, {"crashed", crashed, running}, {"no database", t.TempDir(), ""}, {"an empty one", empty, ""},
	} {
		before := filesIn(t, tt.dir)
		id, err := storage.StoreID(t.Context(), storage.Config{Dir: tt.dir})
		if err != nil || id != tt.want {
			t.Errorf("%s: %q, %v", tt.name, id, err)
		}
		if filesIn(t, tt.dir) != before {
			t.Errorf("%s: files have changed", tt.name)
		}
	}
}

func TestStoreIDOnPostgres(t *testing.T) {
	config := serverWith(t, t.TempDir(), throwaway.Database(t), nil)
	if id, err := storage.StoreID(t.Context(), config); err != nil || id != "" {
		t.Errorf("an empty database: %q, %v", id, err)
	}
	open(t, config)
	if id, err := storage.StoreID(t.Context(), config); err != nil || id == "" {
		t.Errorf("a store: %q, %v", id, err)
	}
}
