package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/breaker"
	"github.com/letterhook/letterhook/storage"
)

// send puts a mail before the gate for an endpoint that decides, and gives the id of a 250 or the reply of a refusal.
func (h *house) send(ctx context.Context, g *Gate, raw, endpoint string) (id, reply string, err error) {
	h.t.Helper()
	p := inbound.Path{LocalPart: endpoint, Domain: "in.example"}
	decision := h.directory.Recipients(p)
	decision.Sync = true
	env := &inbound.Envelope{
		ReversePath: inbound.Path{LocalPart: "ann", Domain: "sender.example"}, Helo: "mail.sender.example", Listener: "mx",
		ReceivedAt: time.Now().UTC(), Recipients: []inbound.Recipient{{Path: p, Decision: decision}},
	}
	ids, err := g.Accept(ctx, env, body{bytes.NewReader([]byte(raw)), []byte(raw)})
	var rejection *inbound.Rejection
	switch {
	case errors.As(err, &rejection):
		return "", rejection.Error(), err
	case err != nil:
		return "", "", err
	}
	return ids[0], "", nil
}

// only gives the one delivery in the store.
func (h *house) only() storage.DeliveryRow {
	h.t.Helper()
	rows, err := h.store.Deliveries(context.Background(), storage.DeliveryFilter{})
	if err != nil || len(rows) != 1 {
		h.t.Fatalf("deliveries %+v, %v", rows, err)
	}
	return rows[0]
}

// TestAnswersDecide has endpoints answer in many ways, and looks at what the sender hears and what is on the disk by then.
func TestAnswersDecide(t *testing.T) {
	respond := func(status int, contentType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	const later, no = "451 4.4.1 The recipient does not answer now, please try again later", "554 5.7.1 The recipient does not take this message"
	tests := []struct {
		name   string
		answer http.HandlerFunc
		reply  string // empty: 250
		state  string
	}{
		{"200", respond(200, "text/plain", "thanks"), "", storage.StateDelivered},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "", storage.StateDelivered},
		{"a 200 with a huge body", respond(200, "text/plain", strings.Repeat("x", 1<<20)), "", storage.StateDelivered},
		{"422 with a text", respond(422, "text/plain; charset=utf-8", "\n Ticket 42 is closed \r\nand more"), "554 5.7.1 Ticket 42 is closed", storage.StateRefused},
		{"422 with JSON", respond(422, "application/json", `{"message":"Closed","trace":"/srv/app.rb:3"}`), "554 5.7.1 Closed", storage.StateRefused},
		{"422 with UTF-8", respond(422, "text/plain", "Geschlossen für heute"), "554 5.7.1 Geschlossen für heute", storage.StateRefused},
		{"403 with a page", respond(403, "text/html", "<h1>nginx/1.2 on 10.0.0.3</h1>"), no, storage.StateRefused},
		{"404 with nothing", respond(404, "text/plain", ""), no, storage.StateRefused},
		{"400 with broken JSON", respond(400, "application/json", `{"message":`), no, storage.StateRefused},
		{"400 with other JSON", respond(400, "application/json", `{"message":{"a":1}}`), no, storage.StateRefused},
		{"400 with a huge text", respond(400, "text/plain", strings.Repeat("x", 1<<20)), "554 5.7.1 xxxx", storage.StateRefused},
		{"422 behind many fields", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 20 {
				w.Header().Set(fmt.Sprintf("X-Policy-%02d", i), strings.Repeat("x", 1000))
			}
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, "Closed")
		}, "554 5.7.1 Closed", storage.StateRefused},
		{"500", respond(500, "text/plain", "password=x"), later, storage.StateWithdrawn},
		{"503", respond(503, "text/plain", "busy"), later, storage.StateWithdrawn},
		{"408", respond(408, "text/plain", "slow"), later, storage.StateWithdrawn},
		{"425", respond(425, "text/plain", "early"), later, storage.StateWithdrawn},
		{"429", respond(429, "text/plain", "many"), later, storage.StateWithdrawn},
		{"413", respond(413, "text/plain", "large"), later, storage.StateWithdrawn},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) }, later, storage.StateWithdrawn},
		{"the connection ends", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, later, storage.StateWithdrawn},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, later, storage.StateWithdrawn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil {
					tt.answer(w, r)
				}
			}))
			defer srv.Close()
			h := build(t, storage.Endpoint{Name: "one", URL: srv.URL, Timeout: 500 * time.Millisecond})
			defer h.close()
			id, reply, err := h.send(t.Context(), NewGate(h.dispatcher(nil)), mail("x"), "one")
			if (tt.reply == "") != (err == nil) || !strings.HasPrefix(reply, tt.reply) {
				t.Errorf("reply %q, %v, want %q", reply, err, tt.reply)
			}
			row := h.only()
			if row.State != tt.state || row.Attempts != 1 || id != "" && row.Message != id {
				t.Errorf("delivery %+v", row)
			}
			attempts, err := h.store.Attempts(t.Context(), row.ID)
			if err != nil || len(attempts) != 1 || attempts[0].N != 1 {
				t.Errorf("attempts %+v, %v", attempts, err)
			}
			if left := h.owed("one"); len(left) > 0 {
				t.Errorf("owed %+v", left)
			}
		})
	}
}

