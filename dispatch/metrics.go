package dispatch

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/storage"
)

// metrics have no label for endpoints: there may be as many as customers.
type metrics struct {
	attempts   *prometheus.CounterVec
	seconds    prometheus.Histogram
	handed     *prometheus.CounterVec
	troubles   prometheus.Counter
	unrecorded prometheus.Counter
	panics     prometheus.Counter
	filtered   prometheus.Counter
	replayed   prometheus.Counter
	changes    *prometheus.CounterVec
	sync       *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, d *Dispatcher) (*metrics, error) {
	b := d.board
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
	}
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_attempts_total", Help: "Attempts made, by outcome.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "letterhook_attempt_seconds", Help: "Duration of attempts.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30},
		}),
		handed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_handed_over_total", Help: "Deliveries handed over in memory: kept, or dropped to be read from the store.",
		}, []string{"fate"}),
		sync: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_sync_total", Help: "Mails whose senders waited for the answer of an endpoint, by what became of them.",
		}, []string{"outcome"}),
		troubles:   counter("letterhook_attempts_put_off_total", "Attempts that trouble of our own kept from being made."),
		unrecorded: counter("letterhook_attempts_unrecorded_total", "Records of attempts that the store refused."),
		replayed:   counter("letterhook_replayed_total", "Deliveries made by replays."),
		filtered:   counter("letterhook_filtered_total", "Deliveries that filters kept back."),
		panics:     counter("letterhook_parser_panics_total", "Mails that the parser panicked on."),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_endpoint_changes_total", Help: "Changes of state of endpoints, by the new state; and warnings that one will be disabled.",
		}, []string{"to"}),
	}
	for _, outcome := range []string{storage.StateDelivered, storage.StateRefused, storage.StateWithdrawn, "busy", "resting", "trouble"} {
		m.sync.WithLabelValues(outcome) // present from the start, so that a rate can be taken
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.attempts, m.seconds, m.handed, m.troubles, m.unrecorded, m.panics, m.changes, m.sync, m.replayed, m.filtered, endpointStates{b}, tenancies{d},
		gauge("letterhook_attempts_in_flight", "Attempts in flight.", func() float64 { return float64(b.counts().inFlight) }),
		gauge("letterhook_attempts_in_flight_suspect", "Attempts in flight to endpoints that hang or fail.",
			func() float64 { return float64(b.counts().suspects) }),
		gauge("letterhook_lanes", "Endpoints with deliveries known to memory.", func() float64 { return float64(b.counts().lanes) }),
		gauge("letterhook_handed_over_bytes", "Mails kept in memory until their first attempt.",
			func() float64 { return float64(b.counts().memory) }),
		gauge("letterhook_oldest_due_seconds", "How long the delivery that is most overdue has been waiting for its attempt.",
			func() float64 { return b.oldestDue(time.Now()).Seconds() }),
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) attempt(res *Result) {
	m.attempts.WithLabelValues(res.Outcome).Inc()
	m.seconds.Observe(res.Duration.Seconds())
}

type counts struct {
	inFlight, suspects, lanes int
	memory                    int64
}

func (b *board) counts() counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return counts{b.inFlight, b.suspects, len(b.lanes), b.memory}
}
