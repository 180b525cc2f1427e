package storage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// TestFullDisk fills a small file system to the last octet: whatever is told to be accepted is there afterwards, nothing is
// half there, and the store goes on when there is space again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	for _, l := range layouts() {
		if l.postgres || l.bucket {
			continue // their disk is another one
		}
		t.Run(l.name, func(t *testing.T) { fillDisk(t, filepath.Join(dir, "data"), l) })
		if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
}

func fillDisk(t *testing.T, dir string, l layout) {
	blobs, err := storage.NewDir(filepath.Join(dir, "blobs"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := storage.Open(t.Context(), storage.Config{Dir: dir, Blobs: blobs, PackInBlobs: l.packInBlobs, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	filler := filepath.Join(dir, "filler")
	accepted := map[string][]byte{}
	tryAll := func() (refused int) {
		for _, size := range []int{50_000, 5_000, 100, 1_100_000, 10, 20, 30} {
			text := content(size)
			ids, err := s.Accept(t.Context(), envelope("ep_1"), newBody(text))
			var reply *inbound.Reply
			switch {
			case err == nil:
				accepted[ids[0]] = text
			case errors.As(err, &reply):
				t.Errorf("%d octets: a reply instead of trouble: %v", size, err)
			default:
				refused++
			}
		}
		return refused
	}
	for range 3 {
		if n := tryAll(); n > 0 {
			t.Fatalf("%d mails refused while there is space", n)
		}
		fill(t, filler)
		refused := 0
		for range 20 {
			refused += tryAll()
		}
		if refused == 0 {
			t.Error("no mail was refused on a full disk")
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		for id, text := range accepted {
			if !bytes.Equal(readRaw(t, s, id), text) {
				t.Errorf("message %s came back changed", id)
			}
		}
		if n := len(due(t, s, "ep_1")); n != len(accepted) {
			t.Errorf("%d deliveries, but %d mails were accepted", n, len(accepted))
		}
		checkClean(t, s)
		for _, d := range due(t, s, "ep_1") {
			if err := complete(s, attempt(d)); err != nil {
				t.Error(err)
			}
		}
		clear(accepted)
	}
}

// fill writes to a file until the file system takes no more.
func fill(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
