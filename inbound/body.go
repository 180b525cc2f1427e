package inbound

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"slices"
	"sync"

	"github.com/letterhook/letterhook/inbound/guard"
)

// space is what the body of one message may take: its source's share of the memory and of the temporary files.
type space struct {
	memory, files *guard.Shares
	source        netip.Prefix
	writing       *sync.Mutex // whose turn it is to write a file out
}

// errNoSpace says that temporary files hold as many octets as they may, or as those of this source may.
var errNoSpace = errors.New("the temporary files hold too much already")

const (
	firstBuffer = 16 << 10 // of a body whose size is not declared; a typical message fits
	spillBuffer = 64 << 10 // between two writes to a temporary file, once it is large
	smallSpill  = 4 << 10  // and before: a file is begun for want of memory
)

// body is the [Body] of a message: in memory up to a bound, then in a temporary file without a name. It belongs to the
// goroutine of its connection until it is given to the Spool.
type body struct {
	space   space
	tempDir string
	bound   int64 // octets to hold in memory

	buf    []byte    // the content, or what was not yet written to file
	taken  int64     // octets reserved in memory
	filed  int64     // octets reserved in files
	file   *tempFile // nil: the content is buf
	size   int64
	hash   hash.Hash
	hashed int // octets of buf that went into hash
	sum    [sha256.Size]byte
}

// newBody makes an empty body. declared is the size the peer announced, 0 if it did not.
func newBody(cfg *Config, space space, declared int64) *body {
	b := &body{space: space, tempDir: cfg.TempDir, bound: cfg.MemoryPerMessage}
	if declared > 0 && declared <= b.bound {
		b.grow(declared)
	}
	return b
}

// Write appends p. An error is trouble with the temporary file.
func (b *body) Write(p []byte) (int, error) {
	b.size += int64(len(p))
	if len(b.buf)+len(p) > cap(b.buf) {
		if b.file == nil && !b.grow(int64(len(b.buf)+len(p))) {
			if err := b.spill(); err != nil {
				return 0, err
			}
		}
		if b.file != nil {
			if err := b.flush(p); err != nil {
				return 0, err
			}
			return len(p), nil
		}
	}
	b.buf = append(b.buf, p...)
	if len(b.buf)-b.hashed >= spillBuffer {
		b.hashPending()
	}
	return len(p), nil
}

// grow makes room for need octets in memory, or says that they belong in a file.
func (b *body) grow(need int64) bool {
	if need > b.bound {
		return false
	}
	size := min(max(need, 2*int64(cap(b.buf)), firstBuffer), max(b.bound, firstBuffer))
	if !b.space.memory.Take(b.space.source, size-b.taken) {
		return false
	}
	b.taken = size
	next := make([]byte, len(b.buf), size)
	copy(next, b.buf)
	b.buf = next
	return true
}

// spill moves the content to a temporary file.
func (b *body) spill() error {
	file, err := newTempFile(b.tempDir, b.space.writing)
	if err != nil {
		return err
	}
	b.file = file
	if err := b.flush(nil); err != nil {
		return err
	}
	b.space.memory.Give(b.space.source, b.taken)
	b.taken = 0
	b.buf, b.hashed = make([]byte, 0, smallSpill), 0
	return nil
}

// flush writes buf and makes p its new content, or writes p too when it is large.
func (b *body) flush(p []byte) error {
	if need := b.size - b.filed; need > 0 {
		need = max(need, spillBuffer) // fewer and larger steps
		if !b.space.files.Take(b.space.source, need) {
			return errNoSpace
		}
		b.filed += need
	}
	if len(b.buf) > 0 {
		b.hashPending()
		if _, err := b.file.Write(b.buf); err != nil {
			return fmt.Errorf("writing a temporary file: %w", err)
		}
		b.buf, b.hashed = b.buf[:0], 0
	}
	if b.size >= 4*spillBuffer && cap(b.buf) < spillBuffer {
		b.buf = make([]byte, 0, spillBuffer)
	}
	if len(p) <= cap(b.buf) {
		b.buf = append(b.buf, p...)
		return nil
	}
	b.hash.Write(p) // never nil here: spill hashed what was in memory
	if _, err := b.file.Write(p); err != nil {
		return fmt.Errorf("writing a temporary file: %w", err)
	}
	return nil
}

func (b *body) hashPending() {
	if b.hash == nil {
		b.hash = sha256.New()
	}
	b.hash.Write(b.buf[b.hashed:])
	b.hashed = len(b.buf)
}

// finish completes the hash and the file; no Write may follow.
func (b *body) finish() error {
	if b.hash == nil { // small: one call, nothing allocated
		b.sum = sha256.Sum256(b.buf)
		return nil
	}
	b.hashPending()
	b.hash.Sum(b.sum[:0])
	if b.file != nil {
		err := b.flush(nil)
		b.buf = nil
		return err
	}
	return nil
}

// release drops the content. The memory itself is left to whoever kept Bytes.
func (b *body) release() {
	b.space.memory.Give(b.space.source, b.taken)
	b.space.files.Give(b.space.source, b.filed)
	b.taken, b.filed = 0, 0
	b.buf = nil
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
}

// ReadAt implements [Body].
func (b *body) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	if off >= int64(len(b.buf)) {
		return 0, io.EOF
	}
	n := copy(p, b.buf[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Size implements [Body].
func (b *body) Size() int64 { return b.size }

// SHA256 implements [Body].
func (b *body) SHA256() [32]byte { return b.sum }

// Bytes implements [Body].
func (b *body) Bytes() []byte {
	if b.file != nil {
		return nil
	}
	if b.buf == nil {
		return []byte{} // an empty message lies in memory too
	}
	return slices.Clip(b.buf)
}
