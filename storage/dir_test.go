package storage

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newTestDir(t *testing.T) *Dir {
	t.Helper()
	d, err := NewDir(filepath.Join(t.TempDir(), "new", "blobs"), newTestLinks(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDir(t *testing.T) {
	testBlobs(t, func(t *testing.T) Blobs { return newTestDir(t) })
}

func TestDirSurvivesReopening(t *testing.T) {
	d := newTestDir(t)
	putBlob(t, d, "att/a/m/h", []byte("content"))
	d, err := NewDir(d.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := readBlob(t, d, "att/a/m/h", 0, -1); string(got) != "content" {
		t.Errorf("%q", got)
	}
}

// TestDirSyncsBeforeItReturns records what is synced: the bytes before the rename, then every folder up to the root.
func TestDirSyncsBeforeItReturns(t *testing.T) {
	d := newTestDir(t)
	var synced []string
	d.sync = func(f *os.File) error {
		rel, err := filepath.Rel(d.root, f.Name())
		if err != nil {
			return err
		}
		if strings.HasPrefix(rel, dirTemp) {
			rel = "temp"
			if _, err := os.Stat(filepath.Join(d.root, "att/a/m/h")); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the object was visible before its bytes were synced")
			}
		} else if _, err := os.Stat(filepath.Join(d.root, "att/a/m/h")); err != nil {
			t.Errorf("%s was synced before the object was in place", rel)
		}
		synced = append(synced, rel)
		return f.Sync()
	}
	putBlob(t, d, "att/a/m/h", []byte("x"))
	if want := []string{"temp", "att/a/m", "att/a", "att", "."}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
}

// TestDirFailedSync lets each sync of a Put fail in turn: the call must say so, and the next one must do.
func TestDirFailedSync(t *testing.T) {
	for failing := range 5 {
		d := newTestDir(t)
		calls := 0
		d.sync = func(f *os.File) error {
			if calls++; calls-1 == failing {
				return syscall.EIO
			}
			return f.Sync()
		}
		if err := d.Put(t.Context(), "att/a/m/h", strings.NewReader("x"), 1); !errors.Is(err, syscall.EIO) {
			t.Errorf("sync %d failed, Put = %v", failing, err)
		}
		if left, err := os.ReadDir(filepath.Join(d.root, dirTemp)); err != nil || len(left) > 0 {
			t.Errorf("sync %d failed, temporary files left: %v, %v", failing, left, err)
		}
		d.sync = (*os.File).Sync
		putBlob(t, d, "att/a/m/h", []byte("x"))
	}
}

func TestDirReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root writes where it likes")
	}
	d := newTestDir(t)
	if err := os.Chmod(filepath.Join(d.root, dirTemp), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(t.Context(), "a", strings.NewReader("x"), 1); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Put = %v", err)
	}
}

func TestDirPermissions(t *testing.T) {
	d := newTestDir(t)
	putBlob(t, d, "att/a/m/h", []byte("x"))
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDirDeleteRemovesEmptyFolders(t *testing.T) {
	d := newTestDir(t)
	putBlob(t, d, "att/a/m1/h", []byte("x"))
	putBlob(t, d, "att/a/m2/h", []byte("x"))
	if err := d.Delete(t.Context(), "att/a/m1/h"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.root, "att/a/m1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty folder: %v", err)
	}
	if _, err := os.Stat(filepath.Join(d.root, "att/a/m2/h")); err != nil {
		t.Error(err)
	}
}

func TestDirRemovesStaleTemporaryFiles(t *testing.T) {
	d := newTestDir(t)
	stale, fresh := filepath.Join(d.root, dirTemp, "put-stale"), filepath.Join(d.root, dirTemp, "put-fresh")
	for _, name := range []string{stale, fresh} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-dirTempAge - time.Hour)
	if err := os.Chtimes(stale, old, old); err != nil {
		t.Fatal(err)
	}
	if keys := listBlobs(t, d, ""); len(keys) != 0 {
		t.Errorf("temporary files are listed: %q", keys)
	}
	if _, err := NewDir(d.root, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the stale one: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("the fresh one: %v", err)
	}
}

func TestDirURL(t *testing.T) {
	d := newTestDir(t)
	asked := time.Now().Add(time.Hour)
	url, expires, err := d.URL(t.Context(), AttachmentKey("acc_1", "msg_1", "ff"), Link{Filename: "a.pdf", Expires: asked})
	if err != nil || !strings.HasPrefix(url, "https://mail.example/hook/v1/blobs/att/acc_1/msg_1/ff?") {
		t.Errorf("%s, %v", url, err)
	}
	if expires.After(asked) || asked.Sub(expires) >= time.Second {
		t.Errorf("asked for %v, got %v", asked, expires)
	}
	if _, _, err := d.URL(t.Context(), "pack/x", Link{Expires: asked}); !errors.Is(err, errBadKey) {
		t.Errorf("a pack: %v", err)
	}
	bare, err := NewDir(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bare.URL(t.Context(), "att/a/m/h", Link{Expires: asked}); err == nil {
		t.Error("a link without a public URL")
	}
}

func BenchmarkDirPut(b *testing.B) {
	d, err := NewDir(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	content := noise(10_000, 1)
	for b.Loop() {
		if err := d.Put(b.Context(), "att/a/m/h", bytes.NewReader(content), int64(len(content))); err != nil {
			b.Fatal(err)
		}
	}
}
