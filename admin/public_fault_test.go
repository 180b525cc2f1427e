package admin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// brokenBlobs fail where they are told to.
type brokenBlobs struct {
	storage.Blobs
	list, open error
	cut        int64 // where bodies end with an error; 0: nowhere
}

func (b *brokenBlobs) List(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	if b.list != nil {
		return func(yield func(storage.Object, error) bool) { yield(storage.Object{}, b.list) }
	}
	return b.Blobs.List(ctx, prefix)
}

func (b *brokenBlobs) OpenRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	if b.open != nil {
		return nil, b.open
	}
	r, err := b.Blobs.OpenRange(ctx, key, offset, n)
	if err == nil && b.cut > 0 {
		return cutReader{io.LimitReader(r, b.cut), r}, nil
	}
	return r, err
}

type cutReader struct {
	io.Reader
	io.Closer
}

func (c cutReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		err = errSecret
	}
	return n, err
}

var errSecret = errors.New("dial tcp 10.0.0.7:9000: secret-bucket is down")

func TestPublicTroubleOfOurs(t *testing.T) {
	broken := &brokenBlobs{}
	s := newSite(t, func(b storage.Blobs) storage.Blobs {
		broken.Blobs = b
		return broken
	})
	link := s.links.Blob(s.key, storage.Link{Expires: soon()})
	broken.list = errSecret
	response, content, err := fetch(t, http.MethodGet, link)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s, %v", response.Status, err)
	}
	checkProblem(t, response, content, http.StatusServiceUnavailable)
	if strings.Contains(string(content), "secret") {
		t.Errorf("told to strangers: %s", content)
	}
	if !strings.Contains(s.log.String(), "secret-bucket") || strings.Contains(s.log.String(), "signature") {
		t.Errorf("the log: %s", s.log.String())
	}
	broken.list, broken.cut = nil, 100_000
	if _, content, err := fetch(t, http.MethodGet, link); err == nil || len(content) == 0 || len(content) > 100_000 || bytes.Contains(content, []byte("secret")) {
		t.Errorf("a body that breaks off looks whole: %d octets, %v", len(content), err)
	}
	broken.cut = 0
	if _, content, err := fetch(t, http.MethodGet, link); err != nil || !bytes.Equal(content, s.attachment) {
		t.Errorf("after the trouble: %v", err)
	}
}

// TestPublicPeerLeaves closes the connection in the middle of a large answer: that is no error of ours.
func TestPublicPeerLeaves(t *testing.T) {
	left := make(chan struct{})
	s := newSite(t, func(b storage.Blobs) storage.Blobs { return closeWatch{b, left} })
	ctx, cancel := context.WithCancel(t.Context())
	big := bytes.Repeat([]byte("x"), 32<<20)
	if err := s.blobs.Put(ctx, "att/acc_1/msg_1/big", bytes.NewReader(big), int64(len(big))); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.links.Blob("att/acc_1/msg_1/big", storage.Link{Expires: soon()}), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	response.Body.Close()
	<-left // the object was closed
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("the log: %s", s.log.String())
	}
}

// closeWatch tells when the first body is closed.
type closeWatch struct {
	storage.Blobs
	closed chan struct{}
}

func (c closeWatch) OpenRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	r, err := c.Blobs.OpenRange(ctx, key, offset, n)
	if err != nil {
		return nil, err
	}
	return watched{r, c.closed}, nil
}

type watched struct {
	io.ReadCloser
	closed chan struct{}
}

func (w watched) Close() error {
	defer close(w.closed)
	return w.ReadCloser.Close()
}
