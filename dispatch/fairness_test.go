package dispatch

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// history gives an endpoint so many mails that it took long ago: copies of one that it has just taken.
func (h *house) history(endpoint string, n int) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.folder, storage.DatabaseName)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	const numbers = `WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ?) `
	for _, text := range []string{
		`INSERT INTO message (id, account, received_at, size, sha256, envelope, pack, offset, length, key, dedupe) ` + numbers +
			`SELECT 'msg_' || printf('%026d', i), account, received_at, size, sha256, envelope, pack, offset, length, key, dedupe
				FROM number CROSS JOIN message WHERE id = (SELECT max(id) FROM message)`,
		`INSERT INTO delivery_result (message, id, endpoint, state, reason, attempts, replay, created_at, finished_at) ` + numbers +
			`SELECT 'msg_' || printf('%026d', i), 'dlv_' || printf('%026d', i), endpoint, state, reason, attempts, replay, created_at, finished_at
				FROM number CROSS JOIN delivery_result WHERE endpoint = ? AND id = (SELECT max(id) FROM delivery_result)`,
	} {
		args := []any{n}
		if text[12:15] == "del" {
			args = append(args, h.ids[endpoint])
		}
		if _, err := db.Exec(text, args...); err != nil {
			h.t.Fatal(err)
		}
	}
}

// arrivals are the requests of an endpoint, in their order.
type arrivals struct {
	mu      sync.Mutex
	replays int
	before  map[string]int // how many replays came before a live mail
}

func (a *arrivals) answer(took time.Duration) func(http.ResponseWriter, *http.Request) {
	return func(_ http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		if r.Header.Get("letterhook-replay") == "" {
			a.before[r.Header.Get("webhook-id")] = a.replays
		} else {
			a.replays++
		}
		a.mu.Unlock()
		<-time.After(took)
	}
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.replays
}

// A hundred thousand mails are replayed at an endpoint that is slower than they are made. Live mail of that endpoint waits for as many of
// them as its way bounds, and that of another endpoint for nothing. Counts, in virtual time.
func TestLiveMailBesideAReplay(t *testing.T) {
	const concurrency = 4
	for _, way := range []struct {
		name   string
		change func(*Config)
		order  bool
		most   int // replays that may come between a mail's acceptance and its request
	}{
		// They take turns: one, and those whose requests were under way to the receiver.
		{"handed over", nil, false, 2 * concurrency},
		// It stands behind the window, and what was read before.
		{"read from the store", func(c *Config) { c.MemoryBudget = 1 }, false, leastWindow + 2*concurrency},
		{"in order", nil, true, orderedWindow + 2},
	} {
		t.Run(way.name, func(t *testing.T) {
			endpoint := func(e *storage.Endpoint) { e.Concurrency, e.Ordered = concurrency, way.order }
			inBubble(t, []string{"busy", "well"}, way.change, endpoint, func(h *house, n *network, d *Dispatcher) {
				besideReplay(h, n, d, way.most)
			})
		})
	}
}

func besideReplay(h *house, n *network, d *Dispatcher, most int) {
	seen := &arrivals{before: map[string]int{}}
	n.host("busy", seen.answer(200*time.Millisecond))
	well := n.host("well", nil)
	stop := h.start(d)
	defer stop()
	h.accept(mail("first"), "busy")
	<-time.After(time.Second)
	h.history("busy", 100_000)
	r := h.createReplay(storage.ReplaySpec{Endpoint: h.ids["busy"]})
	d.Wake()
	<-time.After(time.Second)    // its window is full
	accepted := map[string]int{} // and how many replays had come then
	for range 4 {
		before := seen.count()
		id, other := h.accept(mail("live"), "busy"), h.accept(mail("other"), "well")
		accepted[id] = before
		synctest.Wait()
		if got := well.seen(); len(got) == 0 || got[len(got)-1] != other {
			h.t.Fatal("mail of another endpoint waits for the replay")
		}
		<-time.After(time.Second)
	}
	<-time.After(5 * time.Second)
	worst := 0
	seen.mu.Lock()
	for id, before := range accepted {
		at, ok := seen.before[id]
		if !ok {
			h.t.Errorf("%s has not come after %d replays", id, seen.replays-before)
		}
		worst = max(worst, at-before)
	}
	seen.mu.Unlock()
	if worst > most {
		h.t.Errorf("live mail came behind %d replays, at most %d are its share", worst, most)
	}
	r, err := h.store.Replay(h.t.Context(), r.ID)
	if err != nil || r.State != storage.ReplayRunning || r.Made < 50 {
		h.t.Errorf("the replay has made %d and is %s, error %v: it proves nothing", r.Made, r.State, err)
	}
	h.t.Logf("behind up to %d replays; %d were made", worst, r.Made)
	stop()
}

// BenchmarkLiveMailBesideAReplay measures how long live mail takes from its 250 to its request, a hundred a second, alone and while a
// hundred thousand mails are replayed to the same endpoint.
func BenchmarkLiveMailBesideAReplay(b *testing.B) {
	for _, beside := range []bool{false, true} {
		name := map[bool]string{false: "alone", true: "beside"}[beside]
		b.Run(name, func(b *testing.B) {
			var mu sync.Mutex
			came := map[string]time.Time{}
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.Header.Get("letterhook-replay") == "" {
					came[r.Header.Get("webhook-id")] = time.Now()
				}
			}))
			defer srv.Close()
			h := build(b, storage.Endpoint{Name: "one", URL: srv.URL})
			defer h.close()
			d := h.dispatcher(func(c *Config) { c.Log = nil })
			stop := h.start(d)
			defer stop()
			h.accept(mail("first"), "one")
			for len(h.owed("one")) > 0 {
				runtime.Gosched()
			}
			if beside {
				h.history("one", 100_000)
				h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"]})
				d.Wake()
			}
			var took []time.Duration
			accepted := map[string]time.Time{}
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for b.Loop() {
				<-tick.C
				accepted[h.accept(mail("live"), "one")] = time.Now()
			}
			for arrived := 0; arrived < len(accepted); {
				mu.Lock()
				arrived = len(came) - 1
				mu.Unlock()
				<-tick.C
			}
			for id, at := range accepted {
				took = append(took, max(came[id].Sub(at), 0))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
