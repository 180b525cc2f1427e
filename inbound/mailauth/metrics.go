package mailauth

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/inbound"
)

// metrics are counted always and exported where a Registerer is given.
type metrics struct {
	results *prometheus.CounterVec // by method and result
	seconds prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_authentication_results_total",
			Help: "Results of the checks of the sender, in the words of RFC 8601; one for each DKIM signature.",
		}, []string{"method", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "letterhook_authentication_seconds", Help: "Time that the checks of the sender of a message took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
	}
	if r == nil {
		return m, nil
	}
	if err := errors.Join(r.Register(m.results), r.Register(m.seconds)); err != nil {
		return nil, fmt.Errorf("registering the metrics of authentication: %w", err)
	}
	return m, nil
}

func (m *metrics) count(r *inbound.AuthResults, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	one := func(method string, result inbound.Result) { m.results.WithLabelValues(method, string(result)).Inc() }
	one("spf", r.SPF.Result)
	one("dmarc", r.DMARC.Result)
	one("arc", r.ARC.Result)
	one("iprev", r.IPRev.Result)
	for i := range r.DKIM {
		one("dkim", r.DKIM[i].Result)
	}
	if len(r.DKIM) == 0 {
		one("dkim", inbound.ResultNone)
	}
}
