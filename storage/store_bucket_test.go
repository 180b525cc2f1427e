package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// memoryBody is a mail body in memory.
type memoryBody struct {
	*bytes.Reader
	content []byte
}

func (b memoryBody) SHA256() [32]byte { return sha256.Sum256(b.content) }
func (b memoryBody) Bytes() []byte    { return b.content }

func acceptRaw(ctx context.Context, s *Store, raw []byte) (id string, err error) {
	ids, err := s.Accept(ctx, &inbound.Envelope{
		Recipients: []inbound.Recipient{{
			Path:     inbound.Path{LocalPart: "hook", Domain: "example.com"},
			Decision: inbound.Decision{Account: "acc_1", Route: "rt_1", Endpoints: []string{"ep_1"}, LocalPart: "hook"},
		}},
		RemoteIP: netip.MustParseAddr("192.0.2.1"), Listener: "mx", ReceivedAt: time.Now(),
	}, memoryBody{bytes.NewReader(raw), raw})
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

func readRaw(ctx context.Context, s *Store, id string) (content []byte, err error) {
	mail, err := s.Mail(ctx, id)
	if err != nil {
		return nil, err
	}
	raw, err := s.OpenRaw(ctx, mail)
	if err != nil {
		return nil, err
	}
	content, err = io.ReadAll(io.NewSectionReader(raw, 0, raw.Size()))
	return content, errors.Join(err, raw.Close())
}

func openStoreOn(t *testing.T, blobs Blobs) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Blobs: blobs, PackInBlobs: true, Keys: [][]byte{noise(KeySize, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestStoreOnBucket keeps packs and large messages in a bucket and reads them back.
func TestStoreOnBucket(t *testing.T) {
	for name, server := range map[string]func(*testing.T) testS3{
		"fake":      func(t *testing.T) testS3 { return newFakeS3(t, nil) },
		"versitygw": newRealS3,
	} {
		t.Run(name, func(t *testing.T) {
			b := server(t).open(t, nil)
			s := openStoreOn(t, b)
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					size := 10_000 + i
					if i%10 == 0 {
						size = 2<<20 + i // a blob of its own
					}
					want := noise(size, byte(i))
					id, err := acceptRaw(t.Context(), s, want)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := readRaw(t.Context(), s, id); err != nil || !bytes.Equal(got, want) {
						t.Errorf("message of %d octets: %v", size, err)
					}
				})
			}
			wg.Wait()
			for o, err := range b.List(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(readBlob(t, b, o.Key, 0, -1), noise(10_001, 1)[:100]) {
					t.Errorf("%s shows the content of a message", o.Key)
				}
			}
		})
	}
}

// TestStoreOnBucketInTrouble lets the bucket refuse, fall silent and come back: what was not stored was not accepted, and
// the store goes on without a restart.
func TestStoreOnBucketInTrouble(t *testing.T) {
	const (
		well = iota
		refusing
		silent
	)
	var state atomic.Int64
	server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch state.Load() {
		case refusing:
			io.Copy(io.Discard, r.Body)
			http.Error(w, `<Error><Code>SlowDown</Code></Error>`, http.StatusServiceUnavailable)
			return true
		case silent:
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return true
		}
		return false
	})
	s := openStoreOn(t, server.open(t, func(cfg *BucketConfig) { cfg.Timeout = 300 * time.Millisecond }))
	small, large := noise(10_000, 1), noise(2<<20, 2)
	kept, err := acceptRaw(t.Context(), s, small)
	if err != nil {
		t.Fatal(err)
	}
	for _, trouble := range []int64{refusing, silent} {
		state.Store(trouble)
		for _, raw := range [][]byte{noise(10_000, 3), large} {
			if _, err := acceptRaw(t.Context(), s, raw); err == nil {
				t.Errorf("trouble %d: %d octets were accepted", trouble, len(raw))
			}
		}
		if _, err := readRaw(t.Context(), s, kept); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("trouble %d: a message that cannot be read now: %v", trouble, err)
		}
		state.Store(well)
		for _, raw := range [][]byte{noise(10_000, byte(10+trouble)), noise(2<<20, byte(20+trouble))} {
			id, err := acceptRaw(t.Context(), s, raw)
			if err != nil {
				t.Fatalf("after trouble %d: %v", trouble, err)
			}
			if got, err := readRaw(t.Context(), s, id); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("after trouble %d: %v", trouble, err)
			}
		}
	}
	if got, err := readRaw(t.Context(), s, kept); err != nil || !bytes.Equal(got, small) {
		t.Errorf("what was kept before: %v", err)
	}
	owed, err := s.Fetch(t.Context(), "ep_1", Cursor{}, time.Now().Add(time.Hour), 100)
	if err != nil || len(owed) != 5 {
		t.Errorf("%d deliveries for 5 accepted messages, %v", len(owed), err)
	}
}

// TestTroubleStandsUntilItIsOver: credentials of the bucket that are wrong from the start, or fall back to reading, are trouble for as long
// as they are so, without a mail that has to try.
func TestTroubleStandsUntilItIsOver(t *testing.T) {
	var refused atomic.Pointer[string] // methods
	refuse := func(methods string) { refused.Store(&methods) }
	server := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(*refused.Load(), r.Method) {
			return false
		}
		io.Copy(io.Discard, r.Body)
		http.Error(w, `<Error><Code>AccessDenied</Code></Error>`, http.StatusForbidden)
		return true
	})
	now := time.Now()
	refuse("GET PUT")
	s, err := Open(t.Context(), Config{
		Dir: t.TempDir(), Blobs: server.open(t, nil), PackInBlobs: true, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stands := func(when, reason string) {
		t.Helper()
		now = now.Add(time.Hour)
		s.ProbeTrouble(t.Context())
		err := s.AcceptTrouble()
		if reason == "" && err != nil || reason != "" && (err == nil || !strings.HasPrefix(err.Error(), reason)) {
			t.Errorf("%s: %v", when, err)
		}
	}
	if err := s.AcceptTrouble(); err == nil {
		t.Error("a store that has not reached its bucket has no trouble")
	}
	stands("an hour after the start", "the blobs cannot be used: ")
	refuse("PUT")
	stands("it can be read", "the blobs cannot be used: ")
	refuse("")
	stands("it can be used", "")
	for o, err := range s.cfg.Blobs.List(t.Context(), "") {
		if err != nil || o.Key != ownerKey {
			t.Errorf("left behind: %s, %v", o.Key, err)
		}
	}

	refuse("PUT")
	stands("nobody has tried", "")
	if _, err := acceptRaw(t.Context(), s, noise(100, 1)); err == nil {
		t.Fatal("accepted")
	}
	if err := s.AcceptTrouble(); err == nil || !strings.HasPrefix(err.Error(), "the last mail could not be stored: ") {
		t.Errorf("after a mail: %v", err)
	}
	stands("an hour later", "the blobs cannot be used: ")
	refuse("")
	if _, err := acceptRaw(t.Context(), s, noise(100, 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.AcceptTrouble(); err != nil {
		t.Errorf("after a mail that was stored: %v", err)
	}
}

func TestOpenWithoutItsBucket(t *testing.T) {
	bucket := newFakeS3(t, nil).open(t, func(cfg *BucketConfig) { cfg.Bucket = "nobody-made-this" })
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Blobs: bucket, PackInBlobs: true})
	if err == nil {
		s.Close()
	}
	if codeOf(err) != noSuchBucket {
		t.Errorf("a store on a bucket that does not exist opens with %v", err)
	}
}
