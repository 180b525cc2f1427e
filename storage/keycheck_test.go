package storage_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

func testKey(n byte) []byte { return bytes.Repeat([]byte{n}, storage.KeySize) }

// forBothEngines runs a test with the configurations of servers that begin with the same empty database. On SQLite they have the folder
// too, and so run one after the other.
func forBothEngines(t *testing.T, test func(t *testing.T, server func(keys ...[]byte) storage.Config)) {
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func(keys ...[]byte) storage.Config { return serverWith(t, dir, "", keys) })
	})
	t.Run("postgres", func(t *testing.T) {
		url := throwaway.Database(t)
		test(t, func(keys ...[]byte) storage.Config { return serverWith(t, t.TempDir(), url, keys) })
	})
}

func serverWith(t *testing.T, dir, url string, keys [][]byte) storage.Config {
	t.Helper()
	blobs, err := storage.NewDir(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return storage.Config{Dir: dir, Database: url, Blobs: blobs, Keys: keys}
}

// begins starts and stops a server.
func begins(t *testing.T, config storage.Config) error {
	t.Helper()
	s, err := storage.Open(t.Context(), config)
	if err != nil {
		return err
	}
	return s.Close()
}

// TestOtherKeyIsRefusedOnAnEmptyDatabase: the first server's key is the database's, before there is any mail, and through rotations.
func TestOtherKeyIsRefusedOnAnEmptyDatabase(t *testing.T) {
	steps := []struct {
		name string
		keys [][]byte
		ok   bool
	}{
		{"the first server", [][]byte{testKey(1)}, true},
		{"another key", [][]byte{testKey(2)}, false},
		{"no key", nil, false},
		{"the same key", [][]byte{testKey(1)}, true},
		{"a new key behind it", [][]byte{testKey(1), testKey(2)}, true},
		{"the new one alone, too early", [][]byte{testKey(2)}, false},
		{"the new key first", [][]byte{testKey(2), testKey(1)}, true},
		{"the old one alone again", [][]byte{testKey(1)}, false},
		{"the old one is gone", [][]byte{testKey(2)}, true},
		{"a third key", [][]byte{testKey(3)}, false},
	}
	forBothEngines(t, func(t *testing.T, server func(...[]byte) storage.Config) {
		for _, step := range steps {
			err := begins(t, server(step.keys...))
			if step.ok && err != nil || !step.ok && !errors.Is(err, storage.ErrOtherKey) {
				t.Fatalf("%s: %v", step.name, err)
			}
			if err != nil && !strings.Contains(err.Error(), "storage.key_file") {
				t.Errorf("%s: nothing says what to do: %v", step.name, err)
			}
		}
	})
}

// TestOfTwoFirstStartsOneWins starts servers with keys of their own at once on an empty database.
func TestOfTwoFirstStartsOneWins(t *testing.T) {
	const servers = 4
	url := throwaway.Database(t)
	var group sync.WaitGroup
	errs := make([]error, servers)
	for i := range servers {
		config := serverWith(t, t.TempDir(), url, [][]byte{testKey(byte(i + 1))})
		group.Go(func() {
			s, err := storage.Open(t.Context(), config)
			if errs[i] = err; err == nil {
				errs[i] = s.Close()
			}
		})
	}
	group.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, storage.ErrOtherKey) {
			t.Errorf("server %d: %v", i, err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d servers began, each with a key of its own", won, servers)
	}
}

// TestKeyOfAnOlderDatabase: one that was begun before its key was noted is not taken over with a key that does not open what it has.
func TestKeyOfAnOlderDatabase(t *testing.T) {
	forBothEngines(t, func(t *testing.T, server func(...[]byte) storage.Config) {
		config := server(testKey(1))
		s := open(t, config)
		declaration := storage.Declaration{Accounts: []string{"a"}, Endpoints: []storage.Endpoint{{Account: "a", Name: "app", StoredSecrets: true}}}
		if _, err := s.Apply(t.Context(), declaration); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := database(t, config).Exec("DELETE FROM instance_key"); err != nil {
			t.Fatal(err)
		}
		if err := begins(t, server(testKey(2))); !errors.Is(err, storage.ErrOtherKey) {
			t.Errorf("with another key: %v", err)
		}
		if err := begins(t, server(testKey(1))); err != nil {
			t.Errorf("with its own, after the other was refused: %v", err)
		}
	})
}
