package inbound

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestTempFileIsWrittenOut: the disk has what a temporary file holds a few seconds after it was written, not half a minute after, when
// the kernel would write those of all at once.
func TestTempFileIsWrittenOut(t *testing.T) {
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type == unix.TMPFS_MAGIC {
		t.Skip("a file in memory is never written out")
	}
	synctest.Test(t, func(t *testing.T) {
		f, err := newTempFile(dir, new(sync.Mutex))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		piece := bytes.Repeat([]byte("x"), writeOutPiece+100)
		for n := range 3 { // the last page of each is written to again
			if _, err := f.Write(piece); err != nil {
				t.Fatal(err)
			}
			if n == 0 && dirtyPages(t, f) == 0 {
				t.Skip("this file system writes at once")
			}
			time.Sleep(writeOutAfter)
			synctest.Wait()
			if left := dirtyPages(t, f); left != 0 {
				t.Errorf("after write %d: %d pages are not written out", n+1, left)
			}
		}
	})
}

// TestTempFileClosedBeforeItIsWrittenOut: nothing is done for a message that was quick.
func TestTempFileClosedBeforeItIsWrittenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := newTempFile(t.TempDir(), new(sync.Mutex))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if f.timer.Stop() {
			t.Error("the timer of a closed file runs on")
		}
		f.writeOut() // as if the timer had been faster
		if f.out != 0 {
			t.Errorf("%d octets of a closed file were written out", f.out)
		}
	})
}

// dirtyPages counts the pages of a file that wait for the disk.
func dirtyPages(t *testing.T, f *tempFile) uint64 {
	t.Helper()
	var pages unix.Cachestat_t
	err := unix.Cachestat(uint(f.file.Fd()), &unix.CachestatRange{}, &pages, 0)
	if errors.Is(err, unix.ENOSYS) {
		t.Skip("the kernel does not tell (before 6.5)")
	}
	if err != nil {
		t.Fatal(err)
	}
	return pages.Dirty + pages.Writeback
}
