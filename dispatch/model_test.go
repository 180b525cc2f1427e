package dispatch

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/storage"
)

// modelled is an endpoint with its limits, what it is going to answer, and what it has seen. The model of the scheduler is
// short: whatever is accepted comes, in an ordered lane one after the other, and no limit is ever passed.
type modelled struct {
	storage.Endpoint
	script []int // what it answers to its first requests; then it is well

	accepted  []string // ids in the order of acceptance
	delivered map[string]int
	begun     []time.Time
	requests  int
	attempts  map[string]time.Time // by id and number, when they were begun
}

// request is one that an endpoint has not answered yet.
type request struct {
	to     *modelled
	octets int64
	until  time.Time // when the attempt ends whatever happens
}

// The answers beside statuses.
const (
	hangs  = -1
	breaks = -2
)

type model struct {
	t         *rapid.T
	h         *house
	n         *network
	d         *Dispatcher
	stop      func()
	cfg       func(*Config)
	workers   int
	bytes     int64
	endpoints []*modelled

	mu      sync.Mutex
	open    map[*request]struct{}
	faults  []string
	excused map[*modelled]int // attempts whose moments a restart has made uncertain
}

const modelTimeout = 2 * time.Second

func newModel(t *rapid.T, h *house, n *network, run int) *model {
	m := &model{t: t, h: h, n: n, open: map[*request]struct{}{}, excused: map[*modelled]int{}}
	m.workers = rapid.IntRange(2, 8).Draw(t, "workers")
	m.bytes = rapid.SampledFrom([]int64{1 << 17, 4 << 20}).Draw(t, "bytes in flight")
	m.cfg = func(c *Config) {
		c.Workers, c.BytesInFlight, c.DrainTimeout = m.workers, m.bytes, time.Second
		c.MemoryBudget = rapid.SampledFrom([]int64{1 << 12, 1 << 20}).Draw(t, "memory budget")
		c.Schedule = slices.Repeat([]time.Duration{3 * time.Second}, 60)
	}
	var declared []storage.Endpoint
	for i := range rapid.IntRange(1, 4).Draw(t, "endpoints") {
		e := &modelled{delivered: map[string]int{}, attempts: map[string]time.Time{}}
		e.Name = fmt.Sprintf("r%de%d", run, i)
		e.URL, e.Timeout, e.MaxBody = "http://"+e.Name+"/hook", modelTimeout, 16<<10
		e.Concurrency = rapid.IntRange(1, 5).Draw(t, "concurrency")
		e.Ordered = rapid.Bool().Draw(t, "ordered")
		if rapid.IntRange(0, 2).Draw(t, "limited") == 0 {
			e.Rate = storage.Rate{
				Every: time.Duration(rapid.IntRange(100, 3000).Draw(t, "every")) * time.Millisecond, Burst: rapid.IntRange(1, 4).Draw(t, "burst"),
			}
		}
		e.script = rapid.SliceOfN(rapid.SampledFrom([]int{
			200, 200, hangs, hangs, breaks, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusNotFound,
			http.StatusRequestEntityTooLarge,
		}), 0, 8).Draw(t, "script")
		m.endpoints = append(m.endpoints, e)
		declared = append(declared, e.Endpoint)
		n.host(e.Name, func(w http.ResponseWriter, r *http.Request) { m.answer(e, w, r) })
	}
	h.declare(declared...)
	return m
}

func (m *model) faultf(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// inFlight counts the requests that are open, at e or at all endpoints. One whose time is over does not count: the
// dispatcher has given it up, also where the endpoint is about to notice.
func (m *model) inFlight(e *modelled) (n int, octets int64) {
	now := time.Now()
	for r := range m.open {
		if now.Before(r.until) && (e == nil || r.to == e) {
			n++
			octets += r.octets
		}
	}
	return n, octets
}

// bounds checks the limits that no request may pass.
func (m *model) bounds(e *modelled) {
	limit := e.Concurrency
	if e.Ordered {
		limit = 1
	}
	if open, _ := m.inFlight(e); open > limit {
		m.faultf("%s: %d attempts at once, allowed are %d", e.Name, open, limit)
	}
	open, octets := m.inFlight(nil)
	if octets > m.bytes {
		m.faultf("%d octets in flight, allowed are %d", octets, m.bytes)
	}
	if n := m.d.board.counts(); n.inFlight > m.workers || n.suspects > max(m.workers/4, 1) || open > m.workers {
		m.faultf("%+v with %d open, of %d slots", n, open, m.workers)
	}
}

// arrive checks what must hold whenever an attempt begins.
func (m *model) arrive(e *modelled, r *http.Request) (arrived *request, answer int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := r.Header.Get("webhook-id")
	// One that broke off on a connection from the pool is repeated within the same attempt.
	attempt := id + r.Header.Get("letterhook-attempt")
	begun, again := e.attempts[attempt]
	if !again {
		begun = time.Now()
		e.attempts[attempt] = begun
		m.spacing(e)
	}
	arrived = &request{to: e, octets: r.ContentLength + attemptCost, until: begun.Add(modelTimeout)}
	m.open[arrived] = struct{}{}
	m.bounds(e)
	if e.delivered[id] > 0 {
		m.faultf("%s: %s comes again", e.Name, id)
	}
	if e.Ordered {
		for _, before := range e.accepted[:max(slices.Index(e.accepted, id), 0)] {
			if e.delivered[before] == 0 {
				m.faultf("%s: %s comes before %s", e.Name, id, before)
			}
		}
	}
	if e.requests++; e.requests <= len(e.script) {
		return arrived, e.script[e.requests-1]
	}
	return arrived, http.StatusOK
}

// spacing checks the rate over every span that ends now. It is not checked where attempts wait for octets once their turn has
// come.
func (m *model) spacing(e *modelled) {
	now := time.Now()
	e.begun = append(e.begun, now)
	if e.Rate.Every == 0 || m.bytes < 1<<20 {
		return
	}
	since := e.begun[m.excused[e]:]
	for i, at := range since {
		most := e.Rate.Burst + int(now.Sub(at)/e.Rate.Every)
		if n := len(since) - i; n > most {
			m.faultf("%s: %d attempts in %s, allowed are %d", e.Name, n, now.Sub(at), most)
		}
	}
}

func (m *model) answer(e *modelled, w http.ResponseWriter, r *http.Request) {
	arrived, answer := m.arrive(e, r)
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.open, arrived)
	}()
	switch answer {
	case hangs:
		<-r.Context().Done()
		return
	case breaks:
		panic(http.ErrAbortHandler)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "7")
	case http.StatusOK:
		<-time.After(50 * time.Millisecond)
		m.mu.Lock()
		e.delivered[r.Header.Get("webhook-id")]++
		m.mu.Unlock()
	}
	w.WriteHeader(answer)
}

