package dispatch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// notices gathers what Notify is told.
type notices struct {
	mu   sync.Mutex
	list []EndpointChange
}

func (n *notices) take(c EndpointChange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, c)
}

// words are the changes in short.
func (n *notices) words() (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.list {
		word := string(c.To)
		if c.Warning > 0 {
			word = fmt.Sprintf("%d%%", c.Warning)
		}
		list = append(list, word)
	}
	return list
}

// beside is the store as a command beside the server has it.
func (h *house) beside() *storage.Store {
	h.t.Helper()
	s, err := storage.Open(h.t.Context(), storage.Config{Dir: h.folder, Blobs: h.blobs, Beside: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// A broken endpoint keeps its mail: single probes, no attempts burnt, nothing dead. When it answers again all of it
// comes, none twice.
func TestBrokenKeepsEverything(t *testing.T) {
	for _, answer := range []int{http.StatusUnauthorized} {
		t.Run(http.StatusText(answer), func(t *testing.T) {
			var told notices
			day := func(e *storage.Endpoint) { e.DisableAfter = 13 * time.Hour }
			inBubble(t, []string{"one", "well"}, func(c *Config) { c.Notify = told.take }, day, func(h *house, n *network, d *Dispatcher) {
				var mended atomic.Bool
				var refused atomic.Int64
				one := n.host("one", func(w http.ResponseWriter, _ *http.Request) {
					if !mended.Load() {
						refused.Add(1)
						w.WriteHeader(answer)
					}
				})
				well := n.host("well", nil)
				stop := h.start(d)
				defer stop()
				want := map[string]int{}
				for range 40 {
					want[h.accept(mail("x"), "one", "well")] = 1
					<-time.After(15 * time.Minute)
				}
				synctest.Wait()
				if got := refused.Load(); got < 12 || got > 18 {
					t.Errorf("%d attempts in ten hours, want about one an hour", got)
				}
				if got := len(well.seen()); got != 40 {
					t.Errorf("the other endpoint has got %d", got)
				}
				for _, row := range h.owed("one") {
					if row.Attempts-row.Spared > 1 {
						t.Errorf("%d of %d attempts were burnt", row.Attempts-row.Spared, row.Attempts)
					}
				}
				if got := told.words(); !slices.Equal(got, []string{"broken", "50%", "70%"}) {
					t.Errorf("told %q", got)
				}
				mended.Store(true)
				one.mu.Lock()
				one.got = nil
				one.mu.Unlock()
				<-time.After(61 * time.Minute)
				synctest.Wait()
				for _, id := range one.seen() {
					want[id]--
				}
				for id, n := range want {
					if n != 0 {
						t.Errorf("%s: %d missing", id, n)
					}
				}
				if s := d.Status(h.ids["one"]); s.State != storage.EndpointEnabled || s.Text != "enabled" {
					t.Errorf("afterwards: %+v", s)
				}
				stop()
			})
		})
	}
}

// A mail that alone is answered 404 breaks nothing for long: the next probe is made with another one.
func TestPoisonousMailBreaksNothing(t *testing.T) {
	age := func(e *storage.Endpoint) { e.MaxAge = 20 * time.Minute }
	inBubble(t, []string{"one"}, nil, age, func(h *house, n *network, d *Dispatcher) {
		var poison atomic.Value
		poison.Store("")
		n.host("one", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("webhook-id") == poison.Load() {
				w.WriteHeader(http.StatusNotFound)
			}
		})
		bad := h.accept(mail("bad"), "one")
		poison.Store(bad)
		stop := h.start(d)
		defer stop()
		synctest.Wait()
		for range 20 {
			h.accept(mail("good"), "one")
		}
		<-time.After(15 * time.Second)
		synctest.Wait()
		if owed := h.owed("one"); len(owed) != 1 || owed[0].Message != bad {
			t.Errorf("%d still wait", len(owed))
		}
		<-time.After(30 * time.Minute)
		h.accept(mail("later"), "one")
		<-time.After(time.Hour)
		stop()
		rows, err := h.store.Deliveries(h.t.Context(), storage.DeliveryFilter{State: storage.StateDead})
		if err != nil || len(rows) != 1 || rows[0].Message != bad || rows[0].Reason == "" {
			t.Errorf("dead: %+v, %v", rows, err)
		}
	})
}

// 410 and webhook-delivery: disable disable the endpoint: mail waits, over a restart too, until the operator or a test event
// enables it. Then it drains.
func TestGoneIsDisabled(t *testing.T) {
	for _, how := range []string{"410", "disable", "delivered and disable"} {
		t.Run(how, func(t *testing.T) {
			var told notices
			hear := func(c *Config) { c.Notify = told.take }
			inBubble(t, []string{"one"}, hear, nil, func(h *house, n *network, d *Dispatcher) {
				var back atomic.Bool
				one := n.host("one", func(w http.ResponseWriter, _ *http.Request) {
					switch {
					case back.Load():
					case how == "410":
						w.WriteHeader(http.StatusGone)
					default:
						w.Header().Set("webhook-delivery", "disable")
						if how == "disable" {
							w.WriteHeader(http.StatusServiceUnavailable)
						}
					}
				})
				stop := h.start(d)
				h.accept(mail("first"), "one")
				synctest.Wait()
				for range 9 {
					h.accept(mail("x"), "one")
				}
				<-time.After(30 * time.Minute)
				synctest.Wait()
				if got := len(one.seen()); got != 1 {
					t.Errorf("%d requests", got)
				}
				stop()
				second := h.dispatcher(hear)
				second.sender.dial = n.dial
				stop = h.start(second)
				defer stop()
				<-time.After(time.Hour)
				if got := len(one.seen()); got != 1 {
					t.Errorf("%d requests after the restart", got)
				}
				if res, err := second.Test(h.t.Context(), h.ids["one"]); err != nil || res.Outcome == OutcomeDelivered && how == "410" {
					t.Errorf("a test: %+v, %v", res, err)
				}
				if s := second.Status(h.ids["one"]); s.State != storage.EndpointDisabled || s.Reason == "" {
					t.Errorf("after a test that failed: %+v", s)
				}
				back.Store(true)
				if res, err := second.Test(h.t.Context(), h.ids["one"]); err != nil || res.Outcome != OutcomeDelivered || res.Status != 200 {
					t.Errorf("a test: %+v, %v", res, err)
				}
				<-time.After(time.Minute)
				synctest.Wait()
				if owed := h.owed("one"); len(owed) != 0 {
					t.Errorf("%d still wait", len(owed))
				}
				if got := told.words(); !slices.Equal(got, []string{"disabled", "enabled"}) {
					t.Errorf("told %q", got)
				}
				stop()
			})
		})
	}
}

// abort-message ends one delivery, and no other.
func TestAbortMessage(t *testing.T) {
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		var asked atomic.Int64
		one := n.host("one", func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				w.Header().Set("webhook-delivery", "abort-message")
				w.WriteHeader(http.StatusUnprocessableEntity)
			}
		})
		stop := h.start(d)
		aborted := h.accept(mail("x"), "one")
		synctest.Wait()
		h.accept(mail("y"), "one")
		<-time.After(time.Hour)
		stop()
		rows, err := h.store.Deliveries(h.t.Context(), storage.DeliveryFilter{State: storage.StateDead})
		if err != nil || len(rows) != 1 || rows[0].Message != aborted || rows[0].Attempts != 1 || rows[0].Reason == "" {
			t.Errorf("dead: %+v, %v", rows, err)
		}
		if got := len(one.seen()); got != 2 || len(h.owed("one")) != 0 {
			t.Errorf("%d requests", got)
		}
	})
}

