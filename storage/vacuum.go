package storage

import (
	"context"
	"errors"
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

// vacuumTimeout bounds a VACUUM. Of years of mail it may take hours.
const vacuumTimeout = 24 * time.Hour

// vacuum has PostgreSQL give up the old versions of rows that were erased, in the partitions of their days and in the tables that are not
// cut into days. No mail waits for that. When ctx ends it is not waited for either: its connection is cut, and a VACUUM that has begun goes
// on, for the server does not look. What is known of the erased is gone whether or not it comes to an end.
func (s *Store) vacuum(ctx context.Context, erased *Erased) {
	tables := []string{"delivery", "held", "dedupe", "parsing", "refusal", "told"}
	for _, at := range slices.SortedFunc(maps.Keys(erased.days), time.Time.Compare) {
		for _, table := range partitioned {
			tables = append(tables, partitionName(table, at))
		}
	}
	w, err := newWriter(s.engine)
	if err == nil {
		defer func() { _ = w.close() }()
		var stop func() bool
		if stop, err = beginVacuum(ctx, w); err == nil {
			defer stop()
			_, err = w.exec("VACUUM " + strings.Join(tables, ", "))
		}
	}
	if err != nil {
		s.cfg.Log.Warn("old rows of erased messages are left to autovacuum", "error", errors.Join(ctx.Err(), err))
	}
	erased.Vacuumed = err == nil
}

// beginVacuum lets what follows on a connection take long, until ctx ends.
func beginVacuum(ctx context.Context, w *writer) (stop func() bool, err error) {
	if err := w.patient(vacuumTimeout); err != nil {
		return nil, err
	}
	return context.AfterFunc(ctx, w.conn.sever), nil
}
