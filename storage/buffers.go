package storage

import "sync"

// maxPooled is the capacity up to which a buffer is used again.
const maxPooled = 64 << 10

// buffers keeps the memory of sealed messages for the next ones: it is needed only until the pack is written.
type buffers struct{ pool sync.Pool }

// get gives an empty buffer.
func (b *buffers) get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return nil
}

// put takes a buffer back; the caller must not use it any more.
func (b *buffers) put(buf []byte) {
	if cap(buf) > 0 && cap(buf) <= maxPooled {
		b.pool.Put(&buf)
	}
}
