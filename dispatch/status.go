package dispatch

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/storage"
)

// EndpointStatus is what an endpoint does now.
type EndpointStatus struct {
	storage.EndpointLife
	Text        string // the state for people, as [DescribeEndpoint] writes it
	InFlight    int    // attempts
	Concurrency int    // attempts that may be in flight now; 0: nothing is owed
	Limit       int    // attempts that may ever be in flight
	Suspect     bool   // the last attempt found it overwhelmed or away
}

// Status tells what an endpoint does now, by its id.
func (d *Dispatcher) Status(endpoint string) EndpointStatus {
	now := time.Now()
	return d.board.status(endpoint, now)
}

func (b *board) status(endpoint string, now time.Time) EndpointStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := EndpointStatus{EndpointLife: newLife(endpoint).EndpointLife, Limit: b.look(endpoint).concurrency}
	if l := b.lives[endpoint]; l != nil {
		s.EndpointLife = l.EndpointLife
	}
	if l := b.lanes[endpoint]; l != nil {
		s.InFlight, s.Concurrency, s.Suspect = l.inFlight, l.pace.width(), l.pace.suspect
		if l.terms.ordered || l.life.probing() {
			s.Concurrency = 1
		}
	}
	s.Text = DescribeEndpoint(&s.EndpointLife, now)
	return s
}

// DescribeEndpoint says in a few words what the life of an endpoint comes to at the time now: "paused by breaker, next
// probe 14:05". Times are in the zone of now.
func DescribeEndpoint(l *storage.EndpointLife, now time.Time) string {
	switch l.State {
	case storage.EndpointPaused, storage.EndpointDisabled:
		return withReason(string(l.State), l.Reason)
	case storage.EndpointBroken:
		text := withReason(string(l.State), l.Reason)
		if now.Before(l.RestUntil) {
			return text + ", next probe " + clock(l.RestUntil, now)
		}
		return text + ", next probe when something is due"
	}
	until := clock(l.RestUntil, now)
	switch {
	case !now.Before(l.RestUntil) && l.Probes > 0:
		return "paused by breaker, next probe when something is due"
	case !now.Before(l.RestUntil):
		return string(storage.EndpointEnabled)
	case l.RestReason == restAsked:
		return "paused by its own Retry-After until " + until
	case l.RestReason == restProxy:
		return "its proxy lets nothing through, next attempt " + until
	case l.RestReason == restOrder:
		return "in strict order, next attempt of the first delivery " + until
	}
	return "paused by breaker, next probe " + until
}

func withReason(state, reason string) string {
	if reason == "" {
		return state
	}
	return fmt.Sprintf("%s: %s", state, reason)
}

// clock is a time of day, with the date if that is another.
func clock(at, now time.Time) string {
	at = at.In(now.Location())
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04")
	}
	return at.Format("2006-01-02 15:04")
}

// endpointStates counts the endpoints that are not simply enabled.
type endpointStates struct{ board *board }

var endpointsDesc = prometheus.NewDesc("letterhook_endpoints",
	"Endpoints by state: paused, broken, disabled, and resting for the breaker or for what they asked for.", []string{"state"}, nil)

// Describe implements [prometheus.Collector].
func (endpointStates) Describe(descs chan<- *prometheus.Desc) { descs <- endpointsDesc }

// Collect implements [prometheus.Collector].
func (e endpointStates) Collect(metrics chan<- prometheus.Metric) {
	for state, n := range e.board.states(time.Now()) {
		metrics <- prometheus.MustNewConstMetric(endpointsDesc, prometheus.GaugeValue, float64(n), state)
	}
}

func (b *board) states(now time.Time) map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := map[string]int{string(storage.EndpointPaused): 0, string(storage.EndpointBroken): 0, string(storage.EndpointDisabled): 0, "resting": 0}
	for _, l := range b.lives {
		switch {
		case l.State != storage.EndpointEnabled:
			n[string(l.State)]++
		case l.rests(now), l.probing():
			n["resting"]++
		}
	}
	return n
}
