package admin_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// site is a public listener over a real store and a folder of blobs, with one message and one attachment.
type site struct {
	store      *storage.Store
	blobs      storage.Blobs
	links      *storage.Links
	log        *lockedBuffer
	message    string
	raw        []byte
	key        string
	attachment []byte
}

// lockedBuffer is a log that handlers write to while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type body struct {
	*bytes.Reader
	content []byte
}

func (b body) SHA256() [32]byte { return sha256.Sum256(b.content) }
func (b body) Bytes() []byte    { return b.content }

// newSite starts the listener; its public URL has a path. wrap may put faults before the blobs.
func newSite(t *testing.T, wrap func(storage.Blobs) storage.Blobs) *site {
	t.Helper()
	s := &site{log: &lockedBuffer{}}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	var err error
	if s.links, err = storage.NewLinks(server.URL+"/mail", [][]byte{bytes.Repeat([]byte{7}, storage.KeySize)}); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if s.blobs, err = storage.NewDir(folder+"/blobs", s.links); err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		s.blobs = wrap(s.blobs)
	}
	if s.store, err = storage.Open(t.Context(), storage.Config{Dir: folder, Blobs: s.blobs}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	handler = admin.Public(s.store, s.blobs, s.links, slog.New(slog.NewTextHandler(s.log, nil)))
	s.raw = []byte("Subject: test\r\n\r\nbare\nlines, NUL \x00 and 8bit \xff stay.\r\n")
	s.message = s.accept(t, s.raw)
	s.attachment = bytes.Repeat([]byte("0123456789"), 20_000)
	sum := sha256.Sum256(s.attachment)
	s.key = storage.AttachmentKey("acc_1", s.message, hex.EncodeToString(sum[:]))
	if err := s.blobs.Put(t.Context(), s.key, bytes.NewReader(s.attachment), int64(len(s.attachment))); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) accept(t *testing.T, raw []byte) string {
	t.Helper()
	ids, err := s.store.Accept(t.Context(), &inbound.Envelope{
		Recipients: []inbound.Recipient{{
			Path:     inbound.Path{LocalPart: "hook", Domain: "example.com"},
			Decision: inbound.Decision{Account: "acc_1", Route: "rt_1", Endpoints: []string{"ep_1"}, LocalPart: "hook"},
		}},
		RemoteIP: netip.MustParseAddr("192.0.2.1"), Listener: "mx", ReceivedAt: time.Now(),
	}, body{bytes.NewReader(raw), raw})
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

func soon() time.Time { return time.Now().Add(time.Hour) }

// fetch sends a request and reads the answer as far as it goes.
func fetch(t *testing.T, method, link string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response, content, err
}

// checkSafe is what every answer must carry, good or not.
func checkSafe(t *testing.T, response *http.Response) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": "sandbox; default-src 'none'",
		"Referrer-Policy":         "no-referrer",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestPublicServesRaw(t *testing.T) {
	s := newSite(t, nil)
	response, content, err := fetch(t, http.MethodGet, s.links.Raw(s.message, soon()))
	if err != nil || response.StatusCode != http.StatusOK || !bytes.Equal(content, s.raw) {
		t.Fatalf("%s, %v: %q", response.Status, err, content)
	}
	checkSafe(t, response)
	for name, want := range map[string]string{
		"Content-Type":        "message/rfc822",
		"Content-Disposition": `attachment; filename="` + s.message + `.eml"`,
		"Cache-Control":       "private",
		"Accept-Ranges":       "bytes",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestPublicServesAttachments(t *testing.T) {
	s := newSite(t, nil)
	link, _, err := s.blobs.URL(t.Context(), s.key, storage.Link{Filename: "Größe.html", ContentType: "text/html; charset=x", Expires: soon()})
	if err != nil {
		t.Fatal(err)
	}
	response, content, err := fetch(t, http.MethodGet, link)
	if err != nil || response.StatusCode != http.StatusOK || !bytes.Equal(content, s.attachment) {
		t.Fatalf("%s, %v, %d octets", response.Status, err, len(content))
	}
	checkSafe(t, response)
	if got := response.Header.Get("Content-Type"); got != "text/html" {
		t.Errorf("Content-Type: %s", got)
	}
	if _, p, err := mime.ParseMediaType(response.Header.Get("Content-Disposition")); err == nil && p["filename"] == "" {
		t.Errorf("Content-Disposition: %s", response.Header.Get("Content-Disposition"))
	}
}

// TestPublicWithoutThePath asks as a proxy does that takes the path of the public URL away.
func TestPublicWithoutThePath(t *testing.T) {
	s := newSite(t, nil)
	for _, link := range []string{s.links.Raw(s.message, soon()), s.links.Blob(s.key, storage.Link{Expires: soon()})} {
		if response, _, _ := fetch(t, http.MethodGet, strings.Replace(link, "/mail/v1/", "/v1/", 1)); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", link, response.Status)
		}
	}
}

func TestPublicRanges(t *testing.T) {
	s := newSite(t, nil)
	for name, c := range map[string]struct {
		link    string
		content []byte
	}{
		"raw":  {s.links.Raw(s.message, soon()), s.raw},
		"blob": {s.links.Blob(s.key, storage.Link{Expires: soon()}), s.attachment},
	} {
		t.Run(name, func(t *testing.T) {
			last := len(c.content)
			for value, want := range map[string]struct {
				status     int
				start, end int
			}{
				"bytes=0-4": {206, 0, 5}, "bytes=5-": {206, 5, last}, "bytes=-7": {206, last - 7, last},
				"bytes=3-999999999": {206, 3, last}, "bytes=999999999-": {416, 0, 0}, "lines=1": {416, 0, 0},
			} {
				response, got, err := fetch(t, http.MethodGet, c.link, "Range", value)
				if err != nil || response.StatusCode != want.status || want.status == 206 && !bytes.Equal(got, c.content[want.start:want.end]) {
					t.Errorf("%s: %s, %d octets, %v", value, response.Status, len(got), err)
				}
			}
			response, got, err := fetch(t, http.MethodGet, c.link, "Range", "bytes=1-2,10-12")
			_, p, perr := mime.ParseMediaType(response.Header.Get("Content-Type"))
			if err != nil || perr != nil {
				t.Fatalf("%v, %v", err, perr)
			}
			parts := multipart.NewReader(bytes.NewReader(got), p["boundary"])
			for _, want := range [][]byte{c.content[1:3], c.content[10:13]} {
				part, err := parts.NextPart()
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(part); err != nil || !bytes.Equal(b, want) {
					t.Errorf("%q, %v", b, err)
				}
			}
			response, got, _ = fetch(t, http.MethodHead, c.link)
			if response.StatusCode != http.StatusOK || response.ContentLength != int64(last) || len(got) != 0 {
				t.Errorf("HEAD: %s, length %d, %d octets", response.Status, response.ContentLength, len(got))
			}
			response, _, _ = fetch(t, http.MethodGet, c.link, "If-None-Match", response.Header.Get("ETag"))
			if response.StatusCode != http.StatusNotModified {
				t.Errorf("the same ETag: %s", response.Status)
			}
		})
	}
}

func TestPublicRefuses(t *testing.T) {
	s := newSite(t, nil)
	if err := s.blobs.Put(t.Context(), "pack/one", strings.NewReader("mail of many"), 12); err != nil {
		t.Fatal(err)
	}
	raw := s.links.Raw(s.message, soon())
	blob := s.links.Blob(s.key, storage.Link{Filename: "a.pdf", Expires: soon()})
	edit := func(link string, change func(*url.URL, url.Values)) string {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		change(u, q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	set := func(name, value string) func(*url.URL, url.Values) {
		return func(_ *url.URL, q url.Values) { q.Set(name, value) }
	}
	tests := []struct {
		name, method, link string
		status             int
	}{
		{"no parameters", "GET", strings.SplitN(raw, "?", 2)[0], 403},
		{"prolonged", "GET", edit(raw, set("expires", "9999999999")), 403},
		{"signature changed", "GET", edit(raw, set("signature", strings.Repeat("A", 43))), 403},
		{"another message", "GET", strings.Replace(raw, s.message, "msg_other", 1), 403},
		{"another name", "GET", edit(blob, set("name", "b.exe")), 403},
		{"a type added", "GET", edit(blob, set("type", "text/html")), 403},
		{"signature of the other kind", "GET", edit(raw, func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, "/raw/", "/blobs/", 1) }), 403},
		{"raw expired", "GET", s.links.Raw(s.message, time.Now().Add(-time.Second)), 410},
		{"blob expired", "HEAD", s.links.Blob(s.key, storage.Link{Expires: time.Now().Add(-time.Second)}), 410},
		{"message gone", "GET", s.links.Raw("msg_gone", soon()), 404},
		{"blob gone", "GET", s.links.Blob(s.key[:len(s.key)-1], storage.Link{Expires: soon()}), 404},
		{"a pack, signed", "GET", s.links.Blob("pack/one", storage.Link{Expires: soon()}), 404},
		{"POST", "POST", raw, 405},
		{"DELETE", "DELETE", blob, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, content, err := fetch(t, tt.method, tt.link)
			if err != nil || response.StatusCode != tt.status {
				t.Fatalf("%s, %v: %s", response.Status, err, content)
			}
			checkSafe(t, response)
			if tt.method != "HEAD" {
				checkProblem(t, response, content, tt.status)
			}
		})
	}
	for _, path := range []string{"/", "/v1/", "/v1/raw/", "/v1/raw/a/b", "/mail/", "/favicon.ico", "/metrics", "/v1/blobs/../raw/x"} {
		base, _, _ := strings.Cut(raw, "/mail/")
		response, content, _ := fetch(t, "GET", base+path)
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, response.Status)
		} else {
			checkProblem(t, response, content, response.StatusCode)
		}
	}
	if got := s.log.String(); got != "" {
		t.Errorf("what strangers do wrong is logged as our error: %s", got)
	}
}

// checkProblem reads an error as RFC 9457 says.
func checkProblem(t *testing.T, response *http.Response, content []byte, status int) {
	t.Helper()
	if got := response.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type: %s", got)
	}
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(content, &p); err != nil || p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Status != status || p.Detail == "" {
		t.Errorf("%s, %v", content, err)
	}
	if got := response.Header.Get("Content-Disposition"); got != "" {
		t.Errorf("Content-Disposition: %s", got)
	}
}
