package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// request is what an application got.
type request struct {
	path   string
	url    string // as the application sees it
	header http.Header
	body   []byte
}

// application records requests; answer says what it answers to one.
func application(t *testing.T, answer func(path string) int) (base string, got chan request) {
	t.Helper()
	got = make(chan request, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength != int64(len(body)) {
			t.Errorf("%s: %d octets of %d, %v", r.URL.Path, len(body), r.ContentLength, err)
		}
		w.WriteHeader(answer(r.URL.Path))
		got <- request{r.URL.Path, "http://" + r.Host + r.URL.RequestURI(), r.Header, body}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

const formatsConfiguration = `hostname: ` + serverName + `
public_url: http://%[1]s
data_dir: %[2]s
smtp: {listeners: [{name: mx, address: "%[3]s", tls: none}]}
http: {public: {address: "%[1]s"}, private: {address: "%[1]s"}}
storage: {min_free: 0}
delivery: {timeout: 1m}
endpoints:
  - {name: mailgun, allow_private: true, url: "%[4]s/mailgun", format: mailgun, format_key: key}
  - {name: mandrill, allow_private: true, url: "%[4]s/mandrill?a=%%20b", format: mandrill, format_key: key}
  - {name: raw, allow_private: true, url: "%[5]s/raw", format: raw}
  - {name: postmark, allow_private: true, url: "%[5]s/postmark", format: postmark, include_raw: true}
  - {name: cloudmailin, allow_private: true, url: "%[4]s/cloudmailin", format: cloudmailin}
  - {name: shadow, allow_private: true, url: "%[4]s/shadow", format: sendgrid-raw, shadow: true, schedule: []}
  - {name: refusing, allow_private: true, url: "%[4]s/refusing", format: mailgun-mime, format_key: key}
domains:
  - name: one.example
    routes: [{match: "*", endpoints: [mailgun, mandrill, raw, postmark, cloudmailin, shadow, refusing]}]
`

// TestFormats has one mail with a large attachment go to two recipients, and out in seven formats at once.
func TestFormats(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	base, got := application(t, func(path string) int {
		switch path {
		case "/refusing":
			return http.StatusNotAcceptable
		case "/shadow":
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	data := t.TempDir()
	s, o := startFormats(ctx, t, data, base)
	content := bytes.Repeat([]byte("0123456789abcdef"), 128<<10) // 2 MiB
	letter := []byte(header + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello.\r\n--b\r\n" +
		"Content-Type: application/octet-stream; name=big.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines76(content) + "--b--\r\n")
	if r := deliver(ctx, t, s.SMTP, letter, "a@one.example", "b@one.example"); !r.is(250, "") {
		t.Fatal(r)
	}
	want := []string{
		"/cloudmailin", "/mailgun", "/mailgun", "/mandrill", "/mandrill", "/postmark", "/postmark", "/raw", "/raw", "/refusing", "/refusing",
		"/shadow", "/shadow",
	}
	paths, ids := []string{}, map[string]bool{}
	for range want {
		select {
		case r := <-got:
			paths = append(paths, r.path)
			ids[r.path+r.header.Get("Webhook-Id")] = true
			checkRequest(t, &r, letter, content)
		case <-ctx.Done():
			t.Fatalf("only %q came", paths)
		}
	}
	slices.Sort(paths)
	if !slices.Equal(paths, want) || len(ids) != len(want) {
		t.Errorf("%q, ids %v", paths, ids)
	}
	eventually(ctx, t, "everything is recorded", func() bool { return states(t, o)["pending"] == 0 })
	if got := fmt.Sprint(states(t, o)); got != "map[dead:2 delivered:9 missed:2]" {
		t.Errorf("deliveries: %s", got)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	fsck(t, o.Program, data)
}

func startFormats(ctx context.Context, t *testing.T, data, base string) (*bench.Server, bench.ServerOptions) {
	t.Helper()
	smtp, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	web, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	withUser := strings.Replace(base, "//", "//actionmailbox:p%40ss@", 1)
	o := bench.ServerOptions{Program: program(t), SMTP: smtp, HTTP: web, Config: filepath.Join(t.TempDir(), "letterhook.yaml")}
	text := fmt.Sprintf(formatsConfiguration, web, data, smtp, base, withUser)
	if err := os.WriteFile(o.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(ctx, t, o), o
}

// lines76 is base64 as mail has it.
func lines76(content []byte) string {
	var b strings.Builder
	for text := base64.StdEncoding.EncodeToString(content); text != ""; {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	return b.String()
}

// states counts the deliveries by their state.
func states(t *testing.T, o bench.ServerOptions) map[string]int {
	t.Helper()
	out, err := exec.Command(o.Program, "deliveries", "list", "-c", o.Config, "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var row any
		if err := d.Decode(&row); err != nil {
			break
		}
		count(row, n)
	}
	return n
}

func count(row any, n map[string]int) {
	switch v := row.(type) {
	case []any:
		for _, r := range v {
			count(r, n)
		}
	case map[string]any:
		if state, ok := v["state"].(string); ok {
			n[state]++
		}
	}
}

// checkRequest verifies as a client of the format does.
func checkRequest(t *testing.T, r *request, letter, content []byte) {
	t.Helper()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("actionmailbox:p@ss"))
	switch r.path {
	case "/raw", "/postmark":
		if r.header.Get("Authorization") != basic {
			t.Errorf("%s: authorization %q", r.path, r.header.Get("Authorization"))
		}
	}
	switch r.path {
	case "/raw":
		if !bytes.HasSuffix(r.body, letter) || !bytes.HasPrefix(r.body, []byte("Return-Path: <")) || r.header.Get("Content-Type") != "message/rfc822" {
			t.Errorf("raw: %.300q", r.body)
		}
	case "/mandrill":
		form, err := url.ParseQuery(string(r.body))
		if err != nil {
			t.Error(err)
		}
		mac := hmac.New(sha1.New, []byte("key"))
		_, _ = io.WriteString(mac, r.url+"mandrill_events"+form.Get("mandrill_events"))
		if base64.StdEncoding.EncodeToString(mac.Sum(nil)) != r.header.Get("X-Mandrill-Signature") {
			t.Error("mandrill: the signature is wrong")
		}
	case "/mailgun":
		q := http.Request{Method: http.MethodPost, Header: r.header, Body: io.NopCloser(bytes.NewReader(r.body))}
		if err := q.ParseMultipartForm(64 << 20); err != nil {
			t.Error(err)
			return
		}
		mac := hmac.New(sha256.New, []byte("key"))
		_, _ = io.WriteString(mac, q.FormValue("timestamp")+q.FormValue("token"))
		if hex.EncodeToString(mac.Sum(nil)) != q.FormValue("signature") {
			t.Error("mailgun: the signature is wrong")
		}
		f, _, err := q.FormFile("attachment-1")
		if err != nil {
			t.Error(err)
			return
		}
		if b, err := io.ReadAll(f); err != nil || !bytes.Equal(b, content) {
			t.Errorf("mailgun: %d octets of the attachment, %v", len(b), err)
		}
	case "/cloudmailin", "/postmark":
		var m struct {
			Envelope    struct{ Recipients []string }
			Attachments []struct{ Content []byte }
		}
		if err := json.Unmarshal(r.body, &m); err != nil || len(m.Attachments) != 1 || !bytes.Equal(m.Attachments[0].Content, content) {
			t.Errorf("%s: the attachment is not whole: %v", r.path, err)
		}
		if r.path == "/cloudmailin" && len(m.Envelope.Recipients) != 2 {
			t.Errorf("cloudmailin: %v", m.Envelope)
		}
	}
}
