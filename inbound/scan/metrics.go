package scan

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/inbound"
)

// metrics are counted always and exported where a Registerer is given.
type metrics struct {
	scans   *prometheus.CounterVec   // by scanner and outcome
	seconds *prometheus.HistogramVec // by scanner
	paused  *prometheus.GaugeVec     // by scanner
}

// outcomes are all values of the label "outcome".
var outcomes = []string{
	outcomeClean, outcomeFound, outcomeCancelled, string(inbound.UnscannedTooLarge), string(inbound.UnscannedTimeout),
	string(inbound.UnscannedBusy), string(inbound.UnscannedUnavailable), string(inbound.UnscannedError),
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_scans_total", Help: "Messages that a scanner was to look at, by what came of it.",
		}, []string{"scanner", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "letterhook_scan_seconds", Help: "Time that a message waited for a scanner, the wait for its turn included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 17),
		}, []string{"scanner"}),
		paused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "letterhook_scanner_paused", Help: "1 while a scanner is not asked because it failed too often.",
		}, []string{"scanner"}),
	}
	if r == nil {
		return m, nil
	}
	if err := errors.Join(r.Register(m.scans), r.Register(m.seconds), r.Register(m.paused)); err != nil {
		return nil, fmt.Errorf("registering the metrics of scanners: %w", err)
	}
	return m, nil
}

// present makes the series of a scanner be there from the start, so that a rate can be taken.
func (m *metrics) present(scanner string) {
	for _, outcome := range outcomes {
		m.scans.WithLabelValues(scanner, outcome)
	}
	m.paused.WithLabelValues(scanner)
}

func (m *metrics) count(scanner, outcome string, took time.Duration) {
	m.scans.WithLabelValues(scanner, outcome).Inc()
	m.seconds.WithLabelValues(scanner).Observe(took.Seconds())
}
