package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
)

const (
	// deliveryOctets is what a row of delivery takes in a table that was just packed, with its entries in the indexes, in octets.
	deliveryOctets = 430
	// leastShrunk is the size in octets up to which the table is left as it is.
	leastShrunk = 64 << 20
	// loose is how many times what its rows need the table may take. In steady churn it takes 1.4 to 1.9 times that.
	loose = 2
	// mostShrunk is how many rows there may be: all mail waits while they are written anew, for a second with some 300,000.
	mostShrunk = 1_000_000
)

// Shrink writes the table of deliveries anew, on PostgreSQL, where it takes twice what its rows need, as it does after somebody
// has held an old snapshot open: autovacuum cannot remove what that may still see, and gives back only what happens to lie at the end.
// While a snapshot is still held, what it may see would be written too, so the table is left for later, as it is while a transaction stays
// open that has read it: everybody would wait behind the two. Behind a pooler of transactions it is always left: there is no bound for
// how long to wait for it. shrunk says that it was written.
func (s *Store) Shrink(ctx context.Context) (shrunk bool, err error) {
	if e, ok := s.engine.(*postgresEngine); !ok || e.pooled {
		return false, nil
	}
	w, err := newWriter(s.engine)
	if err != nil {
		return false, fmt.Errorf("shrink the queue: %w", err)
	}
	defer func() { _ = w.close() }()
	if shrunk, err = s.shrink(ctx, w); err != nil {
		return false, fmt.Errorf("shrink the queue: %w", err)
	}
	return shrunk, nil
}

func (s *Store) shrink(ctx context.Context, w *writer) (shrunk bool, err error) {
	before, err := measureQueue(w)
	if err != nil || !before.isLoose() || ctx.Err() != nil {
		return false, err
	}
	early, err := queueHolders(w)
	if err != nil {
		return false, err
	}
	// What the statistics say of rows that come and go may be far off, and an ANALYZE forgets the dead rows that a snapshot keeps. No mail
	// waits for these two.
	if _, err := w.exec("VACUUM delivery"); err != nil {
		return false, err
	}
	after, err := measureQueue(w)
	if err != nil {
		return false, err
	}
	after.live, err = w.queryInt("SELECT count(*) FROM delivery")
	if held := after.dead*deliveryOctets > after.size/2; err != nil || held || !after.isLoose() || ctx.Err() != nil {
		return false, err
	}
	late, err := queueHolders(w)
	if err != nil || slices.ContainsFunc(late, func(name string) bool { return slices.Contains(early, name) }) {
		return false, err
	}
	// Behind a request for the whole table everybody else waits: who comes just now and holds it for long is not waited for.
	if _, err := w.exec("SET lock_timeout = '1s'"); err != nil {
		return false, err
	}
	if _, err := w.exec("VACUUM (FULL, ANALYZE) delivery"); err != nil {
		return false, err
	}
	s.cfg.Log.Info("the table of deliveries was packed", "octets_before", before.size, "rows", after.live)
	return true, nil
}

// queueHolders names the transactions that hold the table of deliveries.
func queueHolders(w *writer) (names []string, err error) {
	err = w.query(func(row []driver.Value) error {
		names = append(names, row[0].(string))
		return nil
	}, "SELECT virtualtransaction FROM pg_locks WHERE relation = 'delivery'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	return names, err
}

// queueSize is what the table of deliveries takes.
type queueSize struct {
	size       int64 // octets, with its indexes
	live, dead int64 // rows
}

func measureQueue(w *writer) (q queueSize, err error) {
	err = w.query(func(row []driver.Value) error {
		q = queueSize{row[0].(int64), row[1].(int64), row[2].(int64)}
		return nil
	}, "SELECT pg_total_relation_size(relid), n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE relid = 'delivery'::regclass")
	return q, err
}

// isLoose says whether the table should be written anew.
func (q queueSize) isLoose() bool {
	return q.size >= leastShrunk && q.live <= mostShrunk && q.size > loose*q.live*deliveryOctets
}
