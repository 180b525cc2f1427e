package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
)

// noise is the same n octets for the same seed.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

var sealSizes = []int{0, 1, 15, 16, 17, 10_000, chunkPlain - 1, chunkPlain, chunkPlain + 1, 2*chunkPlain - 1, 2 * chunkPlain, 2*chunkPlain + 1, 5*chunkPlain + 77}

func TestSealOpens(t *testing.T) {
	for _, size := range sealSizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			plain, key := noise(size, 1), newMessageKey()
			sealed := seal(key, plain)
			if got := sealedSize(int64(size)); got != int64(len(sealed)) {
				t.Errorf("sealedSize = %d, the sealed bytes are %d", got, len(sealed))
			}
			r, err := openSealed(key, bytes.NewReader(sealed), int64(len(sealed)))
			if err != nil {
				t.Fatal(err)
			}
			if r.Size() != int64(size) {
				t.Errorf("Size = %d", r.Size())
			}
			if err := iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), plain); err != nil {
				t.Error(err)
			}
			got, err := unseal(key, bytes.Clone(sealed))
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("unseal: %v, equal %v", err, bytes.Equal(got, plain))
			}
		})
	}
}

// TestSealReaderGivesWhatSealMakes reads the stream whole, in odd pieces and from anywhere.
func TestSealReaderGivesWhatSealMakes(t *testing.T) {
	for _, size := range sealSizes {
		plain, key := noise(size, 2), newMessageKey()
		r := newSealReader(key, bytes.NewReader(plain), int64(size))
		if err := iotest.TestReader(r, seal(key, plain)); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestSealReaderReportsAShortSource(t *testing.T) {
	r := newSealReader(newMessageKey(), bytes.NewReader(make([]byte, chunkPlain+5)), chunkPlain+6)
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

func TestSealAppends(t *testing.T) {
	key := newMessageKey()
	plain := noise(chunkPlain+9, 3)
	pack := appendSealed([]byte("before"), key, plain)
	if !bytes.Equal(pack, append([]byte("before"), seal(key, plain)...)) {
		t.Error("appended bytes differ")
	}
}

// TestSealTampering opens what an enemy of the storage could make of sealed bytes. Reading it all must fail every time.
func TestSealTampering(t *testing.T) {
	const size = 3*chunkPlain + 100
	key, plain := newMessageKey(), noise(size, 4)
	other := newMessageKey()
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 0x40; return b }
	}
	chunk := func(b []byte, n int) []byte { return b[n*chunkSealed : min(len(b), (n+1)*chunkSealed)] }
	tests := []struct {
		name   string
		key    messageKey
		change func([]byte) []byte
	}{
		{"first octet", key, flip(0)},
		{"first tag", key, flip(chunkPlain)},
		{"middle chunk", key, flip(chunkSealed + 5)},
		{"last octet", key, flip(3*chunkSealed + 100 + 15)},
		{"other key", other, func(b []byte) []byte { return b }},
		{"cut in the last tag", key, func(b []byte) []byte { return b[:len(b)-1] }},
		{"last chunk gone", key, func(b []byte) []byte { return b[:3*chunkSealed] }},
		{"only the first chunk", key, func(b []byte) []byte { return b[:chunkSealed] }},
		{"first chunk gone", key, func(b []byte) []byte { return b[chunkSealed:] }},
		{"nothing left", key, func([]byte) []byte { return nil }},
		{"less than a tag", key, func(b []byte) []byte { return b[:15] }},
		{"just a tag", key, func(b []byte) []byte { return b[:16] }},
		{"prolonged", key, func(b []byte) []byte { return append(b, 0) }},
		{"a chunk more", key, func(b []byte) []byte { return append(b, chunk(b, 3)...) }},
		{"chunks changed places", key, func(b []byte) []byte {
			return bytes.Join([][]byte{chunk(b, 1), chunk(b, 0), chunk(b, 2), chunk(b, 3)}, nil)
		}},
		{"a chunk twice", key, func(b []byte) []byte {
			return bytes.Join([][]byte{chunk(b, 0), chunk(b, 1), chunk(b, 1), chunk(b, 3)}, nil)
		}},
		{"a chunk of another content", key, func(b []byte) []byte {
			return bytes.Join([][]byte{chunk(b, 0), chunk(seal(other, plain), 1), chunk(b, 2), chunk(b, 3)}, nil)
		}},
		{"an empty last chunk added", key, func(b []byte) []byte {
			return append(b[:3*chunkSealed], make([]byte, sealTag)...)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sealed := tt.change(seal(key, plain))
			r, err := openSealed(tt.key, bytes.NewReader(sealed), int64(len(sealed)))
			if err == nil {
				_, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
			}
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("reader: %v", err)
			}
			if _, err := unseal(tt.key, sealed); !errors.Is(err, ErrDamaged) {
				t.Errorf("unseal: %v", err)
			}
		})
	}
}

