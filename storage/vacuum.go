package storage

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// note notes the days of messages that were erased.
func (e *Erased) note(list []stored) {
	if e.days == nil {
		e.days = map[time.Time]bool{}
	}
	for _, m := range list {
		if at, ok := dayOf(m.id); ok {
			e.days[at.UTC().Truncate(oneDay)] = true
		}
	}
}

// vacuum has PostgreSQL give up the old versions of rows that were erased, in the partitions of their days and in the tables that are not
// cut into days. Nobody waits for that. What is known of the erased is gone whether or not it comes to an end.
func (s *Store) vacuum(erased *Erased) {
	tables := []string{"delivery", "held", "dedupe", "parsing", "refusal"}
	for _, at := range slices.SortedFunc(maps.Keys(erased.days), time.Time.Compare) {
		for _, table := range partitioned {
			tables = append(tables, partitionName(table, at))
		}
	}
	w, err := newWriter(s.engine)
	if err == nil {
		defer func() { _ = w.close() }()
		if _, err = w.exec("SET statement_timeout = 0"); err == nil {
			_, err = w.exec("VACUUM " + strings.Join(tables, ", "))
		}
	}
	if err != nil {
		s.cfg.Log.Warn("old rows of erased messages are left to autovacuum", "error", err)
	}
	erased.Vacuumed = err == nil
}
