package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

// testBlobs is what every kind of Blobs must do. open gives an empty one.
func testBlobs(t *testing.T, open func(t *testing.T) Blobs) {
	t.Run("round trip", func(t *testing.T) { testBlobsRoundTrip(t, open(t)) })
	t.Run("ranges", func(t *testing.T) { testBlobsRanges(t, open(t)) })
	t.Run("absent", func(t *testing.T) { testBlobsAbsent(t, open(t)) })
	t.Run("same key again", func(t *testing.T) { testBlobsSameKey(t, open(t)) })
	t.Run("list", func(t *testing.T) { testBlobsList(t, open(t)) })
	t.Run("bad keys", func(t *testing.T) { testBlobsBadKeys(t, open(t)) })
	t.Run("failed put", func(t *testing.T) { testBlobsFailedPut(t, open(t)) })
	t.Run("concurrent", func(t *testing.T) { testBlobsConcurrent(t, open(t)) })
}

func readBlob(t *testing.T, b Blobs, key string, offset, n int64) []byte {
	t.Helper()
	r, err := b.OpenRange(t.Context(), key, offset, n)
	if err != nil {
		t.Fatalf("OpenRange(%s, %d, %d): %v", key, offset, n, err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return got
}

func putBlob(t *testing.T, b Blobs, key string, content []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatalf("Put(%s): %v", key, err)
	}
}

func listBlobs(t *testing.T, b Blobs, prefix string) (keys []string) {
	t.Helper()
	for o, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys
}

func testBlobsRoundTrip(t *testing.T, b Blobs) {
	for _, size := range []int{0, 1, 70_000, 6 << 20} {
		key := AttachmentKey("acc_1", "msg_1", fmt.Sprint("hash", size))
		content := noise(size, byte(size))
		putBlob(t, b, key, content)
		if !bytes.Equal(readBlob(t, b, key, 0, -1), content) {
			t.Errorf("%d octets came back changed", size)
		}
	}
	// From where the reader stands, and no octet more than asked for.
	r := strings.NewReader("0123456789")
	r.Seek(3, io.SeekStart)
	if err := b.Put(t.Context(), "pack/a", r, 4); err != nil {
		t.Fatal(err)
	}
	if got := readBlob(t, b, "pack/a", 0, -1); string(got) != "3456" {
		t.Errorf("stored %q", got)
	}
}

func testBlobsRanges(t *testing.T, b Blobs) {
	putBlob(t, b, "pack/x", []byte("0123456789"))
	putBlob(t, b, "pack/empty", nil)
	tests := []struct {
		key       string
		offset, n int64
		want      string
	}{
		{"pack/x", 0, -1, "0123456789"}, {"pack/x", 0, 10, "0123456789"}, {"pack/x", 0, 1, "0"}, {"pack/x", 9, 1, "9"},
		{"pack/x", 3, 4, "3456"}, {"pack/x", 3, -1, "3456789"}, {"pack/x", 3, 0, ""}, {"pack/x", 8, 100, "89"},
		{"pack/x", 10, -1, ""}, {"pack/x", 10, 5, ""}, {"pack/x", 99, 5, ""},
		{"pack/empty", 0, -1, ""}, {"pack/empty", 0, 0, ""}, {"pack/empty", 0, 5, ""},
	}
	for _, tt := range tests {
		if got := readBlob(t, b, tt.key, tt.offset, tt.n); string(got) != tt.want {
			t.Errorf("%s from %d, %d octets: %q, want %q", tt.key, tt.offset, tt.n, got, tt.want)
		}
	}
	if _, err := b.OpenRange(t.Context(), "pack/x", -1, 2); err == nil {
		t.Error("a negative offset was taken")
	}
}

func testBlobsAbsent(t *testing.T, b Blobs) {
	putBlob(t, b, "att/a/m/hash", []byte("x"))
	for _, key := range []string{"att/a/m/other", "att/a/m", "att", "none/at/all", "att/a/m/hash/below"} {
		for _, n := range []int64{-1, 0, 5} {
			if _, err := b.OpenRange(t.Context(), key, 0, n); !errors.Is(err, ErrNotFound) {
				t.Errorf("OpenRange(%s, 0, %d): %v", key, n, err)
			}
		}
	}
	for _, key := range []string{"att/a/m/hash", "att/a/m/hash", "att/a/m/other", "none/at/all"} {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%s): %v", key, err)
		}
	}
	if _, err := b.OpenRange(t.Context(), "att/a/m/hash", 0, -1); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted object: %v", err)
	}
	putBlob(t, b, "att/a/m/hash", []byte("x")) // its folders may have gone with it
}

func testBlobsSameKey(t *testing.T, b Blobs) {
	content := noise(100_000, 1)
	for range 3 {
		putBlob(t, b, "pack/x", content)
	}
	if !bytes.Equal(readBlob(t, b, "pack/x", 0, -1), content) || len(listBlobs(t, b, "")) != 1 {
		t.Error("the object changed")
	}
}

