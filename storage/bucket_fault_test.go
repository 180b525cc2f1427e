package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// faultyS3 lets fault answer some requests in the place of the server. It says whether it did.
func faultyS3(t *testing.T, fault func(http.ResponseWriter, *http.Request) bool) testS3 {
	return newFakeS3(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !fault(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	})
}

func TestBucketServerDown(t *testing.T) {
	server := newFakeS3(t, nil)
	b := server.open(t, func(cfg *BucketConfig) { cfg.Endpoint, cfg.Attempts = "http://127.0.0.1:1", 2 })
	if err := b.Ping(t.Context()); err == nil {
		t.Error("Ping succeeded")
	}
	if err := b.Put(t.Context(), "a", strings.NewReader("x"), 1); err == nil {
		t.Error("Put succeeded")
	}
	if _, err := b.OpenRange(t.Context(), "a", 0, -1); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("OpenRange = %v", err)
	}
	if err := b.Delete(t.Context(), "a"); err == nil {
		t.Error("Delete succeeded")
	}
	n := 0
	for _, err := range b.List(t.Context(), "") {
		if n++; err == nil {
			t.Error("List yields objects")
		}
	}
	if n != 1 {
		t.Errorf("List yields %d times", n)
	}
}

// TestBucketRetries answers 503 twice to each request, as a bucket that scales up does.
func TestBucketRetries(t *testing.T) {
	var requests atomic.Int64
	server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		if requests.Add(1)%3 == 0 {
			return false
		}
		io.Copy(io.Discard, r.Body)
		http.Error(w, `<Error><Code>SlowDown</Code></Error>`, http.StatusServiceUnavailable)
		return true
	})
	b := server.open(t, nil)
	content := noise(100_000, 1)
	putBlob(t, b, "pack/x", content)
	if !bytes.Equal(readBlob(t, b, "pack/x", 0, -1), content) {
		t.Error("the object differs")
	}
	if n := requests.Load(); n != 6 {
		t.Errorf("%d requests", n)
	}
}

func TestBucketGivesUp(t *testing.T) {
	var requests atomic.Int64
	server := faultyS3(t, func(w http.ResponseWriter, _ *http.Request) bool {
		requests.Add(1)
		http.Error(w, `<Error><Code>SlowDown</Code></Error>`, http.StatusServiceUnavailable)
		return true
	})
	b := server.open(t, func(cfg *BucketConfig) { cfg.Attempts = 2 })
	if err := b.Put(t.Context(), "a", strings.NewReader("x"), 1); statusOf(err) != http.StatusServiceUnavailable {
		t.Errorf("Put = %v", err)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// TestBucketAnswerLost stores the object but cuts the connection before the answer: the repeated request meets 412 on
// its own object, which is a success.
func TestBucketAnswerLost(t *testing.T) {
	for _, size := range []int{1000, 11 << 20} {
		var cut atomic.Bool
		server := newFakeS3(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				final := r.Method == http.MethodPut && !r.URL.Query().Has("uploadId") || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
				if final && !cut.Swap(true) {
					next.ServeHTTP(discardResponse{http.Header{}}, r)
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(w, r)
			})
		})
		b := server.open(t, nil)
		b.threshold, b.partSize = 5<<20, 5<<20
		content := noise(size, 1)
		putBlob(t, b, "pack/x", content)
		if !cut.Load() {
			t.Fatal("nothing was cut")
		}
		if !bytes.Equal(readBlob(t, b, "pack/x", 0, -1), content) {
			t.Error("the object differs")
		}
	}
}

type discardResponse struct{ header http.Header }

func (d discardResponse) Header() http.Header       { return d.header }
func (discardResponse) Write(p []byte) (int, error) { return len(p), nil }
func (discardResponse) WriteHeader(int)             {}

// TestBucketTakesForeignCopies meets its own content under a key, stored without our metadata.
func TestBucketTakesForeignCopies(t *testing.T) {
	server := newFakeS3(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("X-Amz-Meta-Sha256")
			next.ServeHTTP(w, r)
		})
	})
	b := server.open(t, nil)
	putBlob(t, b, "pack/x", noise(1000, 1))
	putBlob(t, b, "pack/x", noise(1000, 1))
	for _, other := range [][]byte{noise(1000, 2), noise(999, 1)} {
		if err := b.Put(t.Context(), "pack/x", bytes.NewReader(other), int64(len(other))); statusOf(err) != http.StatusPreconditionFailed {
			t.Errorf("other bytes: %v", err)
		}
	}
}

// TestBucketConflict answers 409, as S3 does while another conditional request to the key is under way.
func TestBucketConflict(t *testing.T) {
	var requests atomic.Int64
	server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || requests.Add(1) > 1 {
			return false
		}
		http.Error(w, `<Error><Code>ConditionalRequestConflict</Code></Error>`, http.StatusConflict)
		return true
	})
	b := server.open(t, nil)
	putBlob(t, b, "pack/x", noise(1000, 1))
	if !bytes.Equal(readBlob(t, b, "pack/x", 0, -1), noise(1000, 1)) {
		t.Error("the object differs")
	}
}