func (m *model) start() {
	m.d = m.h.dispatcher(m.cfg)
	m.d.sender.dial = m.n.dial
	m.stop = m.h.start(m.d)
	synctest.Wait()
}

func (m *model) accept() {
	e := m.endpoints[rapid.IntRange(0, len(m.endpoints)-1).Draw(m.t, "to")]
	m.mu.Lock()
	defer m.mu.Unlock()
	e.accepted = append(e.accepted, m.h.accept(mail("x"), e.Name))
}

// restart may cut what hangs, and nothing else: whoever answers does so long before the end of the drain, and no request begins
// during it. The rate begins anew with the process.
func (m *model) restart() {
	m.stop()
	synctest.Wait()
	m.mu.Lock()
	for _, e := range m.endpoints {
		m.excused[e] = len(e.begun)
		clear(e.attempts) // what was cut is made again under the same number
	}
	m.mu.Unlock()
	m.start()
}

// pause is the operator's, for a while.
func (m *model) pause(t *rapid.T) {
	e := m.endpoints[rapid.IntRange(0, len(m.endpoints)-1).Draw(t, "paused")]
	for _, state := range []storage.EndpointState{storage.EndpointPaused, storage.EndpointEnabled} {
		if err := m.h.store.SetEndpointState(m.h.t.Context(), m.h.ids[e.Name], state, "test"); err != nil {
			t.Fatal(err)
		}
		m.d.Wake()
		synctest.Wait()
		m.mu.Lock()
		// What was begun may still wait for its octets.
		open, _ := m.inFlight(e)
		most := len(e.begun) + m.d.Status(m.h.ids[e.Name]).InFlight - open
		m.mu.Unlock()
		<-time.After(time.Duration(rapid.IntRange(1, 5000).Draw(t, "for")) * time.Millisecond)
		m.mu.Lock()
		if state == storage.EndpointPaused && len(e.begun) > most {
			m.faultf("%s: attempts while it is paused", e.Name)
		}
		m.mu.Unlock()
	}
}

// settle lets everything run to its end.
func (m *model) settle() {
	for range 12 * 12 { // a broken endpoint is probed once an hour in the end
		<-time.After(5 * time.Minute)
		synctest.Wait()
		owed := 0
		for _, e := range m.endpoints {
			owed += len(m.h.owed(e.Name))
		}
		if owed == 0 {
			break
		}
	}
	m.stop()
	for _, e := range m.endpoints {
		for _, id := range e.accepted {
			if e.delivered[id] != 1 {
				m.faultf("%s: %s came %d times", e.Name, id, e.delivered[id])
			}
		}
		if owed := m.h.owed(e.Name); len(owed) > 0 {
			m.faultf("%s: %d are still owed, the first %+v; %s", e.Name, len(owed), owed[0], m.d.Status(m.h.ids[e.Name]).Text)
		}
	}
	if len(m.faults) > 0 {
		m.t.Fatalf("%d faults, the first: %s", len(m.faults), strings.Join(m.faults[:min(len(m.faults), 5)], "\n"))
	}
}

// The whole dispatcher over a real store, in virtual time, against the model: whatever endpoints answer, through restarts and
// pauses, nothing is lost or doubled, strict order is kept, and the bounds on concurrency, rate, the share of suspects and
// octets are never passed.
func TestSchedulerHoldsModel(t *testing.T) {
	// Each check takes a third of a second with the race detector. A soak asks for more.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("15"); err != nil {
			t.Fatal(err)
		}
		defer checks.Value.Set(checks.DefValue)
	}
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		h := build(t, storage.Endpoint{Name: "none", URL: "http://none/"})
		h.virtual = true
		defer func() {
			h.close()
			n.conns.Wait()
		}()
		run := 0
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // without Deadline, which a bubble refuses
			run++
			m := newModel(rt, h, n, run)
			m.start()
			defer m.stop()
			for range rapid.IntRange(1, 40).Draw(rt, "steps") {
				switch rapid.IntRange(0, 15).Draw(rt, "step") {
				case 0:
					m.restart()
				case 1:
					m.pause(rt)
				case 2, 3, 4:
					<-time.After(time.Duration(rapid.IntRange(1, 4000).Draw(rt, "ms")) * time.Millisecond)
				default:
					m.accept()
					<-time.After(2 * time.Millisecond)
				}
			}
			m.settle()
		})
	})
}
