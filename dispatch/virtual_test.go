package dispatch

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// untilTimeout answers nothing until the sender gives up.
func untilTimeout(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// inBubble runs test with a virtual clock, a house whose endpoints are the hosts of a virtual network, and a dispatcher.
func inBubble(t *testing.T, hosts []string, change func(*Config), endpoint func(*storage.Endpoint), test func(h *house, n *network, d *Dispatcher)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var endpoints []storage.Endpoint
		for _, name := range hosts {
			e := storage.Endpoint{Name: name, URL: "http://" + name + "/hook"}
			if endpoint != nil {
				endpoint(&e)
			}
			endpoints = append(endpoints, e)
		}
		h := build(t, endpoints...)
		h.virtual = true
		d := h.dispatcher(change)
		d.sender.dial = n.dial
		test(h, n, d)
		h.close()
		n.conns.Wait()
	})
}

func names(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, prefix+string(rune('a'+i/676%26))+string(rune('a'+i/26%26))+string(rune('a'+i%26)))
	}
	return list
}

// A hundred of a thousand endpoints hang. The others get every mail at once: before the clock moves at all.
func TestHangingEndpointsDelayNobody(t *testing.T) {
	hanging, healthy := names("hung", 100), names("well", 900)
	slots := func(c *Config) { c.Workers = 256 }
	inBubble(t, append(slices.Clone(hanging), healthy...), slots, nil, func(h *house, n *network, d *Dispatcher) {
		for _, name := range hanging {
			n.host(name, untilTimeout)
		}
		for _, name := range healthy {
			n.host(name, nil)
		}
		stop := h.start(d)
		for round := 1; round <= 6; round++ {
			id := h.accept(mail("news"), "all")
			synctest.Wait()
			for _, name := range healthy {
				if got := n.hosts[name+":80"].seen(); len(got) != round || got[round-1] != id {
					t.Fatalf("round %d: %s got %q before the clock moved", round, name, got)
				}
			}
			open, most := 0, 0
			for _, name := range hanging {
				o, m, _ := n.hosts[name+":80"].counts()
				open, most = open+o, max(most, m)
			}
			limit := len(hanging) * firstConcurrency
			if round > 4 { // all of them were found out
				limit = 256 / 4
			}
			if open == 0 || open > limit || most > firstConcurrency {
				t.Errorf("round %d: the hanging endpoints hold %d slots, one of them up to %d", round, open, most)
			}
			<-time.After(10 * time.Second)
		}
		stop()
	})
}

