package storage

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// permitted are the permissions that docs/operations.md lists for objects and their listing.
var permitted = []string{permitList, permitRead, permitWrite, permitDelete, "s3:AbortMultipartUpload"}

// restricted opens a place on versitygw as a new user, whose policy gives all of these permissions but one.
func restricted(t *testing.T, place throwaway.Bucket, without string) *Bucket {
	t.Helper()
	isolateAWS(t)
	place = place.Restricted(t, slices.DeleteFunc(slices.Clone(permitted), func(p string) bool { return p == without })...)
	b, err := NewBucket(t.Context(), BucketConfig{
		Bucket: place.Name, Prefix: place.Prefix, Endpoint: place.Endpoint, AccessKeyID: place.AccessKeyID, SecretAccessKey: place.SecretAccessKey, PathStyle: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMissingPermissionIsNamed: a store whose credentials may not do what mail needs says so before any mail comes, and names the
// permission; on the blobs of a store that was there before too. What only keeps deleted objects it warns of.
func TestMissingPermissionIsNamed(t *testing.T) {
	for _, tt := range []struct {
		without, says string
		takesMail     bool
	}{
		{"", "", true},
		{permitWrite, "the credentials lack the permission s3:PutObject on arn:aws:s3:::", false},
		{permitRead, "the credentials lack the permission s3:GetObject or s3:ListBucket on arn:aws:s3:::", false},
		{permitDelete, "the credentials lack the permission s3:DeleteObject on arn:aws:s3:::", true},
	} {
		for _, when := range []string{"first", "later"} {
			t.Run(tt.without+" "+when, func(t *testing.T) {
				place := throwaway.NewBucket(t)
				dir := t.TempDir()
				reopen := func(without string, log *slog.Logger) *Store {
					s, err := Open(t.Context(), Config{Dir: dir, Blobs: restricted(t, place, without), PackInBlobs: true, Log: log})
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				if when == "later" {
					if err := reopen("", nil).Close(); err != nil {
						t.Fatal(err)
					}
				}
				var log bytes.Buffer
				s := reopen(tt.without, slog.New(slog.NewTextHandler(&log, nil)))
				defer s.Close()
				for _, when := range []string{"at the start", "after a probe"} {
					err := s.AcceptTrouble()
					if (err == nil) != tt.takesMail || err != nil && !strings.Contains(err.Error(), tt.says) {
						t.Errorf("%s: %v", when, err)
					}
					s.ProbeTrouble(t.Context())
				}
				if !strings.Contains(log.String(), tt.says) || tt.says == "" && log.Len() > 0 {
					t.Errorf("the log says %s", &log)
				}
				if !tt.takesMail {
					return
				}
				for _, size := range []int{100, 2 << 20} {
					if id, err := acceptRaw(t.Context(), s, noise(size, 1)); err != nil {
						t.Error(err)
					} else if _, err := readRaw(t.Context(), s, id); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// TestPermissionsSuffice stores in parts, lists and deletes with the permissions of docs/operations.md alone.
func TestPermissionsSuffice(t *testing.T) {
	b := restricted(t, throwaway.NewBucket(t), "")
	b.threshold, b.partSize = 5<<20, 5<<20
	putBlob(t, b, "pack/a", noise(6<<20, 1))
	for o, err := range b.List(t.Context(), "pack/") {
		if err != nil || o.Size != 6<<20 {
			t.Errorf("%+v, %v", o, err)
		}
	}
	if err := b.Delete(t.Context(), "pack/a"); err != nil {
		t.Error(err)
	}
}

// TestProbesMeet: nodes that start at once probe with the same object, whose key the others write and delete meanwhile.
func TestProbesMeet(t *testing.T) {
	b := newRealS3(t).open(t, nil)
	s := openStoreOn(t, b)
	var probing sync.WaitGroup
	for range 8 {
		probing.Go(func() {
			for range 20 {
				if err := s.probeBlobs(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	probing.Wait()
	for o, err := range b.List(t.Context(), "") {
		if err != nil || o.Key != ownerKey {
			t.Errorf("left behind: %s, %v", o.Key, err)
		}
	}
}

// TestProbesAreFew: a start costs three requests, and so does each look at a bucket in trouble; none is made while there is no trouble or
// the database is away. They write to one key, so that a bucket that keeps versions has not many of them.
func TestProbesAreFew(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	requests := func() (list []string) {
		mu.Lock()
		defer mu.Unlock()
		list, seen = seen, nil
		return list
	}
	server := faultyS3(t, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+path.Base(r.URL.Path))
		return false
	})
	b := server.open(t, nil)
	dir := t.TempDir()
	var s *Store
	reopen := func() {
		t.Helper()
		if s != nil {
			s.Close()
		}
		var err error
		if s, err = Open(t.Context(), Config{Dir: dir, Blobs: b, PackInBlobs: true}); err != nil {
			t.Fatal(err)
		}
	}
	reopen()
	probe := []string{"GET owner", "PUT probe", "DELETE probe"}
	if got, want := requests(), append([]string{"GET owner", "PUT owner"}, probe...); !slices.Equal(got, want) {
		t.Errorf("the first start: %q, want %q", got, want)
	}
	reopen()
	defer func() { s.Close() }()
	if got := requests(); !slices.Equal(got, probe) {
		t.Errorf("a start: %q, want %q", got, probe)
	}
	s.ProbeTrouble(t.Context())
	if got := requests(); len(got) > 0 {
		t.Errorf("without trouble: %q", got)
	}
	s.trouble.note(errors.New("no room"), time.Now())
	s.ProbeTrouble(t.Context())
	if got := requests(); !slices.Equal(got, probe) || s.AcceptTrouble() != nil {
		t.Errorf("in trouble: %q, want %q; %v", got, probe, s.AcceptTrouble())
	}
	s.trouble.note(errors.New("no database"), time.Now())
	if err := s.do(t.Context(), func(w *writer) error {
		return w.script("CREATE TRIGGER broken BEFORE UPDATE ON store BEGIN SELECT RAISE(ABORT, 'broken'); END")
	}); err != nil {
		t.Fatal(err)
	}
	s.ProbeTrouble(t.Context())
	if got := requests(); len(got) > 0 || s.AcceptTrouble() == nil {
		t.Errorf("without a database: %q, %v", got, s.AcceptTrouble())
	}
}
