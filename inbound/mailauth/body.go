package mailauth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// bodyHashes are the hashes of a body in the canonical forms that somebody signed.
type bodyHashes struct{ sums [2][]byte }

func (b *bodyHashes) of(c canonicalization) []byte { return b.sums[c] }

// hashBody reads the body once, whatever the number of signatures. forms says which canonical forms are wanted.
func hashBody(r io.ReaderAt, from, size int64, forms [2]bool) (*bodyHashes, error) {
	var wanted [2]*bodyHash
	var writers []io.Writer
	for c, want := range forms {
		if want {
			wanted[c] = newBodyHash(canonicalization(c), sha256.New())
			writers = append(writers, wanted[c])
		}
	}
	hashes := &bodyHashes{}
	if len(writers) == 0 {
		return hashes, nil
	}
	buffer := make([]byte, min(64<<10, max(size-from, 1)))
	for from < size {
		n, err := r.ReadAt(buffer[:min(int64(len(buffer)), size-from)], from)
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("reading the body: %w", err)
		}
		for _, w := range writers {
			_, _ = w.Write(buffer[:n]) // never fails
		}
		from += int64(n)
	}
	for c, w := range wanted {
		if w != nil {
			hashes.sums[c] = w.sum()
		}
	}
	return hashes, nil
}
