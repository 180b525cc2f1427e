package storage_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
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
	driver, name := "sqlite", "file:"+filepath.Join(config.Dir, storage.DatabaseName)+"?_pragma=busy_timeout(5000)"
	if config.Database != "" {
		driver, name = "pgx", config.Database
	}
	db, err := sql.Open(driver, name)
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
	if config.Database != "" {
		statement = strings.Replace(statement, "?", "$1", 1)
	}
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
		{"another hash", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE message SET sha256 = ?", make([]byte, 32)) }, storage.FaultBytes},
		{"another key", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE message SET key = ?", make([]byte, 32)) }, storage.FaultBytes},
		{"an envelope is no JSON", 10, func(t *testing.T, c storage.Config) { damage(t, c, "UPDATE message SET envelope = '{'") }, storage.FaultRow},
		{"a message is lost", 10, func(t *testing.T, c storage.Config) {
			damage(t, c, "DELETE FROM message")
			damage(t, c, "DELETE FROM stock")
		}, storage.FaultReference},
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

// TestCheckFindsLostAttachments: what a summary says is stored is there, octet for octet.
func TestCheckFindsLostAttachments(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(string) error
	}{
		{"gone", os.Remove},
		{"changed", func(path string) error { return os.WriteFile(path, []byte("another"), 0o600) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := newConfig(t, layouts()[0])
			s := open(t, config)
			id := accept(t, s, envelope("ep_1"), newBody(content(10)))[0]
			sum := sha256.Sum256([]byte("attached"))
			key := storage.AttachmentKey("acc_1", id, hex.EncodeToString(sum[:]))
			if err := config.Blobs.Put(t.Context(), key, strings.NewReader("attached"), 8); err != nil {
				t.Fatal(err)
			}
			c := attempt(due(t, s, "ep_1")[0])
			c.Summary = &storage.Summary{Attachments: []storage.AttachmentBlob{{Part: "2", Key: key, Size: 8, SHA256: hex.EncodeToString(sum[:])}}}
			if err := complete(s, c); err != nil {
				t.Fatal(err)
			}
			checkClean(t, s)
			if err := test.damage(filepath.Join(config.Dir, "blobs", filepath.FromSlash(key))); err != nil {
				t.Fatal(err)
			}
			found := false
			err := s.Check(t.Context(), func(f storage.Fault) { found = found || f.Kind == storage.FaultAttachment })
			if err != nil || !found {
				t.Errorf("the attachment was not missed, error %v", err)
			}
		})
	}
}

// TestWrongInstanceKeyIsToldAtStart: without the key that wrapped the messages' keys, nothing would be readable.
func TestWrongInstanceKeyIsToldAtStart(t *testing.T) {
	config := newConfig(t, layouts()[0])
	config.Keys = [][]byte{bytes.Repeat([]byte{1}, 32)}
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	config.Keys = [][]byte{bytes.Repeat([]byte{2}, 32)}
	if s, err := storage.Open(t.Context(), config); err == nil {
		t.Error("a store opened with a key that opens nothing in it", s.Close())
	}
	config.Keys = [][]byte{bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{1}, 32)}
	checkClean(t, open(t, config))
}
