package dispatch

import (
	"net/http"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestUsageOfWhatEndpointsDecide: mail that an endpoint has accepted within the session counts as any other, once, and what it did not
// accept does not; and a replay with a URL of its own is of the account whose mail it is.
func TestUsageOfWhatEndpointsDecide(t *testing.T) {
	url, _ := receiver(t, func(n int, w http.ResponseWriter) {
		switch n {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	freeURL, _ := receiver(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.Header().Set("webhook-delivery", "abort-message")
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	d := h.dispatcher(nil)
	g := NewGate(d)
	deferred, refused, accepted := mail("comes again"), mail("no"), mail("yes, and longer")
	for _, raw := range []string{deferred, refused, deferred, accepted} {
		if _, reply, err := h.send(t.Context(), g, raw, "one"); reply == "" && err != nil {
			t.Fatal(err)
		}
	}
	stop := h.start(d)
	r := h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"], URL: freeURL})
	d.Wake()
	awaitReplay(t, h, r.ID, settled)
	stop()
	if err := h.store.FlushNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	account := h.directory.Endpoints[h.ids["one"]].Account
	for _, who := range []string{account, ""} {
		list, err := h.store.Usage(t.Context(), who, time.Now().AddDate(0, 0, -1), time.Now().AddDate(0, 0, 2))
		if err != nil {
			t.Fatal(err)
		}
		var sum storage.Usage
		for _, u := range list {
			if u.Account != account {
				t.Errorf("seen by %q: %+v is nobody's", who, u)
			}
			sum.Messages, sum.Octets, sum.Delivered, sum.Dead = sum.Messages+u.Messages, sum.Octets+u.Octets, sum.Delivered+u.Delivered, sum.Dead+u.Dead
		}
		want := storage.Usage{Messages: 2, Octets: int64(len(deferred) + len(accepted)), Delivered: 3, Dead: 1}
		if sum != want {
			t.Errorf("seen by %q: %+v, want %+v", who, sum, want)
		}
	}
}
