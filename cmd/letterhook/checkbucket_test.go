package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// fakeBucket answers like S3. refused are the requests that the credentials may not make, by their method, or "LIST"; owner is what the
// object of that name holds; empty: it is not there.
type fakeBucket struct {
	refused, owner string
	wrote          []string
}

func (b *fakeBucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	kind := r.Method
	if r.URL.Query().Has("list-type") {
		kind = "LIST"
	}
	switch {
	case kind == b.refused:
		http.Error(w, "<Error><Code>AccessDenied</Code><Message>Denied by a policy.</Message></Error>", http.StatusForbidden)
	case kind == "LIST":
		fmt.Fprint(w, "<ListBucketResult><Name>mail</Name></ListBucketResult>")
	case kind == http.MethodGet && b.owner != "":
		http.ServeContent(w, r, "owner", time.Time{}, strings.NewReader(b.owner))
	case kind == http.MethodGet:
		http.Error(w, "<Error><Code>NoSuchKey</Code></Error>", http.StatusNotFound)
	default:
		b.wrote = append(b.wrote, r.Method+" "+r.URL.Path)
	}
}

// checkBucket runs check --bucket with a data folder and gives what it prints and its exit code.
func checkBucket(t *testing.T, endpoint, dir string, verbose bool, more ...string) (string, int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "letterhook.yaml")
	text := fmt.Sprintf(`hostname: mx.example.com
public_url: https://mail.example.com
data_dir: %s
smtp: {listeners: [{name: mx, address: "127.0.0.1:0"}]}
http: {public: {address: "127.0.0.1:0"}}
storage:
  blobs: s3
  s3: {endpoint: %q, region: us-east-1, bucket: mail, prefix: in, path_style: true, access_key_id: a, secret_access_key: b}
`, dir, endpoint) + strings.Join(more, "")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := (&checkOptions{path: path, bucket: true, verbose: verbose}).run(t.Context(), &out)
	code := exitOK
	if exit, exits := errors.AsType[*exitError](err); exits {
		code = exit.code
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), code
}

// TestCheckBucket asks an empty bucket whose credentials may not do one thing or another. What mail needs is a fault, with the name of
// the permission; what it does not is a warning. Words of the S3 library come when they are asked for.
func TestCheckBucket(t *testing.T) {
	for _, tt := range []struct {
		refused string
		code    int
		says    string
	}{
		{"", exitOK, "letterhook.yaml is valid\n"},
		{http.MethodGet, exitFailed, ": storage.s3: cannot read from the bucket: the credentials lack the permission s3:GetObject or s3:ListBucket on arn:aws:s3:::mail/in/* (AccessDenied)"},
		{http.MethodPut, exitFailed, ": storage.s3: cannot write to the bucket: the credentials lack the permission s3:PutObject on arn:aws:s3:::mail/in/* (AccessDenied)"},
		{"LIST", exitOK, "warning: storage.s3: cannot list the bucket, so what belongs to no message is never found and stays: " +
			"the credentials lack the permission s3:ListBucket on arn:aws:s3:::mail (AccessDenied)"},
		{http.MethodDelete, exitOK, "warning: storage.s3: cannot delete from the bucket, so what retention and erase delete stays: " +
			"the credentials lack the permission s3:DeleteObject on arn:aws:s3:::mail/in/* (AccessDenied)"},
	} {
		for _, verbose := range []bool{false, true} {
			b := &fakeBucket{refused: tt.refused}
			srv := httptest.NewServer(b)
			out, code := checkBucket(t, srv.URL, t.TempDir(), verbose)
			if code != tt.code || !strings.Contains(out, tt.says) {
				t.Errorf("%s refused: code %d, %s", tt.refused, code, out)
			}
			if strings.Contains(out, "RequestID") != (verbose && tt.refused != "") {
				t.Errorf("%s refused, verbose %t: %s", tt.refused, verbose, out)
			}
			if tt.refused == "" && fmt.Sprint(b.wrote) != "[PUT /mail/in/probe DELETE /mail/in/probe]" {
				t.Errorf("it writes %v", b.wrote)
			}
			srv.Close()
		}
	}
}

// TestCheckBucketUnreachable: what has nothing to do with permissions is said plainly too, and once.
func TestCheckBucketUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	none := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<Error><Code>NoSuchBucket</Code></Error>", http.StatusNotFound)
	}))
	defer none.Close()
	for url, says := range map[string]string{
		gone.URL: "cannot read from the bucket: there was no answer: dial tcp " + strings.TrimPrefix(gone.URL, "http://") + ": connect: connection refused\n",
		none.URL: "cannot read from the bucket: there is no such bucket (NoSuchBucket)\n",
	} {
		if out, code := checkBucket(t, url, t.TempDir(), false); code != exitFailed || !strings.Contains(out, says) || !strings.HasSuffix(out, "\n1 fault\n") {
			t.Errorf("code %d, %s", code, out)
		}
	}
}

// TestCheckBucketOfAnother: a bucket that is marked with the id of another store than the database's is a fault and not written to; without
// a database nobody knows whose it is.
func TestCheckBucketOfAnother(t *testing.T) {
	dir := t.TempDir()
	blobs, err := storage.NewDir(dir+"/blobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := storage.Open(t.Context(), storage.Config{Dir: dir, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	id, err := storage.StoreID(t.Context(), storage.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	const probe = "[PUT /mail/in/probe DELETE /mail/in/probe]"
	for _, tt := range []struct {
		name, dir, owner string
		code             int
		says, wrote      string
	}{
		{"its own", dir, id, exitOK, "letterhook.yaml is valid\n", probe},
		{"another's", dir, "store_other", exitFailed, `storage.s3: the blobs belong to another store: object "owner" of bucket "mail", prefix "in/" says "store_other", and this store is "` + id + `"`, "[]"},
		{"no database", t.TempDir(), "store_other", exitOK, `warning: storage.s3: the bucket belongs to the store "store_other", and there is no database here yet`, probe},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &fakeBucket{owner: tt.owner}
			srv := httptest.NewServer(b)
			defer srv.Close()
			out, code := checkBucket(t, srv.URL, tt.dir, false)
			if code != tt.code || !strings.Contains(out, tt.says) || fmt.Sprint(b.wrote) != tt.wrote {
				t.Errorf("code %d, it writes %v, says %s", code, b.wrote, out)
			}
		})
	}
}

// TestCheckBucketWithoutItsDatabase: where the database is away, whose bucket it is stays open, and that is one line.
func TestCheckBucketWithoutItsDatabase(t *testing.T) {
	srv := httptest.NewServer(&fakeBucket{owner: "store_other"})
	defer srv.Close()
	const says = `warning: storage.s3: the bucket belongs to the store "store_other"; whether that is the one of this configuration is not known: `
	out, code := checkBucket(t, srv.URL, t.TempDir(), false, "  database: postgres://127.0.0.1:1/letterhook\n")
	if _, rest, ok := strings.Cut(out, says); code != exitOK || !ok || strings.Count(rest, "\n") != 2 || !strings.HasSuffix(rest, "letterhook.yaml is valid\n") {
		t.Errorf("code %d, %s", code, out)
	}
}
