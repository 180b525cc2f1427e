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
)

// TestCheckBucket asks an empty bucket whose credentials may not do one thing or another. What mail needs is a fault, with the name of
// the permission; what it does not is a warning.
func TestCheckBucket(t *testing.T) {
	for _, tt := range []struct {
		refused string // method
		code    int
		says    string
	}{
		{"", exitOK, "letterhook.yaml is valid\n"},
		{http.MethodGet, exitFailed, ": storage.s3: the bucket cannot be used: read blob owner: the credentials lack the permission s3:GetObject or s3:ListBucket on arn:aws:s3:::mail/in/*: "},
		{http.MethodPut, exitFailed, ": storage.s3: the bucket cannot be used: store blob probe: the credentials lack the permission s3:PutObject on arn:aws:s3:::mail/in/*: "},
		{http.MethodDelete, exitOK, "warning: storage.s3: nothing can be deleted, so retention and erase leave objects behind: " +
			"delete blob probe: the credentials lack the permission s3:DeleteObject on arn:aws:s3:::mail/in/*: "},
	} {
		var wrote []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			switch r.Method {
			case tt.refused:
				http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
			case http.MethodGet:
				http.Error(w, "<Error><Code>NoSuchKey</Code></Error>", http.StatusNotFound)
			default:
				wrote = append(wrote, r.Method+" "+r.URL.Path)
			}
		}))
		path := filepath.Join(t.TempDir(), "letterhook.yaml")
		text := fmt.Sprintf(`hostname: mx.example.com
public_url: https://mail.example.com
data_dir: %s
smtp: {listeners: [{name: mx, address: "127.0.0.1:0"}]}
http: {public: {address: "127.0.0.1:0"}}
storage:
  blobs: s3
  s3: {endpoint: %q, region: us-east-1, bucket: mail, prefix: in, path_style: true, access_key_id: a, secret_access_key: b}
`, t.TempDir(), srv.URL)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := (&checkOptions{path: path, bucket: true}).run(t.Context(), &out)
		code := exitOK
		if exit, exits := errors.AsType[*exitError](err); exits {
			code = exit.code
		} else if err != nil {
			t.Fatal(err)
		}
		if code != tt.code || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%s refused: code %d, %s", tt.refused, code, &out)
		}
		if tt.refused == "" && fmt.Sprint(wrote) != "[PUT /mail/in/probe DELETE /mail/in/probe]" {
			t.Errorf("it writes %v", wrote)
		}
		srv.Close()
	}
}