func testBlobsList(t *testing.T, b Blobs) {
	all := []string{"att/a/m1/h1", "att/a/m1/h2", "att/a/m2/h1", "att/ab/m3/h1", "pack/1", "pack/2", "top"}
	for _, key := range all {
		putBlob(t, b, key, []byte(key))
	}
	if err := b.Delete(t.Context(), "pack/2"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		prefix string
		want   string
	}{
		{"", "att/a/m1/h1 att/a/m1/h2 att/a/m2/h1 att/ab/m3/h1 pack/1 top"},
		{"att/", "att/a/m1/h1 att/a/m1/h2 att/a/m2/h1 att/ab/m3/h1"},
		{"att/a", "att/a/m1/h1 att/a/m1/h2 att/a/m2/h1 att/ab/m3/h1"},
		{"att/a/", "att/a/m1/h1 att/a/m1/h2 att/a/m2/h1"},
		{"att/a/m1/h2", "att/a/m1/h2"},
		{"pac", "pack/1"}, {"top", "top"}, {"top/", ""}, {"none/", ""}, {"no", ""},
	}
	for _, tt := range tests {
		if got := strings.Join(listBlobs(t, b, tt.prefix), " "); got != tt.want {
			t.Errorf("List(%q) = %s", tt.prefix, got)
		}
	}
	for o, err := range b.List(t.Context(), "pack/1") {
		if err != nil || o.Size != 6 || time.Since(o.Modified).Abs() > time.Hour {
			t.Errorf("%+v, %v", o, err)
		}
	}
	for range b.List(t.Context(), "") {
		break // the loop may end early
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range b.List(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List in a cancelled context: %v", err)
		}
	}
}

func testBlobsBadKeys(t *testing.T, b Blobs) {
	for _, key := range badKeys {
		if err := b.Put(t.Context(), key, strings.NewReader("x"), 1); !errors.Is(err, errBadKey) {
			t.Errorf("Put(%q): %v", key, err)
		}
		if _, err := b.OpenRange(t.Context(), key, 0, -1); !errors.Is(err, errBadKey) {
			t.Errorf("OpenRange(%q): %v", key, err)
		}
		if err := b.Delete(t.Context(), key); !errors.Is(err, errBadKey) {
			t.Errorf("Delete(%q): %v", key, err)
		}
		if _, _, err := b.URL(t.Context(), key, Link{Expires: time.Now().Add(time.Hour)}); !errors.Is(err, errBadKey) {
			t.Errorf("URL(%q): %v", key, err)
		}
	}
	if keys := listBlobs(t, b, ""); len(keys) != 0 {
		t.Errorf("stored under bad keys: %q", keys)
	}
}

var badKeys = []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "a/.", ".tmp/x", "a/.hidden", `a\b`, "c:x",
	"a b", "a\x00b", "a\nb", "a\x7f", "ä", "a/\xff", strings.Repeat("a", 201), strings.Repeat("a/", 450) + "a"}

func TestCheckKey(t *testing.T) {
	for _, key := range badKeys {
		if err := checkKey(key); !errors.Is(err, errBadKey) {
			t.Errorf("checkKey(%q) = %v", key, err)
		}
	}
	for _, key := range []string{"a", "a.b", "a..b/c", "att/acc_1/msg_1/0123", strings.Repeat("a", 200), strings.Repeat("a/", 449) + "ab"} {
		if err := checkKey(key); err != nil {
			t.Errorf("checkKey(%q) = %v", key, err)
		}
	}
}

func TestIsAttachmentKey(t *testing.T) {
	if key := AttachmentKey("acc_1", "msg_1", "ff"); !IsAttachmentKey(key) {
		t.Errorf("%s is none", key)
	}
	for _, key := range []string{"", "att/", "att/a/b", "att/a/b/", "att/a/../b", "att/a/b/c/d", "pack/a/b/c", "xatt/a/b/c", "ATT/a/b/c"} {
		if IsAttachmentKey(key) {
			t.Errorf("%q is one", key)
		}
	}
}

// failingReader reports an error after its content.
type failingReader struct {
	*bytes.Reader
	err error
}

func (r failingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		err = r.err
	}
	return n, err
}

func testBlobsFailedPut(t *testing.T, b Blobs) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, size := range []int{10, 1 << 20} {
		content := noise(size, 9)
		tests := []struct {
			name string
			ctx  context.Context
			r    io.ReadSeeker
			size int64
			want error // nil: any
		}{
			{"short", t.Context(), bytes.NewReader(content), int64(size) + 1, io.ErrUnexpectedEOF},
			{"read error", t.Context(), failingReader{bytes.NewReader(content), iotest.ErrTimeout}, int64(size) + 1, iotest.ErrTimeout},
			{"cancelled", cancelled, bytes.NewReader(content), int64(size), context.Canceled},
			{"negative size", t.Context(), bytes.NewReader(content), -1, nil},
		}
		for _, tt := range tests {
			err := b.Put(tt.ctx, "pack/x", tt.r, tt.size)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%s of %d: %v", tt.name, size, err)
			}
			if _, err := b.OpenRange(t.Context(), "pack/x", 0, -1); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s of %d left something behind: %v", tt.name, size, err)
			}
		}
	}
	if keys := listBlobs(t, b, ""); len(keys) != 0 {
		t.Errorf("left behind: %q", keys)
	}
}

// testBlobsConcurrent stores and deletes in the same folders at once: no put may fail or be lost.
func testBlobsConcurrent(t *testing.T, b Blobs) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 20 {
				kept, gone := fmt.Sprintf("att/a/m%d/kept%d", k, i), fmt.Sprintf("att/b/m/gone%d", i)
				for _, key := range []string{kept, gone} {
					if err := b.Put(t.Context(), key, strings.NewReader(key), int64(len(key))); err != nil {
						t.Error(err)
					}
				}
				if err := b.Delete(t.Context(), gone); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if keys := listBlobs(t, b, "att/"); len(keys) != 160 {
		t.Errorf("%d objects", len(keys))
	}
	if got := readBlob(t, b, "att/a/m7/kept3", 0, -1); string(got) != "att/a/m7/kept3" {
		t.Errorf("%q", got)
	}
}
