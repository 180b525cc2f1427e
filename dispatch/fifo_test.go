package dispatch

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// A replay whose first delivery fails makes a lane in strict order wait. Once it is cancelled nothing waits for it any more.
func TestCancelledReplayLetsALaneInOrderGo(t *testing.T) {
	ordered := func(e *storage.Endpoint) {
		e.Ordered, e.Schedule = true, slices.Repeat([]time.Duration{10 * time.Hour}, 9)
	}
	inBubble(t, []string{"one"}, nil, ordered, func(h *house, n *network, d *Dispatcher) {
		one := n.host("one", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("letterhook-replay") != "" {
				<-time.After(5 * time.Second) // so that the cancellation meets an attempt under way
				w.WriteHeader(http.StatusConflict)
			}
		})
		stop := h.start(d)
		defer stop()
		h.accept(mail("old"), "one")
		<-time.After(time.Minute)
		r := h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"]})
		d.Wake()
		<-time.After(time.Minute)
		if got := len(one.seen()); got != 2 {
			h.t.Fatalf("%d requests before the replay is cancelled", got)
		}
		h.accept(mail("new"), "one")
		<-time.After(time.Minute)
		if got := len(one.seen()); got != 2 {
			h.t.Fatalf("%d requests while the lane waits for its first delivery", got)
		}
		d.Wake() // has one more attempt made
		<-time.After(time.Second)
		if err := h.store.CancelReplay(h.t.Context(), r.ID); err != nil {
			h.t.Fatal(err)
		}
		d.Wake()
		<-time.After(time.Minute)
		synctest.Wait()
		if got := one.seen(); len(got) < 4 || got[len(got)-1] == got[0] {
			h.t.Errorf("%d requests: the mail that came later still waits", len(got))
		}
		stop()
	})
}

// The first delivery of a lane in strict order is tried before its time, and that was its last attempt. The rest of the lane does not
// wait for the time at which it would have been due.
func TestDeadHeadLetsALaneInOrderGo(t *testing.T) {
	ordered := func(e *storage.Endpoint) { e.Ordered, e.Schedule = true, []time.Duration{10 * time.Hour} }
	inBubble(t, []string{"one"}, nil, ordered, func(h *house, n *network, d *Dispatcher) {
		var well atomic.Bool
		one := n.host("one", func(w http.ResponseWriter, _ *http.Request) {
			if !well.Load() {
				w.WriteHeader(http.StatusConflict)
			}
		})
		stop := h.start(d)
		defer stop()
		h.accept(mail("old"), "one")
		<-time.After(time.Minute)
		later := h.accept(mail("new"), "one")
		d.Wake()
		synctest.Wait()
		well.Store(true)
		<-time.After(time.Minute)
		if got := one.seen(); len(got) != 3 || got[2] != later {
			h.t.Errorf("%q were attempted: the mail that came later still waits", got)
		}
		stop()
	})
}

// An endpoint gives up its strict order while its first delivery waits for the next attempt. The others need not wait any more.
func TestOrderIsGivenUp(t *testing.T) {
	ordered := func(e *storage.Endpoint) { e.Ordered, e.Schedule = true, []time.Duration{10 * time.Hour} }
	inBubble(t, []string{"one"}, nil, ordered, func(h *house, n *network, d *Dispatcher) {
		var old atomic.Value
		one := n.host("one", func(w http.ResponseWriter, r *http.Request) {
			if id := r.Header.Get("webhook-id"); old.CompareAndSwap(nil, id) || old.Load() == id {
				w.WriteHeader(http.StatusConflict)
			}
		})
		var directory atomic.Pointer[storage.Directory]
		directory.Store(h.directory)
		d.cfg.Directory = directory.Load
		stop := h.start(d)
		defer stop()
		h.accept(mail("old"), "one")
		<-time.After(time.Minute)
		h.accept(mail("new"), "one")
		h.declare(storage.Endpoint{Name: "one", URL: "http://one/hook", Schedule: []time.Duration{10 * time.Hour}})
		directory.Store(h.directory)
		d.Wake()
		<-time.After(time.Minute)
		h.accept(mail("newer"), "one")
		synctest.Wait()
		if got := one.seen(); len(got) < 3 {
			h.t.Errorf("%d requests: what came later still waits", len(got))
		}
		stop()
	})
}
