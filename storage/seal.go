package storage

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Sealed bytes are a row of chunks, each AES-256-GCM over at most 64 KiB of plain text and followed by its tag. The nonce
// of a chunk is its number and whether it is the last one, so chunks can neither change places nor be cut off the end
// unnoticed, and any range can be opened without reading what stands before it. (The construction is STREAM of Hoang,
// Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015.)
// A nonce never repeats under one key because a key seals one content only.
//
// There is always a last chunk; it is empty only when the content is empty. Every content thus has exactly one form.
const (
	chunkPlain  = 64 << 10
	sealTag     = 16
	chunkSealed = chunkPlain + sealTag
)

// ErrDamaged says that sealed bytes are not what was written: damaged, cut, reordered or opened with a wrong key.
var ErrDamaged = errors.New("sealed bytes are damaged or the key is wrong")

// messageKey seals one content, and never another one.
type messageKey [32]byte

func newMessageKey() (k messageKey) {
	rand.Read(k[:]) // never fails: crypto/rand ends the process when the system has no randomness
	return k
}

func (k *messageKey) aead() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err) // only for a wrong key size, which the type rules out
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for a block size other than that of AES
	}
	return aead
}

// chunkNonce is the nonce of a chunk: three zeros, its number in eight octets, the last flag.
func chunkNonce(nonce *[12]byte, n int64, last bool) []byte {
	binary.BigEndian.PutUint64(nonce[3:11], uint64(n))
	nonce[11] = 0
	if last {
		nonce[11] = 1
	}
	return nonce[:]
}

// sealedSize is the number of octets that plain octets take when they are sealed.
func sealedSize(plain int64) int64 {
	return plain + sealTag*chunks(plain, chunkPlain)
}

// plainSize is the inverse of sealedSize. It is false when no content has that sealed size.
func plainSize(sealed int64) (int64, bool) {
	if sealed < sealTag {
		return 0, false
	}
	plain := sealed - sealTag*chunks(sealed, chunkSealed)
	return plain, plain >= 0 && sealedSize(plain) == sealed
}

func chunks(size, chunk int64) int64 {
	if size == 0 {
		return 1
	}
	n := size / chunk
	if size%chunk > 0 {
		n++
	}
	return n
}

// appendSealed appends the sealed form of plain to dst. The two must not overlap.
func appendSealed(dst []byte, key messageKey, plain []byte) []byte {
	if need := int(sealedSize(int64(len(plain)))); cap(dst)-len(dst) < need {
		dst = append(make([]byte, 0, len(dst)+need), dst...)
	}
	var nonce [12]byte
	aead := key.aead()
	for n := int64(0); ; n++ {
		chunk := plain[:min(len(plain), chunkPlain)]
		plain = plain[len(chunk):]
		last := len(plain) == 0
		dst = aead.Seal(dst, chunkNonce(&nonce, n, last), chunk, nil)
		if last {
			return dst
		}
	}
}

// seal is appendSealed into a slice of its own.
func seal(key messageKey, plain []byte) []byte { return appendSealed(nil, key, plain) }

// unseal opens sealed bytes that lie in memory, in place: the result shares the memory of sealed, which is lost on an error.
func unseal(key messageKey, sealed []byte) ([]byte, error) {
	if _, ok := plainSize(int64(len(sealed))); !ok {
		return nil, ErrDamaged
	}
	var nonce [12]byte
	aead := key.aead()
	plain := sealed[:0]
	for n := int64(0); ; n++ {
		chunk := sealed[:min(len(sealed), chunkSealed)]
		sealed = sealed[len(chunk):]
		last := len(sealed) == 0
		opened, err := aead.Open(chunk[:0], chunkNonce(&nonce, n, last), chunk, nil)
		if err != nil {
			return nil, ErrDamaged
		}
		plain = append(plain, opened...) // moves to the left over the tags of the chunks before
		if last {
			return plain, nil
		}
	}
}

// sealedReader opens ranges of sealed bytes. It keeps the chunk opened last, so that many small reads in order open each
// chunk once. Safe for concurrent use.
type sealedReader struct {
	src    io.ReaderAt
	aead   cipher.AEAD
	sealed int64
	size   int64

	mu    sync.Mutex
	buf   []byte // of the chunk; reused for the next one
	plain []byte // within buf
	chunk int64  // number of the chunk in plain; -1: none
}

// openSealed opens size octets of sealed bytes in src. It opens the last chunk at once, so that Size is proved when it
// returns: bytes that were cut or prolonged fail here, all other damage at the read that meets it. Errors of src are
// passed on wrapped; anything else is ErrDamaged.
func openSealed(key messageKey, src io.ReaderAt, size int64) (*sealedReader, error) {
	plain, ok := plainSize(size)
	if !ok {
		return nil, fmt.Errorf("%w: %d octets is no sealed size", ErrDamaged, size)
	}
	r := &sealedReader{src: src, aead: key.aead(), sealed: size, size: plain, chunk: -1}
	if err := r.open(chunks(plain, chunkPlain) - 1); err != nil {
		return nil, err
	}
	return r, nil
}

// Size is the number of octets of the plain text.
func (r *sealedReader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt on the plain text.
func (r *sealedReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read sealed bytes: negative offset %d", off)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	read := 0
	for read < len(p) {
		if off >= r.size {
			return read, io.EOF
		}
		if n := off / chunkPlain; n != r.chunk {
			if err := r.open(n); err != nil {
				return read, err
			}
		}
		k := copy(p[read:], r.plain[off%chunkPlain:])
		read += k
		off += int64(k)
	}
	return read, nil
}

// open brings a chunk into r.plain.
func (r *sealedReader) open(n int64) error {
	start := n * chunkSealed
	length := min(r.sealed-start, chunkSealed)
	if r.buf == nil {
		r.buf = make([]byte, min(r.sealed, chunkSealed))
	}
	r.chunk = -1 // until the new one is proved: never hand out what was not
	buf := r.buf[:length]
	// ReadAt may report io.EOF beside a full read.
	if k, err := r.src.ReadAt(buf, start); int64(k) < length {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: they end after %d of %d octets", ErrDamaged, start+int64(k), r.sealed)
		}
		return fmt.Errorf("read sealed bytes: %w", err)
	}
	var nonce [12]byte
	plain, err := r.aead.Open(buf[:0], chunkNonce(&nonce, n, start+length == r.sealed), buf, nil)
	if err != nil {
		return fmt.Errorf("%w: chunk %d", ErrDamaged, n)
	}
	r.plain, r.chunk = plain, n
	return nil
}
