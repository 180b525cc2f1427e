package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// errStalled says that a transfer stood still for too long.
var errStalled = errors.New("the transfer has stalled")

// stallReader is the body of a response that gives up when the other side falls silent. Time passes for it only while
// someone waits: until the body is there, and during each Read.
type stallReader struct {
	ctx    context.Context // of the request, which lives as long as the body is read
	cancel context.CancelCauseFunc
	limit  time.Duration
	timer  *time.Timer
	body   io.ReadCloser
	left   int64 // octets that are still to come
}

func newStallReader(ctx context.Context, limit time.Duration) *stallReader {
	r := &stallReader{limit: limit}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.timer = time.AfterFunc(limit, func() { r.cancel(errStalled) })
	return r
}

// begin takes the body when it is there.
func (r *stallReader) begin(body io.ReadCloser) {
	r.timer.Stop()
	r.body = body
}

// explain names the reason of an error that the time limit made.
func (r *stallReader) explain(err error) error {
	if context.Cause(r.ctx) == errStalled {
		return fmt.Errorf("%w: %w", errStalled, err)
	}
	return err
}

// Read never reports io.EOF before all octets came.
func (r *stallReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.limit)
	n, err := r.body.Read(p)
	r.timer.Stop()
	r.left -= int64(n)
	switch {
	case err == io.EOF && r.left > 0:
		return n, fmt.Errorf("%d octets are missing: %w", r.left, io.ErrUnexpectedEOF)
	case err == nil, err == io.EOF:
		return n, err
	}
	return n, r.explain(err)
}

// stop releases what is held while there is no body.
func (r *stallReader) stop() {
	r.timer.Stop()
	r.cancel(nil)
}

// Close may be called before the end.
func (r *stallReader) Close() error {
	err := r.body.Close()
	r.stop()
	return err
}
