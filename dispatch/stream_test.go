package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// pattern is a format whose body is size octets that nobody keeps.
type pattern struct {
	size   int
	breaks atomic.Int64 // how many more times the body cannot be read when it is sent
	writes atomic.Int64
}

var errPattern = errors.New("the disk is gone")

func (p *pattern) Form(context.Context, *Copy) (*Form, error) {
	return &Form{MediaType: "application/x-pattern", Write: func(ctx context.Context, w io.Writer, _ Stamp) error {
		second := p.writes.Add(1)%2 == 0
		chunk := []byte(strings.Repeat("0123456789abcdef", 64))
		for n := 0; n < p.size; n += len(chunk) {
			if second && n > p.size/2 && p.breaks.Add(-1) >= 0 {
				return errPattern
			}
			if _, err := w.Write(chunk); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

func (*pattern) Refuses(_ *storage.Endpoint, status int) bool {
	return status == http.StatusNotAcceptable
}

// startPattern has one mail posted in the format to the handler.
func startPattern(t *testing.T, p *pattern, handler http.HandlerFunc) (*house, string) {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	h := build(t, storage.Endpoint{Name: "one", URL: srv.URL, Format: "pattern", Schedule: []time.Duration{time.Millisecond}})
	t.Cleanup(h.close)
	d := h.dispatcher(func(c *Config) { c.Formats = map[string]Format{"pattern": p} })
	t.Cleanup(h.start(d))
	return h, h.accept(mail("stream"), "one")
}

// A body that is written while it is sent arrives whole, with its length, signed, and is never whole in memory.
func TestStreamedBody(t *testing.T) {
	const size = 48 << 20
	got := make(chan string, 1)
	startPattern(t, &pattern{size: size}, func(_ http.ResponseWriter, r *http.Request) {
		sum := newSums(r.Header.Get("webhook-id"), time.Unix(atoi(r.Header.Get("webhook-timestamp")), 0), [][]byte{testSecret})
		n, err := io.Copy(sum[0], r.Body)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		switch {
		case err != nil || n != size || r.ContentLength != size:
			got <- "octets are missing"
		case sum.signature() != r.Header.Get("webhook-signature"):
			got <- "the signature is wrong"
		case m.HeapInuse > size:
			got <- "it was in memory"
		default:
			got <- ""
		}
	})
	if wrong := <-got; wrong != "" {
		t.Error(wrong)
	}
}

func atoi(s string) (n int64) {
	for _, c := range s {
		n = n*10 + int64(c-'0')
	}
	return n
}

// Trouble in reading the mail while it is sent is ours: it costs no attempt, and what the endpoint answered to a half does not count.
func TestBrokenStreamIsNoAttempt(t *testing.T) {
	p := &pattern{size: 1 << 20}
	p.breaks.Store(1)
	sums := make(chan string, 10)
	h, id := startPattern(t, p, func(_ http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		if _, err := io.Copy(hash, r.Body); err == nil {
			sums <- hex.EncodeToString(hash.Sum(nil))
		}
	})
	<-sums // put off for a few seconds, and tried again
	waitFor(t, func() bool { return len(h.owed("one")) == 0 })
	attempts, err := h.store.Attempts(t.Context(), id)
	if err != nil || len(attempts) != 1 || attempts[0].N != 1 || attempts[0].Outcome != OutcomeDelivered {
		t.Errorf("%+v, %v", attempts, err)
	}
}

// A receiver that answers before it has read the body ends the writing, and nothing is left behind.
func TestEarlyAnswerEndsTheStream(t *testing.T) {
	h, id := startPattern(t, &pattern{size: 64 << 20}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNotAcceptable)
	})
	waitFor(t, func() bool { return len(h.owed("one")) == 0 })
	rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: id})
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	// The format takes 406 for a refusal: one attempt, dead, kept. A connection reset on the way is an attempt like any other.
	if rows[0].State != storage.StateDead {
		t.Errorf("%+v", rows[0])
	}
	if rows[0].Attempts == 1 && !strings.Contains(rows[0].Reason, "no further attempt") {
		t.Errorf("%q", rows[0].Reason)
	}
}

// waitFor waits until the condition holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatal("it did not come to hold")
		}
	}
}
