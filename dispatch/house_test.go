package dispatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/docs/schema/schematest"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// house is a real store in a temporary folder with endpoints in it, and a dispatcher over it.
type house struct {
	t         testing.TB
	store     *storage.Store
	blobs     storage.Blobs
	links     *storage.Links
	folder    string
	directory *storage.Directory
	log       *bytes.Buffer
	ids       map[string]string // of endpoints, by name
	virtual   bool              // time is
}

// build makes a house. Mail to NAME@in.example goes to the endpoint of that name, mail to all@in.example to all.
func build(t testing.TB, endpoints ...storage.Endpoint) *house {
	t.Helper()
	h := &house{t: t, folder: t.TempDir(), ids: map[string]string{}, log: &bytes.Buffer{}}
	var err error
	if h.links, err = storage.NewLinks("https://letterhook.example", [][]byte{bytes.Repeat([]byte{1}, 32)}); err != nil {
		t.Fatal(err)
	}
	if h.blobs, err = storage.NewDir(h.folder+"/blobs", h.links); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.declare(endpoints...)
	return h
}

func (h *house) open() {
	h.t.Helper()
	var err error
	if h.store, err = storage.Open(context.Background(), storage.Config{Dir: h.folder, Blobs: h.blobs}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) close() {
	h.t.Helper()
	if err := h.store.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *house) declare(endpoints ...storage.Endpoint) {
	h.t.Helper()
	d := storage.Declaration{
		Accounts: []string{"acme"}, Domains: []storage.DeclaredDomain{{Name: "in.example", Account: "acme"}},
	}
	all := storage.DeclaredRoute{Domain: "in.example", Match: "all"}
	for _, e := range endpoints {
		e.Account = "acme"
		if e.Secrets == nil {
			e.Secrets = [][]byte{testSecret}
		}
		d.Endpoints = append(d.Endpoints, e)
		d.Routes = append(d.Routes, storage.DeclaredRoute{Domain: "in.example", Match: e.Name, Endpoints: []string{e.Name}})
		all.Endpoints = append(all.Endpoints, e.Name)
	}
	d.Routes = append(d.Routes, all)
	var err error
	if h.directory, err = h.store.Apply(context.Background(), d); err != nil {
		h.t.Fatal(err)
	}
	for id, e := range h.directory.Endpoints {
		h.ids[e.Name] = id
	}
}

// body is a mail body in memory.
type body struct {
	*bytes.Reader
	bytes []byte
}

func (b body) SHA256() [32]byte { return sha256.Sum256(b.bytes) }
func (b body) Bytes() []byte    { return b.bytes }

// accept takes a mail to some local-parts and returns its id.
func (h *house) accept(raw string, localParts ...string) string {
	h.t.Helper()
	return h.acceptFrom(inbound.Path{LocalPart: "ann", Domain: "sender.example"}, raw, localParts...)
}

// acceptFrom is accept of a mail with that reverse-path.
func (h *house) acceptFrom(reversePath inbound.Path, raw string, localParts ...string) string {
	h.t.Helper()
	env := &inbound.Envelope{
		ReversePath: reversePath, Helo: "mail.sender.example",
		RemoteIP: netip.MustParseAddr("203.0.113.7"), Listener: "mx", ReceivedAt: time.Now().UTC(),
	}
	for _, l := range localParts {
		p := inbound.Path{LocalPart: l, Domain: "in.example"}
		decision := h.directory.Recipients(p)
		if decision.Refuse != nil {
			h.t.Fatalf("%s: %v", l, decision.Refuse)
		}
		env.Recipients = append(env.Recipients, inbound.Recipient{Path: p, Decision: decision})
	}
	ids, err := h.store.Accept(context.Background(), env, body{bytes.NewReader([]byte(raw)), []byte(raw)})
	if err != nil {
		h.t.Fatal(err)
	}
	h.store.Acknowledged(ids) // else the same bytes again would be a resend
	return ids[0]
}

func (h *house) config() Config {
	return Config{
		Store: h.store, Blobs: h.blobs, Links: h.links, AllowLoopback: true, Version: "1.0.0-test",
		Directory: func() *storage.Directory { return h.directory },
		Log:       slog.New(slog.NewJSONHandler(h.log, nil)),
	}
}

// start runs a dispatcher; stop ends it and waits until what it did is recorded.
func (h *house) start(d *Dispatcher) (stop func()) {
	h.t.Helper()
	h.store.SetHandOver(d.HandOver)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
}

func (h *house) dispatcher(change func(*Config)) *Dispatcher {
	h.t.Helper()
	cfg := h.config()
	if change != nil {
		change(&cfg)
	}
	d, err := New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.virtual { // days pass, no other process writes, and to ask four times a second would take most of the test
		d.foreignEvery = sweepEvery
	}
	return d
}

// owed is how many deliveries of the endpoint are unfinished.
func (h *house) owed(endpoint string) []storage.Delivery {
	h.t.Helper()
	ds, err := h.store.Fetch(context.Background(), h.ids[endpoint], storage.Cursor{}, time.Now().Add(10000*time.Hour), 100000)
	if err != nil {
		h.t.Fatal(err)
	}
	return ds
}

// hit is a request that a receiver got.
type hit struct {
	header http.Header
	body   []byte
	event  Event
}

// checkSchema holds what a receiver got against the schema of its type.
func checkSchema(t testing.TB, body []byte) {
	t.Helper()
	if err := schematest.Check(body); err != nil {
		t.Error(err)
	}
}

// receiver verifies and records. answer, when not nil, says what it answers to the n-th request.
func receiver(t testing.TB, answer func(n int, w http.ResponseWriter)) (url string, hits chan hit) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhookRaw(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	hits = make(chan hit, 10000)
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		got := hit{header: r.Header, body: b}
		if err := wh.Verify(b, r.Header); err != nil {
			t.Errorf("the signature does not verify: %v", err)
		}
		if err := json.Unmarshal(b, &got.event); err != nil {
			t.Errorf("the body is no event: %v", err)
		}
		checkSchema(t, b)
		mu.Lock()
		n++
		k := n
		mu.Unlock()
		if answer != nil {
			answer(k, w)
		}
		hits <- got
	}))
	t.Cleanup(srv.Close)
	return srv.URL, hits
}

func mail(subject string) string {
	return fmt.Sprintf("From: Ann <ann@sender.example>\r\nTo: in@in.example\r\nSubject: %s\r\nMessage-ID: <%s@sender.example>\r\n\r\nHello.\r\n", subject, subject)
}
