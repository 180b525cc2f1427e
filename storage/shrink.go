package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// deliveryOctets is what a row of delivery takes in a table that was just packed, with its entries in the indexes, in octets.
	deliveryOctets = 430
	// leastShrunk is the size in octets up to which the table is left as it is.
	leastShrunk = 64 << 20
	// loose is how many times what its rows need the table may take. In steady churn it takes 1.4 to 1.9 times that.
	loose = 2
	// mostShrunkRows is how many rows there may be: all mail waits while they are written anew, for a second with some 300,000.
	mostShrunkRows = 1_000_000
	// mostShrunkOctets is the size up to which the table is packed: all mail waits while it is read, the room of dead rows too.
	mostShrunkOctets = 2 << 30
	// longestShrink bounds what mail waits for in all, while the table is waited for and written.
	longestShrink = 5 * time.Second
	// longestTurn is how long the whole table is waited for: everybody else waits behind that. It is not the second of PostgreSQL's
	// deadlock_timeout, after which an autovacuum gives way to who waits for it: giving up at that very moment would cost the
	// autovacuum what it did, and gain nothing.
	longestTurn = 2 * time.Second
)

// ShrinkOutcome is what became of a look at the table of deliveries.
type ShrinkOutcome int

// The outcomes of Shrink; the last two come with an error.
const (
	ShrinkNotDue      ShrinkOutcome = iota // the table takes no more than it may, or is never packed here
	ShrinkDone                             // it was packed, for which mail waited
	ShrinkLeft                             // a close look has shown that it cannot be packed now, or need not
	ShrinkTooLarge                         // mail would wait for too long, so it is left to the operator, whom the log tells
	ShrinkFailed                           // something failed, and mail may have waited in vain
	ShrinkUnreachable                      // there was no way to the database
)

// Pause is how long to wait before the next look. What an old snapshot has cost is to be given back within five minutes of its end, so
// a look at one that is held is repeated after three; each reads all that is dead, so it is not repeated sooner. Where a whole queue comes
// and goes within minutes, the table takes more than twice what its rows need all the time, and mail waits for a moment each time that
// it is packed.
func (o ShrinkOutcome) Pause() time.Duration {
	switch o {
	case ShrinkDone:
		return 4 * time.Minute
	case ShrinkLeft, ShrinkUnreachable:
		return 3 * time.Minute
	case ShrinkTooLarge:
		return time.Hour
	case ShrinkFailed:
		return 10 * time.Minute
	default:
		return time.Minute
	}
}

// shrinkBounds bound how long mail waits.
type shrinkBounds struct {
	rows, octets int64
	wait         time.Duration // for the lock and the work
}

// Shrink writes the table of deliveries anew, on PostgreSQL, where it takes twice what its rows need, as it does after somebody
// has held an old snapshot open: autovacuum cannot remove what that may still see, and gives back only what happens to lie at the end.
// While a snapshot is still held, what it may see would be written too, so the table is left for later, as it is while a transaction stays
// open that has read it: everybody would wait behind the two. Mail waits for five seconds at most; what would take longer is left to the
// operator. Behind a pooler of transactions the table is always left: there is no bound for how long to wait for it. When ctx ends, the
// connection is cut.
func (s *Store) Shrink(ctx context.Context) (ShrinkOutcome, error) {
	return s.shrinkWithin(ctx, shrinkBounds{mostShrunkRows, mostShrunkOctets, longestShrink})
}

func (s *Store) shrinkWithin(ctx context.Context, most shrinkBounds) (outcome ShrinkOutcome, err error) {
	if e, ok := s.engine.(*postgresEngine); !ok || e.pooled {
		return ShrinkNotDue, nil
	}
	w, err := newWriter(s.engine)
	if err == nil {
		defer func() { _ = w.close() }()
		stop := context.AfterFunc(ctx, w.conn.sever) // no statement is waited for when the server is stopped
		defer stop()
		if outcome, err = s.shrink(w, most); err == nil {
			return outcome, nil
		}
	}
	outcome = ShrinkFailed
	if isAway(err) || ctx.Err() != nil {
		outcome = ShrinkUnreachable
	}
	return outcome, fmt.Errorf("shrink the queue: %w", errors.Join(ctx.Err(), err))
}

