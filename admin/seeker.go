package admin

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"
)

// blobSeeker is an object as http.ServeContent wants it. Nothing is opened before the first Read, so HEAD, a range that
// cannot be and an unchanged content cost no transfer.
type blobSeeker struct {
	open   func(offset int64) (io.ReadCloser, error)
	size   int64
	offset int64
	body   io.ReadCloser // nil: none; stands at offset
}

// Read reports an object that is shorter than its size as io.ErrUnexpectedEOF.
func (b *blobSeeker) Read(p []byte) (int, error) {
	if b.offset >= b.size {
		return 0, io.EOF
	}
	if b.body == nil {
		body, err := b.open(b.offset)
		if err != nil {
			return 0, err
		}
		b.body = body
	}
	n, err := b.body.Read(p)
	b.offset += int64(n)
	if err == io.EOF && b.offset < b.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *blobSeeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.offset
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	if offset == b.offset {
		return offset, nil
	}
	b.offset = offset
	return offset, b.Close()
}

// Close ends the transfer, if one is under way.
func (b *blobSeeker) Close() error {
	if b.body == nil {
		return nil
	}
	err := b.body.Close()
	b.body = nil
	return err
}

// writePatience is how long a peer may take nothing.
const writePatience = time.Minute

// patientWriter bounds each write, not the response: a slow peer may take hours, a dead one holds nothing for long.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *patientWriter) Write(p []byte) (int, error) {
	// A writer without deadlines (of a test, or another server) is used as it is.
	if err := w.control.SetWriteDeadline(time.Now().Add(writePatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