// TestHeldBeforeTheQuestion looks at the store from within the answer of the endpoint.
func TestHeldBeforeTheQuestion(t *testing.T) {
	var h *house
	url, hits := receiver(t, func(_ int, w http.ResponseWriter) {
		if row := h.only(); row.State != storage.StateHeld {
			t.Errorf("while the endpoint is asked: %+v", row)
		}
		w.WriteHeader(http.StatusConflict)
	})
	h = build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	g := NewGate(h.dispatcher(nil))
	if _, reply, _ := h.send(t.Context(), g, mail("x"), "one"); !strings.HasPrefix(reply, "554") {
		t.Errorf("reply %q", reply)
	}
	got := <-hits
	if got.header.Get("letterhook-sync") != "true" || got.header.Get("letterhook-attempt") != "1" || got.event.Data.ID != h.only().Message {
		t.Errorf("request %v", got.header)
	}
}

// TestSenderComesAgain: the same mail keeps its id over sessions that ended in 451 and over a start of the server, and is asked about no
// more once it was taken.
func TestSenderComesAgain(t *testing.T) {
	url, hits := receiver(t, func(n int, w http.ResponseWriter) {
		if n < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer func() { h.close() }()
	raw := mail("again")
	for range 2 {
		g := NewGate(h.dispatcher(nil))
		if id, reply, _ := h.send(t.Context(), g, raw, "one"); id != "" || !strings.HasPrefix(reply, "451") {
			t.Fatalf("%s %q", id, reply)
		}
		h.close()
		h.open()
	}
	g := NewGate(h.dispatcher(nil))
	id, reply, err := h.send(t.Context(), g, raw, "one")
	if err != nil {
		t.Fatalf("%q, %v", reply, err)
	}
	for n, want := range []string{"1", "2", "3"} {
		got := <-hits
		if got.header.Get("webhook-id") != id || got.header.Get("letterhook-attempt") != want {
			t.Errorf("request %d: id %s, attempt %s", n+1, got.header.Get("webhook-id"), got.header.Get("letterhook-attempt"))
		}
	}
	if again, _, err := h.send(t.Context(), g, raw, "one"); err != nil || again != id {
		t.Errorf("after a lost 250: %s, %v", again, err)
	}
	g.Acknowledged([]string{id})
	if other, _, err := h.send(t.Context(), g, raw, "one"); err != nil || other == id {
		t.Errorf("another mail of the same bytes: %s, %v", other, err)
	}
	if n := len(hits); n != 1 {
		t.Errorf("%d requests for two mails that were taken, want one more", n)
	}
}

// TestTooLargeComesSmaller: a 413 has the sender come again, with the smallest form; then it is a verdict.
func TestTooLargeComesSmaller(t *testing.T) {
	url, hits := receiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	g := NewGate(h.dispatcher(nil))
	for _, want := range []string{"451", "554"} {
		if _, reply, _ := h.send(t.Context(), g, mail("x"), "one"); !strings.HasPrefix(reply, want) {
			t.Errorf("reply %q, want %s", reply, want)
		}
	}
	if first, second := <-hits, <-hits; len(second.body) >= len(first.body) || second.event.Data.Text == nil || *second.event.Data.Text != "" {
		t.Errorf("%d octets, then %d", len(first.body), len(second.body))
	}
}

// TestDeadEndpointIsNotAskedForEver: after some failures in a row senders are told to come again at once, and nothing is stored of
// what they sent.
func TestDeadEndpointIsNotAskedForEver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	g := NewGate(h.dispatcher(nil))
	for n := range breaker.After + 3 {
		_, reply, err := h.send(t.Context(), g, mail("x"), "one")
		if !strings.HasPrefix(reply, "451") || errors.Is(err, errResting) != (n >= breaker.After) {
			t.Errorf("mail %d: %q, %v", n, reply, err)
		}
	}
	if n := h.only().Attempts; n != breaker.After {
		t.Errorf("%d attempts", n)
	}
	if !strings.Contains(h.log.String(), "is not asked for a while") {
		t.Error("nothing in the log")
	}
}

// TestTurns: while an endpoint is asked about as many mails as it may be, another waits for its turn, and not for ever.
func TestTurns(t *testing.T) {
	asked, release := make(chan struct{}, 2), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer srv.Close()
	h := build(t, storage.Endpoint{Name: "one", URL: srv.URL, Concurrency: 1, Timeout: time.Minute})
	defer h.close()
	g := NewGate(h.dispatcher(nil))
	first := make(chan error, 1)
	go func() {
		_, _, err := h.send(context.Background(), g, mail("a"), "one")
		first <- err
	}()
	<-asked
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, reply, err := h.send(short, g, mail("b"), "one"); !strings.HasPrefix(reply, "451") || !errors.Is(err, errBusy) {
		t.Errorf("%q, %v", reply, err)
	}
	if len(asked) != 0 {
		t.Error("the endpoint was asked about two at the same time")
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestStopWhileAsking ends the server while an endpoint is asked: the mail is withdrawn, no attempt is recorded, and the sender's
// resend is the same mail.
func TestStopWhileAsking(t *testing.T) {
	asked, answers := make(chan string, 1), atomic.Bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if answers.Load() {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- r.Header.Get("webhook-id")
		<-r.Context().Done()
	}))
	defer srv.Close()
	h := build(t, storage.Endpoint{Name: "one", URL: srv.URL})
	defer h.close()
	g := NewGate(h.dispatcher(nil))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := h.send(ctx, g, mail("x"), "one")
		done <- err
	}()
	first := <-asked
	cancel()
	if err := <-done; err == nil {
		t.Error("it was accepted")
	}
	if row := h.only(); row.State != storage.StateWithdrawn || row.Attempts != 0 || row.Message != first {
		t.Errorf("delivery %+v", row)
	}
	answers.Store(true)
	if id, reply, err := h.send(t.Context(), g, mail("x"), "one"); id != first {
		t.Errorf("%s %q, %v", id, reply, err)
	}
}

