package storage_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// body is a mail body in memory, or, when hidden, one that shows only its ReaderAt as a temporary file would.
type body struct {
	*bytes.Reader
	bytes  []byte
	hidden bool
}

func newBody(b []byte) *body { return &body{Reader: bytes.NewReader(b), bytes: b} }

func (b *body) SHA256() [32]byte { return sha256.Sum256(b.bytes) }

func (b *body) Bytes() []byte {
	if b.hidden {
		return nil
	}
	return b.bytes
}

// layout is a way of keeping raw bytes. The suite runs over all of them.
type layout struct {
	name        string
	postgres    bool
	bucket      bool // blobs lie in a bucket of an S3 server instead of a folder
	packInBlobs bool
	keys        [][]byte
}

func layouts() []layout {
	return []layout{
		// LETTERHOOK_TEST_ENGINE=postgres has the tests that need one layout run over the other engine too.
		{name: "segments", postgres: os.Getenv("LETTERHOOK_TEST_ENGINE") == "postgres"},
		{name: "packs in blobs, instance key", packInBlobs: true, keys: [][]byte{bytes.Repeat([]byte{7}, 32)}},
		{name: "postgres, segments", postgres: true},
		{name: "postgres, packs in blobs, instance key", postgres: true, packInBlobs: true, keys: [][]byte{bytes.Repeat([]byte{7}, 32)}},
		{name: "segments, bucket", bucket: true},
		{name: "packs in bucket, instance key", bucket: true, packInBlobs: true, keys: [][]byte{bytes.Repeat([]byte{7}, 32)}},
		{name: "postgres, packs in bucket, instance key", postgres: true, bucket: true, packInBlobs: true, keys: [][]byte{bytes.Repeat([]byte{7}, 32)}},
	}
}

// forEachLayout runs a test over every layout.
func forEachLayout(t *testing.T, test func(t *testing.T, config storage.Config)) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			test(t, newConfig(t, l))
		})
	}
}

func newConfig(t testing.TB, l layout) storage.Config {
	t.Helper()
	dir := t.TempDir()
	config := storage.Config{Dir: dir, PackInBlobs: l.packInBlobs, Keys: l.keys}
	if l.bucket {
		config.Blobs = newBucket(t)
	} else {
		blobs, err := storage.NewDir(dir+"/blobs", nil)
		if err != nil {
			t.Fatal(err)
		}
		config.Blobs = blobs
	}
	if l.postgres {
		config.Database = throwaway.Filled(t, bringForward)
	}
	return config
}

// bucket is a place in a bucket of a real server, which keeps the objects in dir.
type bucket struct {
	*storage.Bucket
	dir string
}

// blobsDir is the folder where the objects lie, by their keys.
func blobsDir(config storage.Config) string {
	if b, ok := config.Blobs.(bucket); ok {
		return b.dir
	}
	return filepath.Join(config.Dir, "blobs")
}

// newBucket gives an empty place in a bucket.
func newBucket(t testing.TB) bucket {
	t.Helper()
	b := throwaway.NewBucket(t)
	opened, err := storage.NewBucket(t.Context(), storage.BucketConfig{
		Bucket: b.Name, Prefix: b.Prefix, Endpoint: b.Endpoint, Region: "us-east-1", PathStyle: true,
		AccessKeyID: b.AccessKeyID, SecretAccessKey: b.SecretAccessKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return bucket{opened, b.Dir}
}

// bringForward makes a database one that no store has used yet.
func bringForward(databaseURL string) error {
	dir, err := os.MkdirTemp("", "letterhook-store-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := storage.Open(context.Background(), storage.Config{Dir: dir, Database: databaseURL})
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", databaseURL)
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	_, err = db.Exec("TRUNCATE store, span")
	return errors.Join(err, db.Close())
}

func open(t testing.TB, config storage.Config) *storage.Store {
	t.Helper()
	s, err := storage.Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		stockIsExact(t, config)
	})
	return s
}

// envelope is a mail of account "acc_1" to one endpoint for each name.
func envelope(endpoints ...string) *inbound.Envelope {
	return &inbound.Envelope{
		ReversePath: inbound.Path{LocalPart: "sender", Domain: "example.org"},
		Recipients: []inbound.Recipient{{
			Path:     inbound.Path{LocalPart: "hook", Domain: "example.com"},
			Decision: inbound.Decision{Account: "acc_1", Route: "rt_1", Endpoints: endpoints, LocalPart: "hook"},

			Quarantined: true,
		}},
		Helo:       "mail.example.org",
		RemoteIP:   netip.MustParseAddr("192.0.2.1"),
		TLS:        &inbound.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256"},
		Listener:   "mx",
		ReceivedAt: time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC),
		AuthResults: &inbound.AuthResults{
			DKIM:     []inbound.DKIMResult{{Result: inbound.ResultPass, Domain: "example.org", Selector: "s", Aligned: true}},
			DMARC:    inbound.DMARCResult{Result: inbound.ResultPass, Domain: "example.org", Policy: "reject", DKIMAligned: true},
			Identity: inbound.Identity{Address: "sender@example.org", Domain: "example.org", Verified: true, Method: inbound.IdentityDMARC},
		},
	}
}

func content(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

func accept(t testing.TB, s *storage.Store, env *inbound.Envelope, b *body) []string {
	t.Helper()
	ids, err := s.Accept(context.Background(), env, b)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// due fetches everything that an endpoint is owed.
func due(t testing.TB, s *storage.Store, endpoint string) []storage.Delivery {
	t.Helper()
	ds, err := s.Fetch(context.Background(), endpoint, storage.Cursor{}, time.Now().Add(time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func complete(s *storage.Store, c storage.Completion) error {
	done := make(chan error, 1)
	s.Complete(c, func(err error) { done <- err })
	return <-done
}

// attempt makes the completion of a delivery's next attempt, delivered.
func attempt(d storage.Delivery) storage.Completion {
	return storage.Completion{
		Attempt: storage.Attempt{
			Delivery: d.ID, Message: d.Message, Endpoint: d.Endpoint, N: d.Attempts + 1,
			At: time.Now(), Duration: 3 * time.Millisecond, Outcome: "delivered", Status: 200,
		},
		State:  storage.StateDelivered,
		Reason: "delivered",
		Parsed: true,
	}
}

func readRaw(t testing.TB, s *storage.Store, id string) []byte {
	t.Helper()
	b, err := rawOf(s, id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rawOf(s *storage.Store, id string) ([]byte, error) {
	ctx := context.Background()
	m, err := s.Mail(ctx, id)
	if err != nil {
		return nil, err
	}
	raw, err := s.OpenRaw(ctx, m)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	if raw.Size() != m.Size {
		return nil, fmt.Errorf("size %d, want %d", raw.Size(), m.Size)
	}
	return io.ReadAll(io.NewSectionReader(raw, 0, raw.Size()))
}
