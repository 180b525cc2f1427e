package dispatch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// prompted is an endpoint that answers each request as the test says next.
func prompted(t *testing.T) (url string, next chan<- http.HandlerFunc) {
	t.Helper()
	queue := make(chan http.HandlerFunc, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case answer := <-queue:
			answer(w, r)
		default:
			t.Error("it was asked once more")
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, queue
}

func answerWith(code int, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(code)
	}
}

// TestAnswersTellOfTheEndpoint: what an endpoint answers while senders wait counts in its life like any other attempt, but for a
// verdict about the mail.
func TestAnswersTellOfTheEndpoint(t *testing.T) {
	url, next := prompted(t)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	d := h.dispatcher(nil)
	g := NewGate(d)
	ask := func(raw string, answer http.HandlerFunc) (reply string, l life) {
		t.Helper()
		next <- answer
		_, reply, _ = h.send(t.Context(), g, mail(raw), "one")
		d.board.mu.Lock()
		defer d.board.mu.Unlock()
		if known := d.board.lives[h.ids["one"]]; known != nil {
			return reply, *known
		}
		return reply, *newLife(h.ids["one"])
	}
	if _, l := ask("a", answerWith(http.StatusInternalServerError)); l.FailingSince.IsZero() {
		t.Error("a failure does not count")
	}
	if reply, l := ask("b", answerWith(http.StatusNotFound)); !strings.HasPrefix(reply, "554") || l.State != storage.EndpointEnabled || l.FailingSince.IsZero() {
		t.Errorf("after a verdict: %q, %+v", reply, l)
	}
	if reply, l := ask("c", answerWith(http.StatusOK)); reply != "" || !l.FailingSince.IsZero() {
		t.Errorf("after a success: %q, %+v", reply, l)
	}
	if _, l := ask("d", answerWith(http.StatusFound, "Location", "/")); l.State != storage.EndpointBroken {
		t.Errorf("after a redirect: %+v", l)
	}
	if _, l := ask("e", answerWith(http.StatusOK)); l.State != storage.EndpointEnabled {
		t.Errorf("after another success: %+v", l)
	}
	if reply, l := ask("f", answerWith(http.StatusUnprocessableEntity, "webhook-delivery", "disable")); !strings.HasPrefix(reply, "554") || l.State != storage.EndpointDisabled {
		t.Errorf("after its wish: %q, %+v", reply, l)
	}
	if _, reply, err := h.send(t.Context(), g, mail("g"), "one"); !strings.HasPrefix(reply, "451") || !errors.Is(err, errStopped) {
		t.Errorf("disabled: %q, %v", reply, err)
	}
	if _, changes := d.board.unsaved(); len(changes) != 3 {
		t.Errorf("changes %+v", changes)
	}
}

// TestAskedForRest: an endpoint that has asked for a rest is not asked by senders that wait either.
func TestAskedForRest(t *testing.T) {
	url, next := prompted(t)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	d := h.dispatcher(nil)
	g := NewGate(d)
	next <- answerWith(http.StatusTooManyRequests, "Retry-After", "3600")
	if _, reply, err := h.send(t.Context(), g, mail("a"), "one"); !strings.HasPrefix(reply, "451") || errors.Is(err, errStopped) {
		t.Errorf("%q, %v", reply, err)
	}
	if _, reply, err := h.send(t.Context(), g, mail("b"), "one"); !strings.HasPrefix(reply, "451") || !errors.Is(err, errStopped) {
		t.Errorf("%q, %v", reply, err)
	}
	if !d.board.takesQuestions(h.ids["one"], time.Now().Add(2*time.Hour)) {
		t.Error("the rest does not end")
	}
}

// TestQuestionsKeepTheRate: mails whose senders wait begin no sooner than the endpoint's rate has it, and wait for that within its
// timeout. An attempt of the lane counts for them.
func TestQuestionsKeepTheRate(t *testing.T) {
	url, next := prompted(t)
	h := build(t, storage.Endpoint{Name: "one", URL: url, Timeout: time.Minute, Rate: storage.Rate{Every: time.Hour, Burst: 2}})
	defer h.close()
	d := h.dispatcher(nil)
	g := NewGate(d)
	d.board.mu.Lock()
	d.board.lane(h.ids["one"]).bucket.take(time.Now())
	d.board.mu.Unlock()
	next <- answerWith(http.StatusOK)
	if _, reply, err := h.send(t.Context(), g, mail("a"), "one"); err != nil {
		t.Fatalf("%q, %v", reply, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, reply, err := h.send(short, g, mail("b"), "one"); !strings.HasPrefix(reply, "451") || !errors.Is(err, errBusy) {
		t.Errorf("%q, %v", reply, err)
	}
	d.board.mu.Lock() // as if the time had passed
	d.board.lane(h.ids["one"]).bucket.full = time.Now().Add(time.Hour + 20*time.Millisecond)
	d.board.mu.Unlock()
	next <- answerWith(http.StatusOK)
	if _, reply, err := h.send(t.Context(), g, mail("b"), "one"); err != nil {
		t.Errorf("%q, %v", reply, err)
	}
}
