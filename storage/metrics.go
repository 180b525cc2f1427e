package storage

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the committer does.
type metrics struct {
	accepts       prometheus.Counter
	duplicates    prometheus.Counter
	completions   prometheus.Counter
	failed        prometheus.Counter
	packs         prometheus.Counter
	batchAccepts  prometheus.Histogram
	commitSeconds prometheus.Histogram
	acceptSeconds prometheus.Histogram
	reads         *prometheus.CounterVec
	readRows      *prometheus.CounterVec
}

// read counts a query of the dispatcher and the rows that it gave.
func (m *metrics) read(query string, rows int) {
	m.reads.WithLabelValues(query).Inc()
	m.readRows.WithLabelValues(query).Add(float64(rows))
}

func newMetrics(r prometheus.Registerer, s *Store) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "letterhook", Subsystem: "storage", Name: name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "letterhook", Subsystem: "storage", Name: name, Help: help, Buckets: buckets,
		})
	}
	seconds := prometheus.ExponentialBuckets(0.0001, 2, 16) // 0.1 ms to 3.3 s
	m := &metrics{
		accepts:       counter("messages_total", "Messages made durable."),
		duplicates:    counter("duplicates_total", "Resends answered with the id of the first time."),
		completions:   counter("attempts_total", "Delivery attempts recorded."),
		failed:        counter("failed_writes_total", "Packs and transactions that were given up."),
		packs:         counter("packs_total", "Objects with raw messages that were stored together."),
		batchAccepts:  histogram("batch_accepts", "Mails accepted in one transaction.", prometheus.ExponentialBuckets(1, 2, 8)),
		commitSeconds: histogram("commit_seconds", "Duration of a transaction with its sync.", seconds),
		acceptSeconds: histogram("accept_seconds", "Time from the last octet of a mail until it was durable.", seconds),
	}
	perQuery := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "letterhook", Subsystem: "storage", Name: name, Help: help}, []string{"query"})
	}
	m.reads = perQuery("reads_total", "Queries for what is to be delivered: lanes, due deliveries, mails.")
	m.readRows = perQuery("read_rows_total", "Rows that these queries gave.")
	if r == nil {
		return m, nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "letterhook", Subsystem: "storage", Name: name, Help: help}, value)
	}
	for _, c := range []prometheus.Collector{
		m.reads, m.readRows,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "letterhook", Subsystem: "storage", Name: "written_statements_total", Help: "Statements run by the connection that writes.",
		}, func() (n float64) {
			for _, c := range s.committers() {
				n += float64(c.writer.statements.Load())
			}
			return n
		}),
		newMeterMetrics(s),
		m.accepts, m.duplicates, m.completions, m.failed, m.packs, m.batchAccepts, m.commitSeconds, m.acceptSeconds,
		gauge("pending_deliveries", "Deliveries that are not finished.", s.countPending),
		gauge("held_messages", "Messages that are not accepted: their endpoint decides, or their sender was told to come again.", s.countHeld),
		gauge("accepts_waiting", "Mails that wait for the disk.", func() float64 { return float64(s.AcceptsWaiting()) }),
		gauge("free_bytes", "Free space of the data folder.", func() float64 { n, _ := s.FreeSpace(); return float64(n) }),
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// countPending asks the database, for a command beside the server adds deliveries too. A gauge can tell no error: it is
// NaN then.
func (s *Store) countPending() float64 { return s.count("SELECT count(*) FROM delivery") }

func (s *Store) countHeld() float64 { return s.count("SELECT count(*) FROM held") }

func (s *Store) count(query string) float64 {
	var n int64
	if err := s.read.QueryRowContext(context.Background(), query).Scan(&n); err != nil {
		return math.NaN()
	}
	return float64(n)
}

// commit counts a transaction that was committed.
func (m *metrics) commit(b *batch, tx *transaction, took time.Duration) {
	m.commitSeconds.Observe(took.Seconds())
	if n := len(b.accepts); n > 0 {
		m.batchAccepts.Observe(float64(n))
		m.accepts.Add(float64(tx.messages))
		m.duplicates.Add(float64(tx.duplicates))
	}
	m.completions.Add(float64(tx.attempts))
}
