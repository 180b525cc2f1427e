package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed by the next write; nil: nobody waits
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written != nil {
		close(b.written)
		b.written = nil
	}
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await waits until the log holds the words. A minute without them fails the test.
func (b *lockedBuffer) await(t *testing.T, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // an authority that failed is asked again after one
	defer cancel()
	for {
		b.mu.Lock()
		found := strings.Contains(b.text.String(), words)
		if b.written == nil {
			b.written = make(chan struct{})
		}
		written := b.written
		b.mu.Unlock()
		if found {
			return
		}
		select {
		case <-written:
		case <-ctx.Done():
			t.Fatalf("the log never said %q; it said:\n%s", words, b.String())
		}
	}
}

// serving is a server made of a configuration file.
type serving struct {
	*server
	path string
	log  *lockedBuffer
	stop context.CancelFunc
	done chan error
}

// serveFile runs a server of the configuration text until the test ends.
func serveFile(t *testing.T, text string) *serving {
	t.Helper()
	s := &serving{path: filepath.Join(t.TempDir(), "letterhook.yaml")}
	s.write(t, text)
	return serveAt(t, s.path)
}

// serveAt runs a server of a configuration file until the test ends.
func serveAt(t *testing.T, path string) *serving {
	t.Helper()
	s := &serving{path: path, log: &lockedBuffer{}, done: make(chan error, 1)}
	c, err := config.Load(s.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	s.server, err = openServer(ctx, serverOptions{config: c, declare: declare, loopback: true, log: newLogger(s.log, "text", level), level: level})
	if err != nil {
		t.Fatal(err)
	}
	s.lookEvery = time.Hour // the tests reload
	s.rates = access.Rates{Key: 1e6, KeyBurst: 1e6, Stranger: 1e6, StrangerBurst: 1e6}
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-s.done; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	return s
}

// write replaces the configuration file; DATA stands for a folder beside it.
func (s *serving) write(t *testing.T, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, "DATA", filepath.Join(filepath.Dir(s.path), "data"))
	if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const served = `hostname: mx.example.com
public_url: http://127.0.0.1:1/
data_dir: DATA
smtp: {listeners: [{name: mx, address: "127.0.0.1:0"}]}
http: {public: {address: "127.0.0.1:0"}, private: {address: "localhost:0"}}
storage: {min_free: 0}
endpoints: [{name: app, url: "URL", allow_private: true, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}]
domains: [{name: in.example.com, routes: [{match: ann, endpoints: [app]}, {match: spam, refuse: Not here}]}]
`

// recipient asks the server about one recipient and gives its reply.
func recipient(t *testing.T, s *serving, address string) string {
	t.Helper()
	c, err := dialSMTP(t.Context(), s.smtpListeners[0].Addr().String(), "localhost", tlsNever)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if _, err := c.command(250, "MAIL FROM:<>"); err != nil {
		t.Fatal(err)
	}
	r, err := c.command(25, "RCPT TO:<%s>", address)
	if err != nil {
		return err.Error()
	}
	return r.Error()
}

func TestServeRoutesAndReloads(t *testing.T) {
	url, verified := endpointOf(t, testSecret, func() int { return http.StatusOK })
	first := strings.ReplaceAll(served, "URL", url)
	s := serveFile(t, first)
	for address, want := range map[string]string{
		"ann@in.example.com": "250 ", "bob@in.example.com": "550 5.1.1", "ann@example.com": "550 5.7.1", "spam@in.example.com": "550 5.7.1 Not here",
	} {
		if got := recipient(t, s, address); !strings.HasPrefix(got, want) {
			t.Errorf("%s is answered %q, want %q", address, got, want)
		}
	}
	id := send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@b.example", to: []string{"ann@in.example.com"}})
	if got := <-verified; got != id {
		t.Errorf("webhook-id %s, want %s", got, id)
	}

	// A fault anywhere: nothing changes.
	s.write(t, strings.ReplaceAll(first, "match: ann", "match: bob")+"colour: blue\n")
	s.reload(t.Context(), s.path)
	if got := recipient(t, s, "ann@in.example.com"); !strings.HasPrefix(got, "250") {
		t.Errorf("after a faulty reload the recipient is answered %q", got)
	}
	s.log.await(t, "letterhook.yaml:9: colour: unknown key")

	// A valid one is applied, and what needs a restart is named.
	s.write(t, strings.NewReplacer("match: ann", "match: bob", "min_free: 0", "min_free: 1MiB").Replace(first)+"log: {level: debug}\n")
	s.reload(t.Context(), s.path)
	if got := recipient(t, s, "ann@in.example.com"); !strings.HasPrefix(got, "550 5.1.1") {
		t.Errorf("after the reload the old recipient is answered %q", got)
	}
	id = send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@b.example", to: []string{"bob@in.example.com"}})
	if got := <-verified; got != id {
		t.Errorf("webhook-id %s, want %s", got, id)
	}
	s.log.await(t, "needs_restart=[storage.min_free]")
	if s.level.Level() != slog.LevelDebug {
		t.Error("the log level was not taken over")
	}
}

func TestListenersAreApart(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	private, public := "http://"+s.private.Addr().String(), "http://"+s.public.Addr().String()
	if body := get(t, private+"/metrics"); !strings.Contains(body, "letterhook_") || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics: %.200s", body)
	}
	get(t, private+"/healthz")
	get(t, private+"/readyz")
	if err := askHealth(t.Context(), s.private.Addr().String(), "/readyz", false); err != nil {
		t.Errorf("letterhook health: %v", err)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/readyz"} {
		response, err := http.Get(public + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s is served to the public with %d", path, response.StatusCode)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	c := *s.cfg
	c.DataDir = t.TempDir()
	c.SMTP.Listeners = []config.Listener{{Name: "mx", Address: s.smtpListeners[0].Addr().String(), TLS: config.TLSNone}}
	_, err := openServer(t.Context(), serverOptions{config: &c, declare: declare, log: slog.New(slog.DiscardHandler), level: new(slog.LevelVar)})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("two servers on one address: %v", err)
	}
	entries, err := os.ReadDir(c.DataDir)
	if err != nil || len(entries) > 0 {
		t.Errorf("the data folder was touched: %v, %v", entries, err)
	}
}

// TestNotReadyWhenNothingIsStored takes away the folder that mail is written to.
func TestNotReadyWhenNothingIsStored(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	segments := filepath.Join(s.cfg.DataDir, "segments")
	if err := os.RemoveAll(segments); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segments, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := sendOptions{
		from: "a@sender.example", to: []string{"ann@in.example.com"},
		server: s.smtpListeners[0].Addr().String(), helo: "localhost", tls: "auto", count: 1, connections: 1,
	}
	if err := o.run(t.Context(), nil, nil, io.Discard); err == nil {
		t.Fatal("the mail was accepted")
	}
	if err := s.ready(); err == nil || !strings.Contains(err.Error(), "could not be stored") {
		t.Errorf("ready says %v", err)
	}
}
