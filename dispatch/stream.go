package dispatch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// keptForm is the size in octets up to which a body that was written to learn its length is kept for sending.
	keptForm = 128 << 10
	// streamCost is what a stream holds in buffers, by estimate.
	streamCost   = 128 << 10
	streamBuffer = 32 << 10
)

func newStamp(now time.Time) Stamp {
	var b [25]byte
	rand.Read(b[:])
	return Stamp{Time: now, Token: hex.EncodeToString(b[:])}
}

// sealed is a request body that is ready to be sent, more than once.
type sealed struct {
	form   *Form
	keys   keyring // ed25519 signs only a body that lies in memory: it reads it twice
	at     Stamp
	length int64       // octets
	kept   []byte      // all of the body, where it is known
	header http.Header // that goes with the body and the stamp; of a body that lies in memory only what the vendor's clients want

	mu  sync.Mutex
	err error // why the body could not be written
}

// seal fixes what the attempt decides. A body that is written while it is sent is written once before, to nowhere, to learn
// its length, since there are receivers that take no body without one, and to sign it.
func (p *Post) seal(ctx context.Context, now time.Time, keys keyring) (*sealed, error) {
	f := p.Form
	s := &sealed{form: f, keys: keys, at: newStamp(now), header: http.Header{}, kept: f.Body, length: int64(len(f.Body))}
	if f.Write != nil {
		sums := newSums(p.ID, now, keys.secrets)
		kept := &keeper{most: keptForm}
		counted := &counter{to: io.MultiWriter(append(sums.writers(), kept)...)}
		buffered := bufio.NewWriterSize(counted, streamBuffer)
		if err := errors.Join(f.Write(ctx, buffered, s.at), buffered.Flush()); err != nil {
			return nil, fmt.Errorf("writing the body: %w", err)
		}
		s.length, s.kept = counted.n, kept.whole()
		s.header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		if signature := sums.signature(); signature != "" {
			s.header.Set("webhook-signature", signature)
		}
	}
	if f.Sign != nil {
		if err := f.Sign(ctx, s.header, s.at); err != nil {
			return nil, fmt.Errorf("signing the body: %w", err)
		}
	}
	return s, nil
}

// open gives the body from its beginning.
func (s *sealed) open(ctx context.Context) io.Reader {
	if s.kept != nil || s.form.Write == nil {
		return bytes.NewReader(s.kept)
	}
	ctx, cancel := context.WithCancel(ctx)
	write := func(w io.Writer) error {
		err := s.form.Write(ctx, w, s.at)
		if err != nil && !errors.Is(err, errStreamClosed) && ctx.Err() == nil {
			s.fail(err)
		}
		return err
	}
	return &stream{write: write, cancel: cancel}
}

func (s *sealed) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

// failed is why the body could not be written, or nil.
func (s *sealed) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// stream is a body that is written while it is read. The transport closes it, whatever becomes of the request.
type stream struct {
	write  func(w io.Writer) error
	cancel context.CancelFunc // ends write

	mu     sync.Mutex
	closed bool
	pipe   *io.PipeReader // nil: nothing was read yet
	done   chan struct{}
}

var errStreamClosed = errors.New("the body was closed")

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	pipe, err := s.start()
	if err != nil {
		return 0, err
	}
	return pipe.Read(p)
}

func (s *stream) start() (*io.PipeReader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errStreamClosed
	}
	if s.pipe != nil {
		return s.pipe, nil
	}
	r, w := io.Pipe()
	s.pipe, s.done = r, make(chan struct{})
	go func() {
		defer close(s.done)
		buffered := bufio.NewWriterSize(w, streamBuffer)
		err := s.write(buffered)
		if err == nil {
			err = buffered.Flush()
		}
		w.CloseWithError(err) // nil gives io.EOF
	}()
	return r, nil
}

// Close ends the writing and waits for it.
func (s *stream) Close() error {
	s.mu.Lock()
	pipe, done := s.pipe, s.done
	s.closed = true
	s.mu.Unlock()
	defer s.cancel()
	if pipe == nil {
		return nil
	}
	pipe.CloseWithError(errStreamClosed)
	s.cancel()
	<-done
	return nil
}

// counter counts what goes through it.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// keeper keeps what is written to it while that is not too much.
type keeper struct {
	most int
	b    []byte
	over bool
}

func (k *keeper) Write(p []byte) (int, error) {
	if k.over = k.over || len(k.b)+len(p) > k.most; k.over {
		k.b = nil
	} else {
		k.b = append(k.b, p...)
	}
	return len(p), nil
}

// whole is everything that was written, or nil if that was too much.
func (k *keeper) whole() []byte {
	if k.over {
		return nil
	}
	return append([]byte{}, k.b...)
}