func (s *Store) shrink(w *writer, most shrinkBounds) (ShrinkOutcome, error) {
	q, err := measureQueue(w)
	if err != nil || !q.isLoose() {
		return ShrinkNotDue, err
	}
	// No mail waits for what comes first, so it may take its time.
	if err := w.patient(readTimeout); err != nil {
		return ShrinkNotDue, err
	}
	var still holders
	if q.size <= most.octets {
		if _, err := still.hold(w); err != nil {
			return ShrinkNotDue, err
		}
		// What the statistics say of rows that come and go may be far off, and an ANALYZE forgets the dead rows that a snapshot keeps.
		if _, err := w.exec("VACUUM delivery"); err != nil {
			return ShrinkNotDue, fmt.Errorf("VACUUM: %w", err)
		}
		if q, err = measureQueue(w); err != nil {
			return ShrinkNotDue, err
		}
		if held, err := still.hold(w); err != nil || held || q.dead*deliveryOctets > q.size/2 {
			return ShrinkLeft, err
		}
	}
	if err := q.count(w); err != nil || !q.isLoose() {
		return ShrinkLeft, err
	}
	if q.size > most.octets || q.live > most.rows {
		s.leaveQueue(q)
		return ShrinkTooLarge, nil
	}
	if held, err := still.hold(w); err != nil || held {
		return ShrinkLeft, err
	}
	return s.packQueue(w, q, most.wait)
}

// packQueue writes the table anew. Behind a request for the whole table everybody else waits: who comes just now and holds it for long is
// not waited for.
func (s *Store) packQueue(w *writer, q queueSize, wait time.Duration) (ShrinkOutcome, error) {
	if err := w.script(fmt.Sprintf("SET lock_timeout = %d; SET statement_timeout = %d", longestTurn.Milliseconds(), wait.Milliseconds())); err != nil {
		return ShrinkNotDue, fmt.Errorf("bound VACUUM FULL: %w", err)
	}
	began := time.Now()
	_, err := w.exec("VACUUM (FULL, ANALYZE) delivery")
	if isCancelled(err) && time.Since(began) >= wait { // else somebody has cancelled it
		s.leaveQueue(q)
		return ShrinkTooLarge, nil
	}
	if err != nil {
		return ShrinkNotDue, fmt.Errorf("VACUUM FULL: %w", err)
	}
	s.cfg.Log.Info("the table of deliveries was packed", "octets_before", q.size, "rows", q.live)
	return ShrinkDone, nil
}

// leaveQueue tells the operator what to do.
func (s *Store) leaveQueue(q queueSize) {
	s.cfg.Log.Warn("the table of deliveries takes more than twice what its rows need, and mail would wait too long for it to be packed: "+
		"run VACUUM FULL delivery in a quiet hour; it is looked at again in an hour", "octets", q.size, "rows", q.live)
}

// holders names the transactions that held the table of deliveries at the last look.
type holders []string

// hold looks again and says whether one of them still holds it.
func (h *holders) hold(w *writer) (still bool, err error) {
	var names holders
	err = w.query(func(row []driver.Value) error {
		name, _ := row[0].(string)
		names = append(names, name)
		still = still || slices.Contains(*h, name)
		return nil
	}, "SELECT virtualtransaction FROM pg_locks WHERE relation = 'delivery'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	if err != nil {
		return false, fmt.Errorf("see who holds the table: %w", err)
	}
	*h = names
	return still, nil
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
	if err != nil {
		return q, fmt.Errorf("measure the table: %w", err)
	}
	return q, nil
}

// count counts the rows, up to so many that the table is not loose.
func (q *queueSize) count(w *writer) (err error) {
	q.live, err = w.queryInt("SELECT count(*) FROM (SELECT 1 FROM delivery LIMIT ?) AS row", q.size/(loose*deliveryOctets)+1)
	if err != nil {
		return fmt.Errorf("count the rows: %w", err)
	}
	return nil
}

// isLoose says whether the table should be written anew.
func (q *queueSize) isLoose() bool {
	return q.size >= leastShrunk && q.size > loose*q.live*deliveryOctets
}

// isCancelled says that a statement took longer than it may, or that somebody cancelled it: the server's code is the same, and its words are in
// a language of its own.
func isCancelled(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "57014" // query_canceled
}

// isAway says that there was no way to the database: none to its server, or that one is being started or stopped.
func isAway(err error) bool {
	if _, ok := errors.AsType[databaseError](err); ok {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(e.Code, "57P") // admin_shutdown, crash_shutdown, cannot_connect_now and the like
}
