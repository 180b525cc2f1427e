package dispatch

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/storage"
)

func TestDeliversWhatWasHandedOver(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	id := h.accept(mail("first"), "one")
	got := <-hits
	if got.header.Get("webhook-id") != id || got.event.Data.ID != id || got.event.Data.Subject != "first" {
		t.Errorf("%s: %s", got.header, got.body)
	}
	stop()
	if left := h.owed("one"); len(left) != 0 {
		t.Errorf("still owed: %+v", left)
	}
}

// What an earlier run left is found at the start.
func TestDeliversWhatLiesInTheStore(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url}, storage.Endpoint{Name: "two", URL: url})
	defer h.close()
	want := map[string]int{}
	for range 300 {
		want[h.accept(mail("x"), "one", "two")] += 2
	}
	stop := h.start(h.dispatcher(nil))
	defer stop()
	for range 600 {
		got := <-hits
		want[got.header.Get("webhook-id")]--
	}
	stop()
	for id, n := range want {
		if n != 0 {
			t.Errorf("%s: %d missing", id, n)
		}
	}
	if n := len(h.owed("one")) + len(h.owed("two")); n != 0 {
		t.Errorf("%d still owed", n)
	}
	if n := len(hits); n != 0 {
		t.Errorf("%d too many", n)
	}
}

// Beyond the memory budget only the store knows of a mail, and it comes all the same, once.
func TestDeliversBeyondTheBudget(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	stop := h.start(h.dispatcher(func(c *Config) { c.MemoryBudget = 40_000 }))
	defer stop()
	seen := map[string]int{}
	for range 500 {
		seen[h.accept(mail("x"), "one")] = 0
	}
	for range 500 {
		got := <-hits
		seen[got.header.Get("webhook-id")]++
	}
	stop()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if n := len(hits); n != 0 {
		t.Errorf("%d too many", n)
	}
}

func TestRetriesWithTheSameIDAndBody(t *testing.T) {
	url, hits := receiver(t, func(n int, w http.ResponseWriter) {
		if n < 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	h := build(t, storage.Endpoint{Name: "one", URL: url, Schedule: []time.Duration{10 * time.Millisecond, 10 * time.Millisecond}})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	id := h.accept(mail("again"), "one")
	for n, want := range []string{"1", "2", "3"} {
		got := <-hits
		if got.header.Get("webhook-id") != id || got.header.Get("letterhook-attempt") != want {
			t.Errorf("request %d: id %s, attempt %s", n+1, got.header.Get("webhook-id"), got.header.Get("letterhook-attempt"))
		}
	}
	stop()
	if left := h.owed("one"); len(left) != 0 {
		t.Errorf("still owed: %+v", left)
	}
}

// The metrics count what was done, and no label grows with the customers.
func TestMetrics(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	registry := prometheus.NewRegistry()
	stop := h.start(h.dispatcher(func(c *Config) { c.Registerer = registry }))
	defer stop()
	h.accept(mail("x"), "one")
	<-hits
	stop()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if n := l.GetName(); n != "outcome" && n != "fate" && n != "state" && n != "to" {
					t.Errorf("%s has the label %s", f.GetName(), n)
				}
				labels = append(labels, l.GetValue())
			}
			got[strings.Join(append(labels, f.GetName()), " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() +
				float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"delivered letterhook_attempts_total": 1, "kept letterhook_handed_over_total": 1, "letterhook_attempt_seconds": 1,
		"letterhook_attempts_in_flight": 0, "letterhook_lanes": 0, "letterhook_handed_over_bytes": 0, "letterhook_oldest_due_seconds": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}
