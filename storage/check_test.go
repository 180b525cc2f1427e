package storage_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

func checkClean(t *testing.T, s *storage.Store) {
	t.Helper()
	if err := s.Check(t.Context(), func(f storage.Fault) { t.Errorf("fault: %v", f) }); err != nil {
		t.Fatal(err)
	}
}

// database opens a store's file past the store, to break something.
func database(t testing.TB, config storage.Config) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(config.Dir, "letterhook.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func damage(t testing.TB, config storage.Config, statement string, args ...any) {
	t.Helper()
	db := database(t, config)
	defer db.Close()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}

// rawFile is the only file with raw bytes in a store.
func rawFile(t testing.TB, config storage.Config, folder string) string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(config.Dir, folder), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "owner" {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) != 1 {
		t.Fatalf("files %q, error %v", found, err)
	}
	return found[0]
}

func TestCheckFindsDamage(t *testing.T) {
	flip := func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		size   int
		damage func(t *testing.T, c storage.Config)
		kind   string
	}{
		{"a delivery is lost", 10, func(t *testing.T, c storage.Config) { damage(t, c, "DELETE FROM delivery") }, storage.FaultOwed},
		{"a bit of a segment flipped", 10, func(t *testing.T, c storage.Config) { flip(t, rawFile(t, c, "segments")) }, storage.FaultBytes},
		{"a bit of a blob flipped", 2 << 20, func(t *testing.T, c storage.Config) { flip(t, rawFile(t, c, "blobs")) }, storage.FaultBytes},
		{"a segment is cut", 10, func(t *testing.T, c storage.Config) { os.Truncate(rawFile(t, c, "segments"), 5) }, storage.FaultBytes},
		{"a segment is gone", 10, func(t *testing.T, c storage.Config) { os.Remove(rawFile(t, c, "segments")) }, storage.FaultBytes},
		{"a blob is gone", 2 << 20, func(t *testing.T, c storage.Config) { os.Remove(rawFile(t, c, "blobs")) }, storage.FaultBytes},
		{"another hash", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE message SET sha256 = zeroblob(32)") }, storage.FaultBytes},
		{"another key", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE message SET key = zeroblob(32)") }, storage.FaultBytes},
		{"an envelope is no JSON", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE message SET envelope = '{'") }, storage.FaultRow},
		{"a message is lost", 10, func(t *testing.T, c storage.Config) { damage(t, c, "DELETE FROM message") }, storage.FaultReference},
		{"a pack's row is lost", 10, func(t *testing.T, c storage.Config) { damage(t, c, "DELETE FROM pack") }, storage.FaultPack},
		{"a pack counts wrongly", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE pack SET live = 7") }, storage.FaultPack},
		{"a pack in use is doomed", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE pack SET doomed_at = 1") }, storage.FaultPack},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := newConfig(t, layouts()[0])
			s := open(t, config)
			accept(t, s, envelope("ep_1"), newBody(content(test.size)))
			checkClean(t, s)
			test.damage(t, config)
			found := false
			err := s.Check(t.Context(), func(f storage.Fault) { found = found || f.Kind == test.kind })
			if err != nil || !found {
				t.Errorf("no fault of kind %s, error %v", test.kind, err)
			}
		})
	}
}
