package dispatch

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// awaitReplay waits until a replay has made all, and all of that is finished.
func awaitReplay(t *testing.T, h *house, id string, done func(*storage.Replay, storage.ReplayProgress) bool) (*storage.Replay, storage.ReplayProgress) {
	t.Helper()
	for t.Context().Err() == nil {
		r, err := h.store.Replay(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.store.ReplayProgress(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if done(r, p) {
			return r, p
		}
		runtime.Gosched()
	}
	t.Fatal("the test ended before the replay")
	return nil, storage.ReplayProgress{}
}

func settled(r *storage.Replay, p storage.ReplayProgress) bool {
	return r.State == storage.ReplayMade && p.Pending == 0
}

func (h *house) createReplay(spec storage.ReplaySpec) *storage.Replay {
	h.t.Helper()
	r, err := h.store.CreateReplay(h.t.Context(), spec, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *house) checkClean() {
	h.t.Helper()
	err := h.store.Check(h.t.Context(), func(f storage.Fault) { h.t.Errorf("fault: %s", f) })
	if err != nil {
		h.t.Error(err)
	}
}

// gatherReplays takes n requests and counts them by webhook-id.
func gatherReplays(t *testing.T, hits <-chan hit, n int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		x := <-hits
		got[x.header.Get("webhook-id")]++
		if x.header.Get("letterhook-replay") != "true" {
			t.Errorf("%s is not marked as a replay", x.header.Get("webhook-id"))
		}
	}
	return got
}

// TestReplayOfAnEndpoint replays what an endpoint took, to itself, to another one and to a URL: under the same ids, each once.
func TestReplayOfAnEndpoint(t *testing.T) {
	url, hits := receiver(t, nil)
	otherURL, others := receiver(t, nil)
	freeURL, free := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url}, storage.Endpoint{Name: "other", URL: otherURL})
	defer h.close()
	d := h.dispatcher(nil)
	stop := h.start(d)
	defer stop()
	const n = 30
	ids := map[string]bool{}
	for i := range n {
		ids[h.accept(fmt.Sprintf("Subject: %d\r\n\r\nx", i), "one")] = true
		<-hits
	}
	awaitFinished(t, h, n)
	targets := map[string]struct {
		spec storage.ReplaySpec
		hits <-chan hit
	}{
		"same":  {storage.ReplaySpec{Endpoint: h.ids["one"]}, hits},
		"other": {storage.ReplaySpec{Endpoint: h.ids["one"], To: h.ids["other"]}, others},
		"url":   {storage.ReplaySpec{Endpoint: h.ids["one"], URL: freeURL}, free},
	}
	for name, target := range targets {
		r := h.createReplay(target.spec)
		d.Wake()
		for id, times := range gatherReplays(t, target.hits, n) {
			if !ids[id] || times != 1 {
				t.Errorf("%s: %s came %d times", name, id, times)
			}
		}
		r, p := awaitReplay(t, h, r.ID, settled)
		if r.Made != n || r.Owed != 0 || r.Gone != 0 || p.Finished[storage.StateDelivered] != n {
			t.Errorf("%s: %+v, %+v", name, r, p)
		}
	}
	h.checkClean()
}

func awaitFinished(t *testing.T, h *house, n int) {
	t.Helper()
	for t.Context().Err() == nil {
		rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{State: storage.StateDelivered, Limit: 10000})
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) >= n {
			return
		}
		runtime.Gosched()
	}
}

// TestReplayWhatIsMissing declares an endpoint after mail has come, and gives it that mail: as the routes are today.
func TestReplayWhatIsMissing(t *testing.T) {
	url, hits := receiver(t, nil)
	lateURL, late := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	toAll, toOne := h.accept("Subject: a\r\n\r\nx", "all", "one"), h.accept("Subject: b\r\n\r\nx", "one")
	<-hits
	<-hits
	awaitFinished(t, h, 2)
	stop()
	h.declare(storage.Endpoint{Name: "one", URL: url}, storage.Endpoint{Name: "late", URL: lateURL})
	spec := storage.ReplaySpec{Endpoint: h.ids["late"], Missing: true}
	count, err := h.store.CountReplay(t.Context(), &spec, h.directory.Endpoints[h.ids["late"]], h.directory)
	if err != nil || count.Made != 1 {
		t.Fatalf("counted %+v, error %v", count, err)
	}
	r := h.createReplay(spec)
	d := h.dispatcher(nil)
	stop = h.start(d)
	defer stop()
	got := <-late
	if id := got.event.Data.ID; id != toAll || id == toOne {
		t.Errorf("%s arrived instead of %s", id, toAll)
	}
	if rcpt := got.event.Data.Envelope.RcptTo; len(rcpt) != 1 || rcpt[0] != "all@in.example" {
		t.Errorf("the event is for %q", rcpt)
	}
	awaitReplay(t, h, r.ID, settled)
	// Once more: nothing is missing now.
	if count, err = h.store.CountReplay(t.Context(), &spec, h.directory.Endpoints[h.ids["late"]], h.directory); err != nil || count.Made != 0 || count.Owed != 1 {
		t.Errorf("counted %+v, error %v", count, err)
	}
	again := h.createReplay(spec)
	d.Wake()
	if r, _ := awaitReplay(t, h, again.ID, settled); r.Made != 0 || r.Owed != 1 {
		t.Errorf("%+v", r)
	}
	h.checkClean()
}

