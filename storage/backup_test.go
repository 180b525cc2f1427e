package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestBackup saves a store that goes on, twice into the same folder, and opens what was saved: all that was accepted before is there, whole.
func TestBackup(t *testing.T) {
	for _, l := range []layout{{}, {packInBlobs: true}, {bucket: true}} {
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) {
			v := newLived(t, l)
			dir := t.TempDir()
			for range 2 {
				stop, stopped := make(chan bool), sync.WaitGroup{}
				stopped.Go(func() { // whoever accepts meanwhile is in it or not, but never by half
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
							accept(t, v.store, envelope("ep_1"), newBody(content(1000+n)))
						}
					}
				})
				owed := owedBy(t, v.store, "ep_2")
				beside := v.Config
				beside.Beside = true
				other, err := storage.Open(t.Context(), beside)
				if err != nil {
					t.Fatal(err)
				}
				r, err := other.Backup(t.Context(), dir, nil)
				close(stop)
				stopped.Wait()
				if err := errors.Join(err, other.Close()); err != nil {
					t.Fatal(err)
				}
				if r.Blobs == l.bucket || r.Messages < int64(len(v.raw)) {
					t.Errorf("%+v", r)
				}
				restored := restore(t, v.Config, dir)
				if got := owedBy(t, restored, "ep_2"); fmt.Sprint(got) != fmt.Sprint(owed) {
					t.Errorf("owed %q, want %q", got, owed)
				}
				for id, text := range v.raw {
					if !bytes.Equal(readRaw(t, restored, id), text) {
						t.Errorf("the bytes of %s changed", id)
					}
				}
				checkClean(t, restored)
				accept(t, restored, envelope("ep_1"), newBody(content(10)))
				checkClean(t, restored)
				if err := restored.Close(); err != nil {
					t.Fatal(err)
				}
				v.accept(t, content(5000))
				complete(v.store, attempt(due(t, v.store, "ep_2")[0]))
			}
		})
	}
}

// restore opens a copy of a backup, as somebody would who lost the data folder.
func restore(t *testing.T, config storage.Config, dir string) *storage.Store {
	t.Helper()
	config.Dir = t.TempDir()
	if err := os.CopyFS(config.Dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if _, ok := config.Blobs.(bucket); !ok {
		blobs, err := storage.NewDir(filepath.Join(config.Dir, "blobs"), nil)
		if err != nil {
			t.Fatal(err)
		}
		config.Blobs = blobs
	}
	s, err := storage.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBackupAmidRetention lets retention and an erasure take messages away between two backups: nothing that the second one needs
// is missing, and what it does not need goes.
func TestBackupAmidRetention(t *testing.T) {
	v := newLived(t, layout{packInBlobs: true})
	dir := t.TempDir()
	first, err := v.store.Backup(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var gone string
	for id, text := range v.raw {
		if len(text) > 1<<20 {
			gone = id
		}
	}
	if _, err := v.store.Erase(t.Context(), storage.Erasure{Message: gone}); err != nil {
		t.Fatal(err)
	}
	damage(t, v.Config, "DELETE FROM delivery WHERE message = '"+gone+"'")
	damage(t, v.Config, "UPDATE pack SET live = 0 WHERE key LIKE 'raw/%'")
	second, err := v.store.Backup(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if second.Objects != first.Objects-1 || second.Removed != 1 || second.Copied != 0 {
		t.Errorf("first %+v, second %+v", first, second)
	}
}

// TestBackupIsRefused: of PostgreSQL, into the data folder, over another store's, and of a store that lacks bytes.
func TestBackupIsRefused(t *testing.T) {
	v := newLived(t, layout{})
	if _, err := v.store.Backup(t.Context(), v.Dir, nil); err == nil {
		t.Error("into the data folder itself")
	}
	dir := t.TempDir()
	if _, err := newLived(t, layout{}).store.Backup(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := v.store.Backup(t.Context(), dir, nil); !errors.Is(err, storage.ErrNotEmpty) {
		t.Errorf("over the backup of another store: %v", err)
	}
	if _, err := newLived(t, layout{postgres: true}).store.Backup(t.Context(), t.TempDir(), nil); !errors.Is(err, storage.ErrNoBackup) {
		t.Errorf("of PostgreSQL: %v", err)
	}
	if err := os.Remove(firstFile(t, segmentsDir(v.Config))); err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	if _, err := v.store.Backup(t.Context(), into, nil); err == nil {
		t.Error("of a store whose segment is lost")
	}
	if _, err := os.Stat(filepath.Join(into, storage.DatabaseName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup with lost bytes was placed: %v", err)
	}
}