// The rest that an endpoint asked for survives a restart, whatever the status.
func TestRetryAfterSurvivesRestart(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusBadRequest} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
				var rested atomic.Bool
				one := n.host("one", func(w http.ResponseWriter, _ *http.Request) {
					if !rested.Load() {
						w.Header().Set("Retry-After", "900")
						w.WriteHeader(status)
					}
				})
				stop := h.start(d)
				h.accept(mail("x"), "one")
				<-time.After(time.Second)
				stop()
				rested.Store(true)
				second := h.dispatcher(nil)
				second.sender.dial = n.dial
				stop = h.start(second)
				defer stop()
				h.accept(mail("y"), "one")
				<-time.After(890 * time.Second)
				synctest.Wait()
				if got := len(one.seen()); got != 1 {
					t.Errorf("%d requests before the end of the rest", got)
				}
				if s := second.Status(h.ids["one"]); s.RestReason != restAsked {
					t.Errorf("%+v", s)
				}
				<-time.After(12 * time.Second)
				synctest.Wait()
				if got := len(one.seen()); got != 3 {
					t.Errorf("%d requests after it", got)
				}
				stop()
			})
		})
	}
}

// A command beside the server pauses an endpoint and resumes it.
func TestOperatorPauses(t *testing.T) {
	var told notices
	inBubble(t, []string{"one"}, func(c *Config) { c.Notify = told.take }, nil, func(h *house, n *network, d *Dispatcher) {
		one := n.host("one", nil)
		d.foreignEvery = foreignEvery // here another process does write
		stop := h.start(d)
		defer stop()
		store := h.beside()
		defer store.Close()
		if err := store.SetEndpointState(h.t.Context(), h.ids["one"], storage.EndpointPaused, "maintenance"); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		for range 5 {
			h.accept(mail("x"), "one")
		}
		<-time.After(30 * time.Minute)
		if got := len(one.seen()); got != 0 {
			t.Errorf("%d requests while it is paused", got)
		}
		if s := d.Status(h.ids["one"]); s.Text != "paused: maintenance" {
			t.Errorf("%+v", s)
		}
		if err := store.SetEndpointState(h.t.Context(), h.ids["one"], storage.EndpointEnabled, "by the operator"); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if got := len(one.seen()); got != 5 {
			t.Errorf("%d requests after that", got)
		}
		if got := told.words(); !slices.Equal(got, []string{"paused", "enabled"}) {
			t.Errorf("told %q", got)
		}
		stop()
	})
}