// TestReplayRespectsALife pauses the endpoint: a replay makes nothing for it, and goes on when it is resumed.
func TestReplayRespectsALife(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	d := h.dispatcher(nil)
	stop := h.start(d)
	defer stop()
	h.accept("Subject: a\r\n\r\nx", "one")
	<-hits
	awaitFinished(t, h, 1)
	if err := h.store.SetEndpointState(t.Context(), h.ids["one"], storage.EndpointPaused, "test"); err != nil {
		t.Fatal(err)
	}
	d.Wake()
	for !d.board.isStopped(h.ids["one"]) {
		runtime.Gosched()
	}
	r := h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"]})
	if err := d.replays.read(t.Context(), h.store); err != nil {
		t.Fatal(err)
	}
	d.replayRound(t.Context(), map[string]*allotment{})
	if r, _ = awaitReplay(t, h, r.ID, func(*storage.Replay, storage.ReplayProgress) bool { return true }); r.Made != 0 {
		t.Errorf("%d were made for a paused endpoint", r.Made)
	}
	if err := h.store.SetEndpointState(t.Context(), h.ids["one"], storage.EndpointEnabled, "test"); err != nil {
		t.Fatal(err)
	}
	d.Wake()
	gatherReplays(t, hits, 1)
	awaitReplay(t, h, r.ID, settled)
}

// TestCancelledReplay cancels while the endpoint refuses: what was attempted is dead, the rest as if it had never been made,
// and can be replayed again.
func TestCancelledReplay(t *testing.T) {
	status := make(chan int, 1000)
	arrived := make(chan struct{}, 1000)
	url, hits := receiver(t, func(_ int, w http.ResponseWriter) {
		arrived <- struct{}{}
		w.WriteHeader(<-status)
	})
	h := build(t, storage.Endpoint{Name: "one", URL: url, Concurrency: 1, Schedule: []time.Duration{time.Hour}})
	defer h.close()
	d := h.dispatcher(nil)
	stop := h.start(d)
	defer stop()
	const n = 20
	for i := range n {
		h.accept(fmt.Sprintf("Subject: %d\r\n\r\nx", i), "one")
		status <- http.StatusOK
		<-arrived
		<-hits
	}
	awaitFinished(t, h, n)
	r := h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"]})
	d.Wake()
	status <- http.StatusConflict // one is tried, the next hangs
	<-arrived
	<-arrived
	awaitReplay(t, h, r.ID, func(r *storage.Replay, _ storage.ReplayProgress) bool { return r.State == storage.ReplayMade })
	if err := h.store.CancelReplay(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	d.Wake()
	awaitReplay(t, h, r.ID, func(_ *storage.Replay, p storage.ReplayProgress) bool { return p.Pending == 1 })
	status <- http.StatusOK
	_, p := awaitReplay(t, h, r.ID, func(r *storage.Replay, _ storage.ReplayProgress) bool { return r.State == storage.ReplayCancelled })
	if p.Pending != 0 || p.Finished[storage.StateDead] != 1 || p.Finished[storage.StateDelivered] != 1 {
		t.Errorf("%+v", p)
	}
	if len(arrived) > 0 {
		t.Errorf("%d more were attempted", len(arrived))
	}
	spec := storage.ReplaySpec{Endpoint: h.ids["one"]}
	if c, err := h.store.CountReplay(t.Context(), &spec, nil, nil); err != nil || c.Made != n {
		t.Errorf("%+v, %v", c, err)
	}
	h.checkClean()
}

// TestReplayRate makes no more than the rate says.
func TestReplayRate(t *testing.T) {
	var a allotment
	at := time.Unix(1_700_000_000, 0)
	made := 0
	for i := range 1001 { // ten seconds in hundredths
		n := a.take(5, 100, at.Add(time.Duration(i)*10*time.Millisecond))
		a.spend(n)
		made += n
	}
	if made < 50 || made > 51 {
		t.Errorf("%d in ten seconds at 5 a second", made)
	}
	if n := a.take(5, 100, at.Add(time.Hour)); n > 5 {
		t.Errorf("%d at once after an hour", n)
	}
}

// TestReplayToAURLAfterARestart has made all its deliveries when the program ends. The next one still knows where they go.
func TestReplayToAURLAfterARestart(t *testing.T) {
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		n.host("one", nil)
		free := n.host("free", nil)
		free.setDown(true)
		stop := h.start(d)
		id := h.accept(mail("x"), "one")
		<-time.After(time.Second)
		h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"], URL: "http://free/hook"})
		d.Wake()
		<-time.After(time.Second)
		if _, _, refused := free.counts(); refused == 0 {
			h.t.Error("it was not tried")
		}
		stop()
		open, err := h.store.OpenReplays(h.t.Context())
		if err != nil || len(open) != 0 {
			h.t.Errorf("%d replays are open, error %v", len(open), err)
		}
		free.setDown(false)
		second := h.dispatcher(nil)
		second.sender.dial = n.dial
		stop = h.start(second)
		<-time.After(time.Minute)
		if got := free.seen(); len(got) != 1 || got[0] != id {
			h.t.Errorf("it got %q", got)
		}
		stop()
	})
}
