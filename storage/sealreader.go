package storage

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
)

// sealReader seals a content while it is read, chunk by chunk, so that a large one never lies in memory or in a second
// file. Reading a place again gives the same bytes: the key, the chunk number and the content are the same.
type sealReader struct {
	aead   cipher.AEAD
	src    io.ReaderAt
	plain  int64 // octets of src
	sealed int64
	at     int64
	chunk  int64 // number of the chunk in buf; -1: none
	buf    []byte
}

func newSealReader(key messageKey, src io.ReaderAt, size int64) *sealReader {
	return &sealReader{aead: key.aead(), src: src, plain: size, sealed: sealedSize(size), chunk: -1, buf: make([]byte, 0, chunkSealed)}
}

// Read implements io.Reader.
func (r *sealReader) Read(p []byte) (int, error) {
	if r.at >= r.sealed {
		return 0, io.EOF
	}
	if n := r.at / chunkSealed; n != r.chunk {
		if err := r.load(n); err != nil {
			return 0, err
		}
	}
	k := copy(p, r.buf[r.at%chunkSealed:])
	r.at += int64(k)
	return k, nil
}

// Seek implements io.Seeker.
func (r *sealReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.sealed
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	r.at = offset
	return offset, nil
}

func (r *sealReader) load(n int64) error {
	r.chunk = -1
	start := n * chunkPlain
	plain := r.buf[:min(r.plain-start, chunkPlain)]
	if k, err := r.src.ReadAt(plain, start); k < len(plain) {
		return fmt.Errorf("read body: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	var nonce [12]byte
	r.buf = r.aead.Seal(plain[:0], chunkNonce(&nonce, n, start+int64(len(plain)) == r.plain), plain, nil)
	r.chunk = n
	return nil
}
