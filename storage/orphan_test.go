package storage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/letterhook/letterhook/storage"
)

// orphan puts bytes without a row into all places for them, made at a time.
func orphan(t *testing.T, config storage.Config, at time.Time) (segment string, blobs []string) {
	t.Helper()
	id := strings.ToLower(ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String())
	segment = filepath.Join(config.Dir, "segments", id)
	if err := os.WriteFile(segment, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	paths := []string{segment}
	blobs = []string{"pack/" + id, "raw/acc_1/msg_" + id}
	for _, key := range blobs {
		if err := config.Blobs.Put(t.Context(), key, strings.NewReader("torn"), 4); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(blobsDir(config), key))
	}
	for _, path := range paths {
		if err := os.Chtimes(path, time.Time{}, at); err != nil {
			t.Fatal(err)
		}
	}
	return segment, blobs
}

func TestSweepTakesOrphans(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		clock.at = time.Now() // by which the folders date what is written
		config.Now = clock.now
		s := open(t, config)
		id := accept(t, s, envelope("ep_1"), newBody(content(100)))[0]
		large := accept(t, s, envelope("ep_1"), newBody(content(2<<20)))[0]
		att := storage.AttachmentKey("acc_1", "msg_1", "00")
		if err := config.Blobs.Put(t.Context(), att, bytes.NewReader([]byte("x")), 1); err != nil {
			t.Fatal(err)
		}
		old, _ := orphan(t, config, clock.at.Add(time.Hour))
		young, _ := orphan(t, config, clock.at.Add(10*time.Hour))
		clock.at = clock.at.Add(26 * time.Hour)
		if got := sweep(t, s, storage.Retention{}); got != (storage.Swept{Orphans: 3}) {
			t.Errorf("swept %+v, want 3 orphans", got)
		}
		if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the old one: %v", err)
		}
		if _, err := os.Stat(young); err != nil {
			t.Errorf("the young one: %v", err)
		}
		readRaw(t, s, id)
		readRaw(t, s, large)
	})
}

// TestRestoredDatabaseSparesNewerMail goes on with an older copy of the database: the bytes of the mail that came after
// the copy was made are all that is left of it.
func TestRestoredDatabaseSparesNewerMail(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		clock.at = time.Now()
		config.Now = clock.now
		s := open(t, config)
		accept(t, s, envelope("ep_1"), newBody(content(100)))
		clock.at = clock.at.Add(2 * time.Hour)
		sweep(t, s, storage.Retention{})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		restore := backup(t, config)
		s = open(t, config)
		for _, size := range []int{100, 2 << 20} {
			accept(t, s, envelope("ep_1"), newBody(content(size)))
		}
		clock.at = clock.at.Add(2 * time.Hour)
		sweep(t, s, storage.Retention{})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		segments, blobs := files(t, segmentsDir(config)), files(t, blobsDir(config))
		restore(&config)
		s = open(t, config)
		for range 3 {
			clock.at = clock.at.Add(2 * day)
			if got := sweep(t, s, storage.Retention{}); got.Orphans != 0 {
				t.Errorf("swept %+v of a time that the database does not know", got)
			}
		}
		if a, b := files(t, segmentsDir(config)), files(t, blobsDir(config)); a != segments || b != blobs {
			t.Errorf("%d segments and %d blobs are left of %d and %d", a, b, segments, blobs)
		}
	})
}
