package storage

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// TestSealReaderGivesWhatSealGives compares the stream with the sealed form made in memory, read in any way.
func TestSealReaderGivesWhatSealGives(t *testing.T) {
	for _, size := range []int{0, 1, chunkPlain - 1, chunkPlain, chunkPlain + 1, 3*chunkPlain + 7} {
		plain := bytes.Repeat([]byte("letterhook"), size/10+1)[:size]
		key := newMessageKey()
		want := seal(key, plain)
		r := newSealReader(key, bytes.NewReader(plain), int64(size))
		if err := iotest.TestReader(r, want); err != nil {
			t.Errorf("%d octets: %v", size, err)
		}
	}
}

func TestSealReaderPassesErrorsOn(t *testing.T) {
	r := newSealReader(newMessageKey(), bytes.NewReader(make([]byte, chunkPlain)), 2*chunkPlain)
	if n, err := io.Copy(io.Discard, r); err == nil || n != chunkSealed {
		t.Errorf("%d octets, error %v; the source is shorter than it said", n, err)
	}
}
