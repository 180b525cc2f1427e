package storage

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/letterhook/letterhook/storage/throwaway"
)

const testBucketName = "letterhook-test"

// isolateAWS keeps the settings of whoever runs the tests out of them.
func isolateAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// testS3 is a running server with a bucket.
type testS3 struct{ config BucketConfig }

var testPrefixes atomic.Int64

// open gives a client with a prefix of its own.
func (s testS3) open(t *testing.T, change func(*BucketConfig)) *Bucket {
	t.Helper()
	cfg := s.config
	cfg.Prefix = fmt.Sprintf("p%d/q", testPrefixes.Add(1))
	if change != nil {
		change(&cfg)
	}
	b, err := NewBucket(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newFakeS3 runs a server in the process, behind what wrap makes of its handler. It checks no signatures.
func newFakeS3(t *testing.T, wrap func(http.Handler) http.Handler) testS3 {
	t.Helper()
	isolateAWS(t)
	backend := s3mem.New()
	if err := backend.CreateBucket(testBucketName); err != nil {
		t.Fatal(err)
	}
	handler := gofakes3.New(backend).Server()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return testS3{BucketConfig{Bucket: testBucketName, Endpoint: server.URL, AccessKeyID: "testkey", SecretAccessKey: "testsecret", PathStyle: true, Backoff: time.Millisecond}}
}

// newRealS3 is versitygw, which stores in a folder and checks what a real server checks.
func newRealS3(t *testing.T) testS3 {
	t.Helper()
	isolateAWS(t)
	b := throwaway.NewBucket(t)
	return testS3{BucketConfig{Bucket: b.Name, Endpoint: b.Endpoint, AccessKeyID: b.AccessKeyID, SecretAccessKey: b.SecretAccessKey, PathStyle: true}}
}

func TestBucket(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		server := newFakeS3(t, nil)
		testBlobs(t, func(t *testing.T) Blobs { return server.open(t, nil) })
		t.Run("in parts", func(t *testing.T) { testBucketParts(t, server) })
	})
	t.Run("versitygw", func(t *testing.T) {
		server := newRealS3(t)
		testBlobs(t, func(t *testing.T) Blobs { return server.open(t, nil) })
		t.Run("in parts", func(t *testing.T) { testBucketParts(t, server) })
		t.Run("never replaces", func(t *testing.T) { testBucketNeverReplaces(t, server) })
		t.Run("damaged on the way", func(t *testing.T) { testBucketDamagedOnTheWay(t, server) })
		t.Run("wrong credentials", func(t *testing.T) { testBucketWrongCredentials(t, server) })
		t.Run("presigned", func(t *testing.T) { testBucketPresigned(t, server) })
	})
}

// testBucketParts uploads more than the threshold.
func testBucketParts(t *testing.T, server testS3) {
	b := server.open(t, nil)
	b.threshold, b.partSize = 5<<20, 5<<20
	for _, size := range []int{5<<20 + 1, 10 << 20, 13<<20 + 7} {
		content := noise(size, 1)
		key := fmt.Sprint("pack/", size)
		for range 2 { // the second time the key is taken
			r := bytes.NewReader(append([]byte("before"), content...))
			r.Seek(6, io.SeekStart)
			if err := b.Put(t.Context(), key, r, int64(size)); err != nil {
				t.Fatalf("%d octets: %v", size, err)
			}
		}
		if !bytes.Equal(readBlob(t, b, key, 0, -1), content) {
			t.Errorf("%d octets came back changed", size)
		}
		if got := readBlob(t, b, key, 5<<20-3, 4); !bytes.Equal(got, content[5<<20-3:5<<20+1]) {
			t.Error("a range over the border of two parts differs")
		}
	}
}

func testBucketNeverReplaces(t *testing.T, server testS3) {
	b := server.open(t, nil)
	b.threshold, b.partSize = 5<<20, 5<<20
	for _, size := range []int{1000, 6 << 20} {
		key := fmt.Sprint("pack/", size)
		first := noise(size, 1)
		putBlob(t, b, key, first)
		if err := b.Put(t.Context(), key, bytes.NewReader(noise(size, 2)), int64(size)); statusOf(err) != http.StatusPreconditionFailed {
			t.Errorf("other bytes under a key in use: %v", err)
		}
		if !bytes.Equal(readBlob(t, b, key, 0, -1), first) {
			t.Error("an object was replaced")
		}
	}
	loose := server.open(t, func(cfg *BucketConfig) { cfg.Unconditional = true })
	putBlob(t, loose, "pack/x", noise(1000, 1))
	putBlob(t, loose, "pack/x", noise(1000, 2))
	if !bytes.Equal(readBlob(t, loose, "pack/x", 0, -1), noise(1000, 2)) {
		t.Error("an unconditional put did not replace")
	}
}

// changingReader gives other bytes the second time, as a damaged memory or a changed file would.
type changingReader struct {
	io.ReadSeeker
	reads int
}

func (r *changingReader) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p)
	if r.reads++; r.reads > 1 && n > 0 {
		p[0] ^= 1
	}
	return n, err
}

