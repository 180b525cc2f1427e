package inbound

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are counted always and exported where a Registerer is given. Labels take values of closed sets only.
type metrics struct {
	connections   *prometheus.CounterVec // by listener
	open          prometheus.Gauge
	delayed       prometheus.Gauge
	accepted      prometheus.Counter
	octets        prometheus.Counter
	acceptSeconds prometheus.Histogram
	refused       *prometheus.CounterVec // by reason
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		connections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_smtp_connections_total", Help: "SMTP connections admitted.",
		}, []string{"listener"}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "letterhook_smtp_connections_open", Help: "SMTP connections open now.",
		}),
		delayed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "letterhook_smtp_connections_delayed", Help: "SMTP connections that are held back now, of those that are open.",
		}),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "letterhook_smtp_messages_accepted_total", Help: "SMTP messages made durable, whether or not the peer could be told.",
		}),
		octets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "letterhook_smtp_accepted_bytes_total", Help: "Octets of the accepted messages.",
		}),
		acceptSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "letterhook_smtp_accept_seconds", Help: "Time from the end of the data until the message was durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_smtp_refused_total", Help: "Commands, messages and connections refused.",
		}, []string{"reason"}),
	}
	for _, reason := range reasons {
		m.refused.WithLabelValues(reason) // present from the start, so that a rate can be taken
	}
	if r == nil {
		return m, nil
	}
	var faults []error
	for _, c := range []prometheus.Collector{m.connections, m.open, m.delayed, m.accepted, m.octets, m.acceptSeconds, m.refused} {
		faults = append(faults, r.Register(c))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("registering SMTP metrics: %w", err)
	}
	return m, nil
}
