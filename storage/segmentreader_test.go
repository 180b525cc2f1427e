package storage

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// openBelow is the number of descriptors of this process that lead to files below dir.
func openBelow(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here:", err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, dir) {
			n++
		}
	}
	return n
}

func TestSegmentReader(t *testing.T) {
	dir := t.TempDir()
	for _, key := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, key), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &segmentReader{path: func(key string) string { return filepath.Join(dir, key) }}
	read := func(s *openSegment) string {
		t.Helper()
		b, err := io.ReadAll(io.NewSectionReader(s, 0, 10))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	a1, err1 := r.open("a")
	a2, err2 := r.open("a")
	b, err3 := r.open("b")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if a1 != a2 || openBelow(t, dir) != 2 {
		t.Errorf("the segment is not shared: %d are open", openBelow(t, dir))
	}
	a1.Close()
	if got := read(a2) + read(b); got != "ab" {
		t.Errorf("read %q", got)
	}
	a2.Close()
	b.Close()
	if n := openBelow(t, dir); n != 1 {
		t.Errorf("%d are open, want the last one", n)
	}
	r.forget("a")
	if n := openBelow(t, dir); n != 1 {
		t.Errorf("%d are open after another was forgotten", n)
	}
	r.forget("b")
	if n := openBelow(t, dir); n != 0 {
		t.Errorf("%d are open after the last was forgotten", n)
	}
	if _, err := r.open("c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an absent segment: %v", err)
	}
}

func TestSegmentReaderAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, key := range []string{"a", "b", "c"} {
		if err := os.WriteFile(filepath.Join(dir, key), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &segmentReader{path: func(key string) string { return filepath.Join(dir, key) }}
	var all sync.WaitGroup
	for _, key := range []string{"a", "b", "c", "a"} {
		all.Go(func() {
			for range 200 {
				s, err := r.open(key)
				if err != nil {
					t.Error(err)
					return
				}
				var got [1]byte
				if _, err := s.ReadAt(got[:], 0); err != nil || string(got[:]) != key {
					t.Errorf("%s: read %q, %v", key, got, err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if key == "c" {
					r.forget("")
				}
			}
		})
	}
	all.Wait()
	r.forget("")
	if n := openBelow(t, dir); n != 0 {
		t.Errorf("%d are open", n)
	}
}
