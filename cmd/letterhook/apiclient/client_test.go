package apiclient_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

// TestCurrent: the client that is committed is what the generator makes today. That the document is that of today is tested beside the operations.
func TestCurrent(t *testing.T) {
	program := generator(t)
	dir := t.TempDir()
	settings, err := os.ReadFile("oapi-codegen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(dir, "generated.go")
	settings = bytes.Replace(settings, []byte("output: generated.go"), []byte("output: "+made), 1)
	path := filepath.Join(dir, "oapi-codegen.yaml")
	if err := os.WriteFile(path, settings, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "-config", path, "openapi.json").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("generated.go"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("generated.go is not what the generator makes: run make generate and commit what it makes (%v)", err)
	}
}

// generator finds the program that make builds.
func generator(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("oapi-codegen"); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "letterhook", "bin", "current", "oapi-codegen")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: make services builds it", err)
		}
		t.Skip("no oapi-codegen: make services builds it")
	}
	return path
}

// served makes a server and a client of it that has a key.
func served(t *testing.T, handle http.HandlerFunc) *apiclient.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := apiclient.New(server.URL+"/mail/", "lhk_secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequests(t *testing.T) {
	var got *http.Request
	var body string
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got, body = r, string(text)
		_, _ = io.WriteString(w, `{"items": [], "next_cursor": "abc", "id": "key_1", "name": "a/b"}`)
	})
	page, err := c.ListMessages(t.Context(), apiclient.ListMessagesParams{Limit: 7, Q: "a b&c", Since: time.Unix(1, 5)})
	if err != nil || page.NextCursor != "abc" {
		t.Fatalf("%+v %v", page, err)
	}
	if want := "/mail/api/v1/messages?limit=7&q=a+b%26c&since=1970-01-01T00%3A00%3A01.000000005Z"; got.RequestURI != want {
		t.Errorf("%s, want %s", got.RequestURI, want)
	}
	if got.Header.Get("Authorization") != "Bearer lhk_secret" || got.Header.Get("Idempotency-Key") != "" {
		t.Errorf("%v", got.Header)
	}
	if _, err := c.CreateKey(t.Context(), apiclient.KeySettings{Name: "x", Scopes: []apiclient.KeySettingsScopes{"read"}}); err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"x","scopes":["read"]}`; body != want || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Idempotency-Key") == "" {
		t.Errorf("%s %v", body, got.Header)
	}
	if _, err := c.GetKey(t.Context(), "a/b ?"); err != nil || got.RequestURI != "/mail/api/v1/keys/a%2Fb%20%3F" {
		t.Errorf("%s %v", got.RequestURI, err)
	}
}

func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		status      int
		text, words string
		wait        time.Duration
	}{
		"problem":   {422, `{"status":422,"detail":"The request is not valid.","errors":[{"location":"body.url","message":"is not a URL"}]}`, "body.url is not a URL", 0},
		"limited":   {429, `{"status":429,"detail":"Too fast."}`, "Too fast.", 3 * time.Second},
		"no API":    {404, `<html>`, "Is that the URL of a Letterhook?", 0},
		"redirect":  {302, ``, "Is that the URL of a Letterhook?", 0},
		"no status": {500, `{"detail":"Something went wrong."}`, "Something went wrong.", 0},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			c := served(t, func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("Location", "/mail/api/v1/other")
				if test.wait > 0 {
					w.Header().Set("Retry-After", "3")
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.text)
			})
			_, err := c.GetSelf(t.Context())
			p, ok := errors.AsType[*apiclient.ProblemError](err)
			if !ok || apiclient.Status(err) != test.status || !strings.Contains(err.Error(), test.words) || p.RetryAfter != test.wait || asked != 1 {
				t.Errorf("%v, asked %d times", err, asked)
			}
		})
	}
}

func TestServerURL(t *testing.T) {
	for _, wrong := range []string{"", "mail.example.com", "ftp://mail.example.com", "https://", "https://a.example/?x", "https://user:password@a.example"} {
		if _, err := apiclient.New(wrong, "", nil); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// TestUnreachable: what was searched for does not come back in an error that ends in a log.
func TestUnreachable(t *testing.T) {
	c, err := apiclient.New("http://127.0.0.1:1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ListMessages(t.Context(), apiclient.ListMessagesParams{Q: "confidential"})
	if err == nil || strings.Contains(err.Error(), "confidential") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Error(err)
	}
}