// TestBucketAbortsParts lets a part fail for good: nothing is visible, and the upload is aborted.
func TestBucketAbortsParts(t *testing.T) {
	var aborted atomic.Int64
	server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodDelete && r.URL.Query().Has("uploadId"):
			aborted.Add(1)
		case r.URL.Query().Get("partNumber") == "2":
			io.Copy(io.Discard, r.Body)
			http.Error(w, `<Error><Code>AccessDenied</Code></Error>`, http.StatusForbidden)
			return true
		}
		return false
	})
	b := server.open(t, nil)
	b.threshold, b.partSize = 5<<20, 5<<20
	if err := b.Put(t.Context(), "pack/x", bytes.NewReader(noise(11<<20, 1)), 11<<20); codeOf(err) != "AccessDenied" || !strings.Contains(err.Error(), "part 2") {
		t.Errorf("Put = %v", err)
	}
	if n := aborted.Load(); n != 1 {
		t.Errorf("aborted %d times", n)
	}
	if keys := listBlobs(t, b, ""); len(keys) != 0 {
		t.Errorf("visible: %q", keys)
	}
}

// TestBucketResponseCut sends half of what was announced, then ends the connection.
func TestBucketResponseCut(t *testing.T) {
	server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Length", "1000")
		w.Write(make([]byte, 500))
		return true
	})
	b := server.open(t, nil)
	r, err := b.OpenRange(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); n != 500 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d octets, %v", n, err)
	}
}

// TestBucketOddResponses are those that would give other bytes than were asked for.
func TestBucketOddResponses(t *testing.T) {
	var length string
	server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			return false
		}
		if length != "" {
			w.Header().Set("Content-Length", length)
		}
		w.Write([]byte("0123456789"))
		http.NewResponseController(w).Flush() // without a length: chunked
		return true
	})
	b := server.open(t, nil)
	length = "10"
	if _, err := b.OpenRange(t.Context(), "a", 2, 3); err == nil || !strings.Contains(err.Error(), "range") {
		t.Errorf("the range was ignored: %v", err)
	}
	length = ""
	if _, err := b.OpenRange(t.Context(), "a", 0, -1); err == nil || !strings.Contains(err.Error(), "length") {
		t.Errorf("no length: %v", err)
	}
}

// TestBucketStalls falls silent in each place where a server can. Only that it ends is checked, not when.
func TestBucketStalls(t *testing.T) {
	tests := []struct {
		name  string
		fault func(w http.ResponseWriter, r *http.Request)
	}{
		{"before the answer", func(_ http.ResponseWriter, _ *http.Request) {}},
		{"in the body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(1000))
			w.Write(make([]byte, 500))
			http.NewResponseController(w).Flush()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			done := make(chan struct{})
			server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
				io.Copy(io.Discard, r.Body)
				tt.fault(w, r)
				select {
				case <-done:
				case <-r.Context().Done():
				}
				return true
			})
			t.Cleanup(func() { close(done) })
			b := server.open(t, func(cfg *BucketConfig) { cfg.Timeout, cfg.Attempts = 50*time.Millisecond, 1 })
			r, err := b.OpenRange(t.Context(), "a", 0, -1)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			if err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("OpenRange = %v", err)
			}
			if tt.name == "in the body" && !errors.Is(err, errStalled) {
				t.Errorf("the reason is not told: %v", err)
			}
			if err := b.Put(t.Context(), "a", strings.NewReader("x"), 1); err == nil {
				t.Error("Put succeeded")
			}
		})
	}
}

// TestBucketReaderMayPause keeps a body open for longer than the timeout between two reads, as a slow receiver makes us do.
func TestBucketReaderMayPause(t *testing.T) {
	server := newFakeS3(t, nil)
	b := server.open(t, func(cfg *BucketConfig) { cfg.Timeout = 200 * time.Millisecond })
	content := noise(1000, 1)
	putBlob(t, b, "a", content)
	r, err := b.OpenRange(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	<-time.After(300 * time.Millisecond)
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(slices.Concat(first, rest), content) {
		t.Errorf("after a pause: %v", err)
	}
}

func TestBucketContextEnds(t *testing.T) {
	reached := make(chan struct{}, 10)
	server := faultyS3(t, func(_ http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		reached <- struct{}{}
		<-r.Context().Done()
		return true
	})
	b := server.open(t, nil)
	for name, call := range map[string]func(context.Context) error{
		"Put":    func(ctx context.Context) error { return b.Put(ctx, "a", strings.NewReader("x"), 1) },
		"Delete": func(ctx context.Context) error { return b.Delete(ctx, "a") },
		"Open":   func(ctx context.Context) error { _, err := b.OpenRange(ctx, "a", 0, -1); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-reached
			cancel()
		}()
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v", name, err)
		}
	}
}