// TestSealNeverHandsOutUnprovedBytes reads a good chunk after a damaged one and the damaged one again.
func TestSealNeverHandsOutUnprovedBytes(t *testing.T) {
	key, plain := newMessageKey(), noise(2*chunkPlain, 5)
	sealed := seal(key, plain)
	sealed[10] ^= 1
	r, err := openSealed(key, bytes.NewReader(sealed), int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 20)
	for range 2 {
		if n, err := r.ReadAt(p, 5); n != 0 || !errors.Is(err, ErrDamaged) {
			t.Errorf("damaged chunk: %d, %v", n, err)
		}
		if n, err := r.ReadAt(p, chunkPlain); n != len(p) || err != nil || !bytes.Equal(p, plain[chunkPlain:chunkPlain+20]) {
			t.Errorf("good chunk: %d, %v", n, err)
		}
	}
}

func TestSealedReaderPassesOnErrorsOfTheSource(t *testing.T) {
	key := newMessageKey()
	sealed := seal(key, noise(3*chunkPlain, 6))
	src := &flakySource{ReaderAt: bytes.NewReader(sealed)}
	r, err := openSealed(key, src, int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	src.err = io.ErrClosedPipe
	if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrDamaged) {
		t.Errorf("ReadAt = %v", err)
	}
	if _, err := openSealed(key, src, int64(len(sealed))); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("openSealed = %v", err)
	}
	src.err = nil
	if _, err := r.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("after the trouble: %v", err)
	}
	if _, err := r.ReadAt(nil, -1); err == nil {
		t.Error("a negative offset was read")
	}
	// The row says more than the file holds: a torn tail.
	if _, err := openSealed(key, bytes.NewReader(sealed[:chunkSealed]), int64(len(sealed))); !errors.Is(err, ErrDamaged) {
		t.Errorf("torn: %v", err)
	}
}

type flakySource struct {
	io.ReaderAt
	err error
}

func (s *flakySource) ReadAt(p []byte, off int64) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.ReaderAt.ReadAt(p, off)
}

func TestSealedReaderIsSafeForConcurrentUse(t *testing.T) {
	key, plain := newMessageKey(), noise(4*chunkPlain, 7)
	sealed := seal(key, plain)
	r, err := openSealed(key, bytes.NewReader(sealed), int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			p := make([]byte, 1000)
			for k := range 50 {
				off := (i*chunkPlain + k*4999) % (len(plain) - len(p))
				if _, err := r.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, plain[off:off+len(p)]) {
					t.Errorf("read at %d: %v", off, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestPlainSize(t *testing.T) {
	for size := int64(0); size < 3*chunkSealed; size += 13 {
		if got, ok := plainSize(sealedSize(size)); !ok || got != size {
			t.Fatalf("plainSize(sealedSize(%d)) = %d, %v", size, got, ok)
		}
	}
	for _, sealed := range []int64{-1, 0, 15, chunkSealed + 1, chunkSealed + sealTag, 2*chunkSealed + 15} {
		if got, ok := plainSize(sealed); ok {
			t.Errorf("plainSize(%d) = %d", sealed, got)
		}
	}
}

// FuzzOpenSealed opens strangers' bytes: it must refuse them, and both ways of opening must agree.
func FuzzOpenSealed(f *testing.F) {
	var key messageKey
	f.Add([]byte{}, int64(0))
	f.Add(seal(key, []byte("hello")), int64(2))
	f.Add(seal(key, noise(chunkPlain+3, 1)), int64(chunkPlain))
	f.Fuzz(func(t *testing.T, sealed []byte, off int64) {
		want, werr := unseal(key, bytes.Clone(sealed))
		r, err := openSealed(key, bytes.NewReader(sealed), int64(len(sealed)))
		if err != nil {
			if werr == nil {
				t.Fatal("unseal opens what openSealed refuses")
			}
			return
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if (err == nil) != (werr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("openSealed: %v, unseal: %v", err, werr)
		}
		r.ReadAt(make([]byte, 100), off)
	})
}

// FuzzSeal seals any content in two ways and opens it.
func FuzzSeal(f *testing.F) {
	f.Add([]byte("hello"), uint(3), int64(1))
	f.Add(noise(1000, 1), uint(70), int64(66_000))
	f.Fuzz(func(t *testing.T, piece []byte, times uint, from int64) {
		plain := bytes.Repeat(piece, int(times%200))
		key := newMessageKey()
		sealed := seal(key, plain)
		r := newSealReader(key, bytes.NewReader(plain), int64(len(plain)))
		if from < 0 || from > int64(len(sealed)) {
			from = 0
		}
		if _, err := r.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if tail, err := io.ReadAll(r); err != nil || !bytes.Equal(tail, sealed[from:]) {
			t.Fatalf("the stream from %d differs: %v", from, err)
		}
		if got, err := unseal(key, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%v, equal %v", err, bytes.Equal(got, plain))
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{10 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			plain := noise(size, 1)
			dst := make([]byte, 0, sealedSize(int64(size)))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				dst = appendSealed(dst[:0], newMessageKey(), plain)
			}
		})
	}
}

func BenchmarkOpenSealed(b *testing.B) {
	for _, size := range []int{10 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			key := newMessageKey()
			sealed := seal(key, noise(size, 1))
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r, err := openSealed(key, bytes.NewReader(sealed), int64(len(sealed)))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.ReadAt(p, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