// An endpoint asks for half an hour of rest, then drains: nothing is lost or doubled, the rest is kept, the pace is slow at
// first, and mail that comes meanwhile does not wait for the backlog.
func TestBacklogDrainsPacedWithFreshMailBetween(t *testing.T) {
	const backlog, limit = 300, 8
	eight := func(e *storage.Endpoint) { e.Concurrency = limit }
	inBubble(t, []string{"tired", "well"}, nil, eight, func(h *house, n *network, d *Dispatcher) {
		resting := true
		well := n.host("well", nil)
		var tired *host
		tired = n.host("tired", func(w http.ResponseWriter, _ *http.Request) {
			tired.mu.Lock()
			rest := resting
			tired.mu.Unlock()
			if rest {
				w.Header().Set("Retry-After", "1800")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			<-time.After(100 * time.Millisecond)
		})
		stop := h.start(d)
		defer stop()
		want := map[string]int{}
		for i := range backlog {
			want[h.accept(mail("old"), "tired")] = 1
			want[h.accept(mail("other"), "well")] = 0
			synctest.Wait()
			if got := len(well.seen()); got != i+1 {
				t.Fatalf("the other endpoint has got %d of %d", got, i+1)
			}
			<-time.After(time.Second)
		}
		if got := len(tired.seen()); got > firstConcurrency {
			t.Errorf("%d requests while it rests", got)
		}
		tired.mu.Lock()
		resting, tired.most, tired.got = false, 0, nil
		tired.mu.Unlock()
		<-time.After(1800*time.Second - backlog*time.Second + 50*time.Millisecond)
		synctest.Wait()
		if open, _, _ := tired.counts(); open == 0 || open > firstConcurrency {
			t.Errorf("it begins with %d at once", open)
		}
		<-time.After(time.Second)
		before := len(tired.seen())
		fresh := h.accept(mail("fresh"), "tired")
		want[fresh] = 1
		<-time.After(time.Second)
		synctest.Wait()
		got := tired.seen()
		if at := slices.Index(got, fresh); at < 0 || at > before+3*limit || len(got) >= backlog {
			t.Errorf("fresh mail waits behind the backlog: it is number %d, accepted after %d of %d", at+1, before, len(got))
		}
		<-time.After(time.Hour)
		synctest.Wait()
		for _, id := range tired.seen() {
			want[id]--
		}
		for id, n := range want {
			if n != 0 {
				t.Errorf("%s: %d missing", id, n)
			}
		}
		if _, most, _ := tired.counts(); most != limit {
			t.Errorf("at most %d at once, want %d", most, limit)
		}
		stop()
	})
}

// An endpoint that is away for ten minutes misses nothing and gets nothing twice. The breaker lets single probes through, which
// use up no more attempts than their own.
func TestOutage(t *testing.T) {
	inBubble(t, []string{"away"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		away := n.host("away", nil)
		stop := h.start(d)
		defer stop()
		away.setDown(true)
		want := map[string]int{}
		for range 120 {
			want[h.accept(mail("x"), "away")]++
			<-time.After(5 * time.Second)
		}
		away.setDown(false)
		_, _, refused := away.counts()
		if least, most := breakerOpensAfter+5, breakerOpensAfter+2*len(breakerPauses); refused < least || refused > most {
			t.Errorf("%d attempts in ten minutes, want between %d and %d", refused, least, most)
		}
		if s := d.Status(h.ids["away"]); !strings.HasPrefix(s.Text, "paused by breaker, next probe ") {
			t.Errorf("the status is %q", s.Text)
		}
		<-time.After(15 * time.Minute) // the longest wait of a delivery that has failed four times, with jitter
		synctest.Wait()
		for _, id := range away.seen() {
			want[id]--
		}
		for id, n := range want {
			if n != 0 {
				t.Errorf("%s: %d missing", id, n)
			}
		}
		stop()
		if left := h.owed("away"); len(left) != 0 {
			t.Errorf("%d still owed", len(left))
		}
	})
}

// A whole schedule in one go, then dead with the reason; a replay begins anew with the same id.
func TestScheduleEndsDeadAndIsReplayed(t *testing.T) {
	schedule := func(c *Config) { c.Schedule = []time.Duration{5 * time.Second, time.Minute, 10 * time.Minute} }
	inBubble(t, []string{"away"}, schedule, nil, func(h *house, n *network, d *Dispatcher) {
		away := n.host("away", nil)
		away.setDown(true)
		stop := h.start(d)
		defer stop()
		id := h.accept(mail("x"), "away")
		<-time.After(20 * time.Minute)
		synctest.Wait()
		if _, _, refused := away.counts(); refused != 4 {
			t.Errorf("%d attempts", refused)
		}
		rows, err := h.store.Deliveries(h.t.Context(), storage.DeliveryFilter{})
		if err != nil || len(rows) != 1 || rows[0].State != storage.StateDead || rows[0].Reason != "all 4 attempts failed" {
			t.Fatalf("%+v, %v", rows, err)
		}
		attempts, err := h.store.Attempts(h.t.Context(), rows[0].ID)
		if err != nil || len(attempts) != 4 {
			t.Fatalf("%d attempts recorded, %v", len(attempts), err)
		}
		for i, a := range attempts {
			if a.N != i+1 || a.Outcome != OutcomeRefused {
				t.Errorf("attempt %d: %+v", i+1, a)
			}
		}
		var replay []string
		away.answer = func(_ http.ResponseWriter, r *http.Request) {
			replay = append(replay, r.Header.Get("letterhook-replay"), r.Header.Get("letterhook-attempt"))
		}
		away.setDown(false)
		if err := h.store.Retry(h.t.Context(), rows[0].ID); err != nil {
			t.Fatal(err)
		}
		d.Wake()
		synctest.Wait()
		if got := away.seen(); len(got) != 1 || got[0] != id || !slices.Equal(replay, []string{"true", "1"}) {
			t.Errorf("replayed %q with %q", got, replay)
		}
		stop()
	})
}

// A retry that is still far away when the program starts comes at its time, not with the next sweep.
func TestRestartKeepsTheSchedule(t *testing.T) {
	inBubble(t, []string{"away"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		away := n.host("away", nil)
		away.setDown(true)
		stop := h.start(d)
		for range breakerOpensAfter - 1 {
			h.accept(mail("x"), "away")
		}
		<-time.After(2 * time.Second) // each was attempted once; the second attempts come after four seconds and more
		stop()
		away.setDown(false)
		owed := h.owed("away")
		if len(owed) != breakerOpensAfter-1 {
			t.Fatalf("%d owed", len(owed))
		}
		second := h.dispatcher(nil)
		second.sender.dial = n.dial
		stop = h.start(second)
		defer stop()
		synctest.Wait()
		for i, row := range owed {
			if time.Until(row.DueAt) > 0 {
				<-time.After(time.Until(row.DueAt) - time.Millisecond)
				synctest.Wait()
			}
			if got := len(away.seen()); got > i {
				t.Errorf("%d came before their time", got-i)
			}
			<-time.After(scanPause + 2*time.Millisecond)
			synctest.Wait()
			if got := len(away.seen()); got < i+1 {
				t.Errorf("delivery %d did not come in time", i+1)
			}
			if i+1 < len(owed) && owed[i+1].DueAt.Sub(row.DueAt) < 2*scanPause {
				break // the others are due too close to tell apart
			}
		}
		stop()
	})
}