func testBucketDamagedOnTheWay(t *testing.T, server testS3) {
	b := server.open(t, nil)
	r := &changingReader{ReadSeeker: bytes.NewReader(noise(100, 1))}
	if err := b.Put(t.Context(), "pack/x", r, 100); codeOf(err) != "XAmzContentSHA256Mismatch" {
		t.Errorf("Put of bytes that are not those of the hash: %v", err)
	}
	if keys := listBlobs(t, b, ""); len(keys) != 0 {
		t.Errorf("stored: %q", keys)
	}
}

func testBucketWrongCredentials(t *testing.T, server testS3) {
	tests := []struct {
		code   string
		change func(*BucketConfig)
	}{
		{"SignatureDoesNotMatch", func(cfg *BucketConfig) { cfg.SecretAccessKey = "other" }},
		{"InvalidAccessKeyId", func(cfg *BucketConfig) { cfg.AccessKeyID = "other" }},
		{"NoSuchBucket", func(cfg *BucketConfig) { cfg.Bucket = "other-bucket" }},
	}
	for _, tt := range tests {
		b := server.open(t, tt.change)
		if err := b.Ping(t.Context()); codeOf(err) != tt.code {
			t.Errorf("%s: Ping = %v", tt.code, err)
		}
		if err := b.Put(t.Context(), "a", strings.NewReader("x"), 1); codeOf(err) != tt.code {
			t.Errorf("%s: Put = %v", tt.code, err)
		}
		// Above all no ErrNotFound: that would mean that a mail is lost.
		if _, err := b.OpenRange(t.Context(), "a", 0, -1); codeOf(err) != tt.code {
			t.Errorf("%s: OpenRange = %v", tt.code, err)
		}
	}
}

func TestBucketServerSideEncryption(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	server := newFakeS3(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			got[strings.Join([]string{
				r.Method, r.Header.Get("X-Amz-Server-Side-Encryption"), r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), r.Header.Get("X-Amz-Storage-Class"),
			}, " ")]++
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	})
	b := server.open(t, func(cfg *BucketConfig) {
		cfg.Encryption, cfg.KMSKeyID, cfg.StorageClass = "aws:kms", "key-1", "STANDARD_IA"
	})
	b.threshold, b.partSize = 5<<20, 5<<20
	putBlob(t, b, "pack/a", []byte("x"))
	putBlob(t, b, "pack/b", noise(6<<20, 1))
	// One whole object; of the upload in parts only the beginning says it.
	for request, want := range map[string]int{"PUT aws:kms key-1 STANDARD_IA": 1, "POST aws:kms key-1 STANDARD_IA": 1, "PUT   ": 2, "POST   ": 1} {
		if got[request] != want {
			t.Errorf("%d requests %q, want %d; all: %v", got[request], request, want, got)
		}
	}
}

func TestNewBucketRefuses(t *testing.T) {
	isolateAWS(t)
	good := BucketConfig{Bucket: "b", Region: "eu-central-1", AccessKeyID: "a", SecretAccessKey: "b"}
	if _, err := NewBucket(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		want   string
		change func(*BucketConfig)
	}{
		{"name is not set", func(c *BucketConfig) { c.Bucket = "" }},
		{"no region", func(c *BucketConfig) { c.Region = "" }},
		{"endpoint", func(c *BucketConfig) { c.Endpoint = "minio:9000" }},
		{"endpoint", func(c *BucketConfig) { c.LinkEndpoint = "/x" }},
		{"only one of", func(c *BucketConfig) { c.SecretAccessKey = "" }},
		{"prefix", func(c *BucketConfig) { c.Prefix = "../a" }},
		{"prefix", func(c *BucketConfig) { c.Prefix = "a//" }},
		{"encryption", func(c *BucketConfig) { c.Encryption = "rot13" }},
		{"KMS", func(c *BucketConfig) { c.KMSKeyID = "k" }},
		{"archive", func(c *BucketConfig) { c.StorageClass = "GLACIER" }},
	}
	for _, tt := range tests {
		cfg := good
		tt.change(&cfg)
		if _, err := NewBucket(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q in it", err, tt.want)
		}
	}
	t.Setenv("AWS_CA_BUNDLE", filepath.Join(t.TempDir(), "none.pem"))
	if _, err := NewBucket(t.Context(), good); err == nil || !strings.Contains(err.Error(), "AWS configuration") {
		t.Errorf("an absent CA bundle: %v", err)
	}
}

func BenchmarkBucketPut(b *testing.B) {
	backend := s3mem.New()
	if err := backend.CreateBucket(testBucketName); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	b.Cleanup(server.Close)
	bucket, err := NewBucket(b.Context(), BucketConfig{Bucket: testBucketName, Endpoint: server.URL, AccessKeyID: "k", SecretAccessKey: "s", PathStyle: true, Timeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	content := noise(640_000, 1)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := bucket.Put(b.Context(), fmt.Sprint("pack/", i), bytes.NewReader(content), int64(len(content))); err != nil {
			b.Fatal(err)
		}
	}
}
