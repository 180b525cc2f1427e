package storage

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// maxMeteredSeries bounds the accounts that the metrics name: those that are nearest to a limit.
const maxMeteredSeries = 100

// meterMetrics tells how near accounts are to their limits.
type meterMetrics struct {
	store *Store
	used  *prometheus.Desc
}

func newMeterMetrics(s *Store) *meterMetrics {
	return &meterMetrics{s, prometheus.NewDesc("letterhook_account_limit_used_ratio",
		"What an account has of what a limit allows; from 1 on its recipients are refused. At most 100 accounts, those that are nearest to a limit.", []string{"account", "limit"}, nil)}
}

// Describe implements [prometheus.Collector].
func (m *meterMetrics) Describe(to chan<- *prometheus.Desc) { to <- m.used }

// Collect implements [prometheus.Collector].
func (m *meterMetrics) Collect(to chan<- prometheus.Metric) {
	for _, a := range m.store.used() {
		for _, u := range a.uses {
			to <- prometheus.MustNewConstMetric(m.used, prometheus.GaugeValue, u.ratio, a.name, u.limit)
		}
	}
}

// use is the part of one limit that is used.
type use struct {
	limit string
	ratio float64
}

// accountUse is how near an account is to each of its limits.
type accountUse struct {
	name string
	uses []use
	most float64
}

// used are the accounts that are nearest to a limit.
func (s *Store) used() (list []accountUse) {
	now := s.cfg.Now()
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	for _, a := range s.meter.accounts {
		of := accountUse{name: a.name}
		for _, l := range []struct {
			name  string
			has   float64
			limit int64
		}{
			{"stored", float64(a.has.octets), a.limits.Octets}, {"backlog", float64(a.has.backlog), a.limits.Backlog},
			{"messages_per_minute", a.has.accepted.within(1, now), a.limits.PerMinute}, {"messages_per_hour", a.has.accepted.within(60, now), a.limits.PerHour},
		} {
			if l.limit > 0 {
				ratio := l.has / float64(l.limit)
				of.uses, of.most = append(of.uses, use{l.name, ratio}), max(of.most, ratio)
			}
		}
		list = append(list, of)
	}
	slices.SortFunc(list, func(a, b accountUse) int { return cmp.Or(cmp.Compare(b.most, a.most), cmp.Compare(a.name, b.name)) })
	return list[:min(len(list), maxMeteredSeries)]
}
