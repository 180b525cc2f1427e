package storage

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// looseQueue is a store on PostgreSQL whose table of deliveries takes a hundred times what its rows need.
type looseQueue struct {
	*Store

	db  *sql.DB
	log bytes.Buffer
}

func newLooseQueue(t *testing.T) *looseQueue {
	t.Helper()
	q := &looseQueue{}
	config := Config{Dir: t.TempDir(), Database: throwaway.Database(t), Log: slog.New(slog.NewTextHandler(&q.log, nil))}
	var err error
	if q.Store, err = Open(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if q.db, err = sql.Open("pgx", config.Database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(q.db.Close(), q.Close()); err != nil {
			t.Error(err)
		}
	})
	for _, text := range []string{
		`INSERT INTO delivery (message, id, endpoint, due_at, attempts, replay, created_at) SELECT 'msg_' || lpad(n::text, 26, '0'), 'dlv_' || lpad(n::text, 26, '0'),
			'ep_' || lpad((n % 1000)::text, 26, '0'), n, 0, 0, n FROM generate_series(1, 200000) AS n`,
		"DELETE FROM delivery WHERE due_at % 100 <> 0",
		"VACUUM ANALYZE delivery", // as autovacuum does, and tells of at once
	} {
		if _, err := q.db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

// keepFromVacuum has every VACUUM of the table wait, and nobody else.
const keepFromVacuum = "LOCK TABLE delivery IN SHARE UPDATE EXCLUSIVE MODE"

// looked is what became of a look.
type looked struct {
	outcome ShrinkOutcome
	err     error
}

// amid begins a look, has it wait for what keeps it, and goes on with do.
func (q *looseQueue) amid(t *testing.T, look func() (ShrinkOutcome, error), do func()) looked {
	t.Helper()
	done := make(chan looked, 1)
	go func() {
		outcome, err := look()
		done <- looked{outcome, err}
	}()
	for waits := 0; waits == 0; {
		select {
		case early := <-done:
			t.Fatalf("it did not wait: %+v", early)
		default:
		}
		if err := q.db.QueryRow("SELECT count(*) FROM pg_locks WHERE relation = 'delivery'::regclass AND NOT granted").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	do()
	return <-done
}

// TestShrinkLeavesWhatIsTooLarge: with too many rows, too many octets or too little time the table is left, and the operator is told.
func TestShrinkLeavesWhatIsTooLarge(t *testing.T) {
	q := newLooseQueue(t)
	usual := shrinkBounds{mostShrunkRows, mostShrunkOctets, longestShrink}
	shrink := func(most shrinkBounds, want ShrinkOutcome) {
		t.Helper()
		q.log.Reset()
		got, err := q.shrinkWithin(t.Context(), most)
		if err != nil || got != want {
			t.Errorf("within %+v: outcome %d, want %d; error %v", most, got, want, err)
		}
		if told := strings.Contains(q.log.String(), "run VACUUM FULL delivery"); told != (want == ShrinkTooLarge) {
			t.Errorf("within %+v the operator reads %q", most, q.log.String())
		}
	}
	few, small := usual, usual
	few.rows, small.octets = 1999, leastShrunk
	shrink(few, ShrinkTooLarge)
	shrink(small, ShrinkTooLarge)

	release := throwaway.LeaveOpen(t, q.db, "SELECT count(*) FROM delivery")
	w, err := newWriter(q.engine)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.close() }()
	q.log.Reset()
	if got, err := q.packQueue(w, queueSize{}, 50*time.Millisecond); err != nil || got != ShrinkTooLarge || !strings.Contains(q.log.String(), "run VACUUM FULL delivery") {
		t.Errorf("without time: outcome %d, error %v; the operator reads %q", got, err, q.log.String())
	}
	release()

	few.rows = 2000
	shrink(few, ShrinkDone)
	shrink(small, ShrinkNotDue)
}

// TestShrinkGivesUpItsTurn: who takes hold of the table just before it is packed, and keeps it, is not waited for, so that mail goes on. When
// somebody cancels the wait, that is not taken for a table that is too large.
func TestShrinkGivesUpItsTurn(t *testing.T) {
	q := newLooseQueue(t)
	w, err := newWriter(q.engine)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.close() }()
	release := throwaway.LeaveOpen(t, q.db, "SELECT count(*) FROM delivery")
	defer release()
	got := q.amid(t, func() (ShrinkOutcome, error) { return q.packQueue(w, queueSize{}, longestShrink) }, func() {
		if _, err := q.Accept(t.Context(), textEnvelope(), newText("waits behind it")); err != nil {
			t.Error(err)
		}
	})
	if !isBusy(got.err) {
		t.Errorf("outcome %d, error %v; want that the lock was not to be had", got.outcome, got.err)
	}

	q.log.Reset()
	got = q.amid(t, func() (ShrinkOutcome, error) { return q.packQueue(w, queueSize{}, time.Hour) }, func() {
		if _, err := q.db.Exec("SELECT pg_cancel_backend(pid) FROM pg_locks WHERE relation = 'delivery'::regclass AND NOT granted"); err != nil {
			t.Error(err)
		}
	})
	if got.err == nil || q.log.String() != "" {
		t.Errorf("when somebody cancels it: %+v; the operator reads %q", got, q.log.String())
	}
}

// TestShrinkAmidOthers has others come while a look waits, in which nothing is packed.
func TestShrinkAmidOthers(t *testing.T) {
	q := newLooseQueue(t)
	shrink := func() (ShrinkOutcome, error) { return q.Shrink(t.Context()) }

	release := throwaway.LeaveOpen(t, q.db, keepFromVacuum)
	var late func()
	got := q.amid(t, shrink, func() {
		late = throwaway.LeaveOpen(t, q.db, "SELECT count(*) FROM delivery")
		release()
	})
	late()
	if got.outcome != ShrinkLeft || got.err != nil {
		t.Errorf("with somebody who came later and stays: %+v", got)
	}

	release = throwaway.LeaveOpen(t, q.db, keepFromVacuum)
	signal := func(how string) func() {
		return func() {
			if _, err := q.db.Exec("SELECT " + how + "(pid) FROM pg_locks WHERE relation = 'delivery'::regclass AND NOT granted"); err != nil {
				t.Error(err)
			}
		}
	}
	if got := q.amid(t, shrink, signal("pg_terminate_backend")); got.outcome != ShrinkUnreachable || got.err == nil {
		t.Errorf("with a server that goes away: %+v", got)
	}
	if got := q.amid(t, shrink, signal("pg_cancel_backend")); got.outcome != ShrinkFailed || got.err == nil || !strings.Contains(got.err.Error(), "VACUUM: ") {
		t.Errorf("with a statement that fails: %+v", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	got = q.amid(t, func() (ShrinkOutcome, error) { return q.Shrink(ctx) }, cancel)
	if !errors.Is(got.err, context.Canceled) || isBusy(got.err) {
		t.Errorf("with a server that is stopped: %+v, want that the connection was cut", got)
	}
	release()
	if got, err := shrink(); got != ShrinkDone || err != nil {
		t.Errorf("alone: outcome %d, error %v", got, err)
	}
}