// TestEndpointGone: a mail whose endpoint is not declared any more is not stored.
func TestEndpointGone(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one", URL: "http://127.0.0.1:1"})
	defer h.close()
	g := NewGate(h.dispatcher(nil))
	directory := *h.directory
	gone := directory.Endpoints[h.ids["one"]]
	gone.Disabled = true
	if _, reply, _ := h.send(t.Context(), g, mail("x"), "one"); !strings.HasPrefix(reply, "451 4.4.1") {
		t.Errorf("reply %q", reply)
	}
	mails, err := h.store.Messages(t.Context(), storage.MessageFilter{})
	if err != nil || len(mails) != 0 {
		t.Errorf("stored %v, %v", mails, err)
	}
}

// TestPausedEndpointIsNotAsked: what the operator paused, and what asked to be disabled, hears nothing of mails that wait either.
func TestPausedEndpointIsNotAsked(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	d := h.dispatcher(nil)
	g := NewGate(d)
	d.board.life(h.ids["one"]).State = storage.EndpointPaused
	if _, reply, err := h.send(t.Context(), g, mail("x"), "one"); !strings.HasPrefix(reply, "451") || !errors.Is(err, errStopped) {
		t.Errorf("%q, %v", reply, err)
	}
	d.board.life(h.ids["one"]).State = storage.EndpointEnabled
	if _, reply, err := h.send(t.Context(), g, mail("x"), "one"); err != nil {
		t.Errorf("%q, %v", reply, err)
	}
	if len(hits) != 1 {
		t.Errorf("%d requests", len(hits))
	}
}

// TestUnrecordedIsNotAccepted: an endpoint took a mail and the store cannot say so: the sender comes again, and the endpoint hears the
// same id.
func TestUnrecordedIsNotAccepted(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	d := h.dispatcher(nil)
	d.step = func(name string) {
		if name == "asked" {
			if err := h.store.Settle(storage.Completion{ // as if another had been quicker
				Attempt: storage.Attempt{Message: h.only().Message, Delivery: h.only().ID, N: 1, Outcome: "x"}, State: storage.StateWithdrawn,
			}); err != nil {
				t.Error(err)
			}
		}
	}
	if id, _, err := h.send(t.Context(), NewGate(d), mail("x"), "one"); id != "" || !errors.Is(err, storage.ErrStale) {
		t.Errorf("%s, %v", id, err)
	}
	d.step = func(string) {}
	id, _, err := h.send(t.Context(), NewGate(d), mail("x"), "one")
	if err != nil {
		t.Fatal(err)
	}
	if first, second := <-hits, <-hits; first.header.Get("webhook-id") != id || second.header.Get("webhook-id") != id {
		t.Errorf("ids %s and %s", first.header.Get("webhook-id"), second.header.Get("webhook-id"))
	}
}

// TestOthersGoStraightToTheStore: what no endpoint decides about is accepted without a question.
func TestOthersGoStraightToTheStore(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one", URL: "http://127.0.0.1:1"})
	defer h.close()
	g := NewGate(h.dispatcher(nil))
	p := inbound.Path{LocalPart: "one", Domain: "in.example"}
	env := &inbound.Envelope{Recipients: []inbound.Recipient{{Path: p, Decision: h.directory.Recipients(p)}}, ReceivedAt: time.Now()}
	raw := mail("x")
	ids, err := g.Accept(t.Context(), env, body{bytes.NewReader([]byte(raw)), []byte(raw)})
	if err != nil || len(ids) != 1 || len(h.owed("one")) != 1 {
		t.Errorf("%v, %v", ids, err)
	}
}
