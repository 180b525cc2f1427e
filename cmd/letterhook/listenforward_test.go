package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// following is a command that runs until it is stopped.
type following struct {
	out, messages lockedBuffer
	cancel        context.CancelFunc
	ended         chan error
}

func follow(t *testing.T, args ...string) *following {
	t.Helper()
	f := &following{ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	f.cancel = cancel
	root, _ := newRoot()
	root.SetArgs(args)
	root.SetOut(&f.out)
	root.SetErr(&f.messages)
	go func() { f.ended <- root.ExecuteContext(ctx) }()
	t.Cleanup(cancel)
	return f
}

// application is one on a developer's machine: it verifies as the users of Standard Webhooks do.
type application struct {
	url      string
	requests chan request
}

type request struct {
	header http.Header
	body   []byte
	err    error // of the verification
}

func newApplication(t *testing.T, status int, secret string) *application {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	a := &application{requests: make(chan request, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = webhook.Verify(body, r.Header)
		}
		a.requests <- request{r.Header, body, err}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL + "/hook"
	return a
}

// next gives the next request, which must verify.
func (a *application) next(t *testing.T) request {
	t.Helper()
	r := <-a.requests
	if r.err != nil {
		t.Errorf("it does not verify: %v %v", r.err, r.header)
	}
	return r
}

// nothing says that no request has come that was not taken.
func (a *application) nothing(t *testing.T) {
	t.Helper()
	select {
	case r := <-a.requests:
		t.Errorf("one more request: %v", r.header)
	default:
	}
}

// event is a body without what every copy has of its own: when its links end, and their signatures.
func event(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "url")
			delete(v, "url_expires_at")
			for _, inner := range v {
				strip(inner)
			}
		case []any:
			for _, inner := range v {
				strip(inner)
			}
		}
	}
	strip(v)
	return v
}

const ownTestSecret = "whsec_bGlzdGVuaW5nIG9uIGEgZGV2ZWxvcGVyJ3MgZGVzaw=="

// zenithHouse is a server with an endpoint of zenith that leads to an application, and its secret.
func zenithHouse(t *testing.T, h *apiHouse) (receiver *application, id, secret string) {
	t.Helper()
	operator := h.key(t, "")
	made := h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": h.accounts["zenith"], "name": "app", "url": "http://127.0.0.1:1/", "allow_private": true})
	secret, _ = made["secret"].(string)
	receiver = newApplication(t, http.StatusOK, secret)
	h.do(t, operator, "PATCH", "/endpoints/"+made["id"].(string), map[string]any{"url": receiver.url, "headers": map[string]string{"X-Api-Key": "s3cret"}})
	h.do(t, operator, "POST", "/domains", map[string]any{"account_id": h.accounts["zenith"], "name": "zen.example"})
	h.do(t, operator, "POST", "/routes", map[string]any{"domain": "zen.example", "match": "*", "endpoints": []string{"app"}})
	return receiver, made["id"].(string), secret
}

// TestListenForward: an application on another machine gets what the endpoint gets, and the endpoint misses nothing.
func TestListenForward(t *testing.T) {
	h := newAPIHouse(t)
	there, _, _ := zenithHouse(t, h)
	workstation(t, h, "zenith", "read")
	local := newApplication(t, http.StatusTeapot, ownTestSecret)
	l := follow(t, "listen", "--forward", local.url, "--endpoint", "app", "--secret", ownTestSecret)
	l.messages.await(t, "signed with "+ownTestSecret)
	smtp := h.smtpListeners[0].Addr().String()
	for _, text := range []string{"one", "two"} {
		id := send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}, subject: "About " + text, text: text, attach: []string{h.path}})
		here, remote := local.next(t), there.next(t)
		if here.header.Get("Webhook-Id") != id || remote.header.Get("Webhook-Id") != id {
			t.Errorf("%s: %v, %v", id, here.header, remote.header)
		}
		if diff := cmp.Diff(event(t, remote.body), event(t, here.body)); diff != "" {
			t.Errorf("what is posted here differs from there: %s", diff)
		}
		if remote.header.Get("X-Api-Key") == "" || here.header.Get("X-Api-Key") != "" {
			t.Errorf("the secret header field of the endpoint: here %v, there %v", here.header, remote.header)
		}
		for _, name := range []string{"Content-Type", "User-Agent", "Letterhook-Attempt"} {
			if here.header.Get(name) != remote.header.Get(name) {
				t.Errorf("%s: %q, want %q", name, here.header.Get(name), remote.header.Get(name))
			}
		}
		l.out.await(t, "  "+id+"  418  in ")
		l.out.await(t, "<ann@sender.example> to bob@zen.example: About "+text)
	}
	// Others' mail is not heard of: what comes next is zenith's again.
	send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"ann@declared.example.com"}})
	id := send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}})
	if r := local.next(t); r.header.Get("Webhook-Id") != id {
		t.Errorf("heard %v, want %s", r.header, id)
	}
	l.cancel()
	if err := <-l.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}, text: "later"})
	there.next(t)
	there.next(t)
	local.nothing(t)
}