// A new URL mends a broken endpoint at once.
func TestNewConfigurationMends(t *testing.T) {
	inBubble(t, []string{"wrong"}, nil, nil, func(h *house, n *network, _ *Dispatcher) {
		n.host("wrong", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		right := n.host("right", nil)
		var directory atomic.Pointer[storage.Directory]
		directory.Store(h.directory)
		d := h.dispatcher(func(c *Config) { c.Directory = directory.Load })
		d.sender.dial = n.dial
		stop := h.start(d)
		defer stop()
		for range 8 {
			h.accept(mail("x"), "wrong")
		}
		<-time.After(2 * time.Hour)
		h.declare(storage.Endpoint{Name: "wrong", URL: "http://right/hook"})
		directory.Store(h.directory)
		d.Wake()
		<-time.After(10 * time.Second)
		synctest.Wait()
		if got := len(right.seen()); got < 7 {
			t.Errorf("%d of 8 came", got)
		}
		<-time.After(time.Hour)
		stop()
		if owed := h.owed("wrong"); len(owed) != 0 {
			t.Errorf("%d still wait", len(owed))
		}
	})
}

// What is told of a change is durable before anybody looks for it.
func TestNoticesAreStoredWithTheChange(t *testing.T) {
	stored := make(chan int, 1)
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		n.host("one", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
		d.cfg.Notice = func(c EndpointChange) *storage.Notice {
			return &storage.Notice{ID: "evt_" + c.Name, At: c.At, Text: []byte("{}"), Ways: []storage.NoticeWay{storage.NoticeByMail}}
		}
		d.cfg.Notify = func(EndpointChange) {
			found, err := h.store.Notices(context.Background(), storage.NoticeByMail, 10)
			if err != nil || len(found) != 1 || found[0].ID != "evt_one" {
				h.t.Errorf("%+v, %v", found, err)
			}
			stored <- len(found)
		}
		stop := h.start(d)
		defer stop()
		h.accept(mail("x"), "one")
		<-time.After(time.Second)
		synctest.Wait()
		if len(stored) != 1 {
			h.t.Error("nobody was told")
		}
		stop()
	})
}

// A database that is away for an hour fills no log with looks for what others wrote.
func TestDatabaseAwayIsSaidOnce(t *testing.T) {
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		n.host("one", nil)
		d.foreignEvery = foreignEvery
		stop := h.start(d)
		<-time.After(time.Second)
		if err := h.store.Close(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		stop()
		if got := strings.Count(h.log.String(), "looking for writes of other processes failed"); got != 1 {
			t.Errorf("it is said %d times", got)
		}
	})
}
