package storage

import (
	"context"
	"fmt"
)

// leases is the connection for what nodes agree upon. A renewal must not wait behind mail, and what it writes is no change that other
// nodes should look at, so it does not go through a committer.
type leases struct {
	turn chan struct{} // capacity 1: holds one while the connection is used
	w    *writer
	set  int // the connection that idleLeases was set on
}

// idleLeases bounds how long a process that was stopped amid such a transaction keeps the others waiting: for half a lease.
const idleLeases = "SET idle_in_transaction_session_timeout = 4000"

func newLeases(e engine) *leases {
	return &leases{turn: make(chan struct{}, 1), w: &writer{engine: e}}
}

// transact runs do in one transaction. When ctx ends, the connection is cut: a server that does not answer must not keep a node from
// asking again.
func (l *leases) transact(ctx context.Context, do func(*writer) error) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.turn }()
	done := make(chan error, 1)
	cut := make(chan func(), 1)
	go func() { done <- l.attempt(cut, do) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case sever := <-cut:
		sever()
	}
	err := <-done
	_ = l.w.close() // it was cut, perhaps after its last answer, and does not know it
	if err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	return nil
}

// attempt runs do, again where PostgreSQL asks for that. cut gets what severs the connection.
func (l *leases) attempt(cut chan<- func(), do func(*writer) error) (err error) {
	if l.w.conn != nil && !l.w.conn.alive() {
		_ = l.w.close()
	}
	if err := l.w.connect(); err != nil {
		return err
	}
	cut <- l.w.conn.sever
	if l.set != l.w.generation && !l.w.engine.(*postgresEngine).pooled {
		if err := l.w.script(idleLeases); err != nil {
			return err
		}
		l.set = l.w.generation
	}
	for range 3 {
		if err = l.w.transact(func() error { return do(l.w) }); !isConflict(err) {
			return err
		}
	}
	return err
}

func (l *leases) close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	return l.w.close()
}

// lease runs a transaction about nodes and lanes.
func (s *Store) lease(ctx context.Context, do func(*writer) error) error {
	if s.leases == nil {
		return s.do(ctx, do)
	}
	return s.leases.transact(ctx, do)
}

// Shared says whether other nodes may work on the same database: then a dispatcher needs a lease. See package lease.
func (s *Store) Shared() bool { return s.leases != nil }

// databaseNow is the time by the clock that all nodes share, in milliseconds.
func (s *Store) databaseNow(w *writer) (int64, error) {
	if !w.postgres() {
		return s.cfg.Now().UnixMilli(), nil
	}
	return w.queryInt(clock)
}