// TestListenAsEndpoint: with the scope replay the endpoint's own secret signs, and never leaves the server.
func TestListenAsEndpoint(t *testing.T) {
	h := newAPIHouse(t)
	_, _, secret := zenithHouse(t, h)
	local := newApplication(t, http.StatusOK, secret)
	args := []string{"listen", "--forward", local.url, "--endpoint", "app", "--as-endpoint", "--count", "1", "--json"}
	workstation(t, h, "zenith", "read")
	if _, err := command(t, args...); err == nil || !strings.Contains(err.Error(), "scope replay") {
		t.Errorf("without the scope: %v", err)
	}
	workstation(t, h, "zenith", "read", "replay")
	l := follow(t, args...)
	l.messages.await(t, "signed with the secrets of app")
	id := send(t, h.smtpListeners[0].Addr().String(), sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}})
	local.next(t)
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
	if v := firstJSON(t, l.out.String()); v["id"] != id || v["status"] != 200.0 || v["event"] == nil || strings.Contains(l.out.String(), secret) {
		t.Errorf("%v", v)
	}
	workstation(t, h, "acme")
	if _, err := command(t, args...); err == nil || !strings.Contains(err.Error(), "no endpoint is called") {
		t.Errorf("another account: %v", err)
	}
}

// relay is a network between a user and a server that can fail.
type relay struct {
	net.Listener

	to   string
	mu   sync.Mutex
	down bool
	open []net.Conn
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, to: to}
	t.Cleanup(func() {
		l.Close()
		r.set(true)
	})
	go r.serve()
	return r
}

func (r *relay) serve() {
	for {
		near, err := r.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.to)
		r.mu.Lock()
		if err != nil || r.down {
			near.Close()
			if far != nil {
				far.Close()
			}
		} else {
			r.open = append(r.open, near, far)
			go func() { _, _ = io.Copy(near, far); near.Close() }()
			go func() { _, _ = io.Copy(far, near); far.Close() }()
		}
		r.mu.Unlock()
	}
}

// set cuts all connections and lets none in, or lets them in again.
func (r *relay) set(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
	if down {
		for _, c := range r.open {
			c.Close()
		}
		r.open = nil
	}
}

// TestListenCutOff: a listener that was cut off gets what it missed, and nothing twice.
func TestListenCutOff(t *testing.T) {
	h := newAPIHouse(t)
	zenithHouse(t, h)
	workstation(t, h, "zenith", "read")
	between := newRelay(t, h.public.Addr().String())
	must(t, "context", "add", "between", "--url", "http://"+between.Addr().String(), "--key", h.key(t, "zenith", "read"), "--use")
	local := newApplication(t, http.StatusOK, ownTestSecret)
	l := follow(t, "listen", "--forward", local.url, "--secret", ownTestSecret)
	l.messages.await(t, "Listening to")
	mail := func(text string) string {
		return send(t, h.smtpListeners[0].Addr().String(), sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}, text: text})
	}
	want := []string{mail("one"), mail("two")}
	var got []string
	take := func(n int) {
		for range n {
			got = append(got, local.next(t).header.Get("Webhook-Id"))
		}
	}
	take(2)
	for _, text := range []string{"first", "second"} {
		between.set(true)
		want = append(want, mail(text+" while it was away"), mail(text+" too"))
		l.messages.await(t, "Cut off")
		between.set(false)
		take(2)
		want = append(want, mail(text+" back"))
		take(1)
	}
	local.nothing(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestListenLimits: a key listens four times at once, and not a moment longer than it works.
func TestListenLimits(t *testing.T) {
	h := newAPIHouse(t)
	zenithHouse(t, h)
	workstation(t, h, "zenith", "read")
	key := firstJSON(t, must(t, words("api get /self")...))["key_id"].(string)
	local := newApplication(t, http.StatusOK, ownTestSecret)
	var all []*following
	for range 4 {
		l := follow(t, "listen", "--forward", local.url, "--secret", ownTestSecret)
		l.messages.await(t, "Listening to")
		all = append(all, l)
	}
	if _, err := command(t, "listen", "--forward", local.url, "--secret", ownTestSecret); err == nil || !strings.Contains(err.Error(), "Too many listen") {
		t.Errorf("the fifth: %v", err)
	}
	h.do(t, h.key(t, ""), "DELETE", "/keys/"+key, nil)
	for _, l := range all {
		if err := <-l.ended; err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("after its key ended: %v", err)
		}
	}
}

// TestListenFilters: only what was asked for, and in a request of its own where no endpoint is named.
func TestListenFilters(t *testing.T) {
	h := newAPIHouse(t)
	zenithHouse(t, h)
	workstation(t, h, "")
	local := newApplication(t, http.StatusOK, ownTestSecret)
	l := follow(t, "listen", "--forward", local.url, "--secret", ownTestSecret, "--account", "zenith", "--recipient", "bob@zen.example")
	l.messages.await(t, "Listening to")
	smtp := h.smtpListeners[0].Addr().String()
	send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"carol@zen.example"}})
	send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"ann@declared.example.com"}})
	id := send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"carol@zen.example", "Bob@zen.example"}})
	r := local.next(t)
	if r.header.Get("Webhook-Id") != id || strings.Contains(string(r.body), "carol@zen.example\"") && strings.Contains(string(r.body), `"rcpt_to":["carol`) {
		t.Errorf("%v %s", r.header, r.body)
	}
	for _, args := range []string{"listen --endpoint app", "listen --forward http://127.0.0.1:1/ --as-endpoint", "listen --forward http://127.0.0.1:1/ --fail 2", "listen --forward nowhere"} {
		if _, err := command(t, words(args)...); err == nil {
			t.Errorf("%s is taken", args)
		}
	}
}
