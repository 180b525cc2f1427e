package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// relayEvery is the pause between two times that a node tells the others what happened on it, or looks for what they tell.
	relayEvery = 200 * time.Millisecond
	// relayAgain is the pause after the database has failed, and between two looks for rows that have done their duty.
	relayAgain = time.Second
	// relayPatience bounds a statement: what takes longer is dropped.
	relayPatience = 2 * time.Second
	// relayKept is how long a node that said that it has readers is believed, and how long a row is kept for them.
	relayKept = 10 * time.Second
	// relayRenew is how often it says so again.
	relayRenew = 3 * time.Second
	// relayIdle is how long the connection stays that nobody needs.
	relayIdle = time.Minute

	// The bounds of what a node tells at once: so many happenings, in so many octets.
	relayMost   = 400
	relayOctets = 256 << 10
	// relayRows bounds what is read at once.
	relayRows = 64
)

const (
	// isFollowed tells whether another node has readers.
	isFollowed = "CASE WHEN EXISTS (SELECT 1 FROM member WHERE id <> ? AND follows_until > (" + clock + ")) THEN 1 ELSE 0 END"
	insertTold = "INSERT INTO told (node, n, at, body) VALUES (?, ?, (" + clock + "), ?) ON CONFLICT (node, n) DO NOTHING"
	selectTold = `SELECT t.node, t.n, t.body FROM told AS t LEFT JOIN unnest(?::text[], ?::bigint[]) AS k (node, n) ON k.node = t.node
		WHERE t.node <> ? AND t.n > COALESCE(k.n, -1) ORDER BY t.node, t.n LIMIT ?`
	// sweepTold removes rows that are too old, or that nobody is there to read. It passes over those that another node removes just now.
	sweepTold = `DELETE FROM told WHERE (node, n) IN (SELECT t.node, t.n FROM told AS t WHERE t.at < (` + clock + `) - ?
			OR NOT EXISTS (SELECT 1 FROM member AS m WHERE m.id <> t.node AND m.follows_until > (` + clock + `))
		FOR UPDATE OF t SKIP LOCKED)`
	followOn = "UPDATE member SET follows_until = (" + clock + ") + ? WHERE id = ?"
)

// relay carries what happens from node to node, by way of the database, while somebody reads: [Store.ConfigurationRevision], which every
// node asks all the time, tells it whether somebody does. It has a connection of its own, which is made when it is first needed, and what
// it cannot write in time it drops: neither mail nor a result ever waits for it.
//
// Each node has its own numbers and writes its rows one after the other, so none is seen after one with a higher number, save a row
// that was given up; and who reads sees by the numbers how much it was not told.
type relay struct {
	db      reader
	feed    *feed
	log     *slog.Logger
	asked   atomic.Bool   // another node has readers
	wake    chan struct{} // capacity 1
	stop    context.CancelFunc
	stopped chan struct{} // closed when run has returned

	mu       sync.Mutex
	id, name string // of this process among those that serve; empty: it is not enrolled
	readers  int    // here, of other nodes too
	pending  []Happening
	missed   int64 // that were dropped since the last row

	// What follows belongs to the goroutine of run.

	n       int64            // of the last row
	wrote   bool             // there may be rows
	heard   map[string]int64 // the last row of each other node; nil: nobody reads here
	renewed time.Time        // when the others were last told that somebody reads here; zero: they were not
	sure    time.Time        // up to when nothing can have been missed unseen
	swept   time.Time
}

func newRelay(e *postgresEngine, f *feed, log *slog.Logger) (*relay, error) {
	// Of statements that are given up none must be left waiting at the server.
	db, err := e.pool(fmt.Sprintf("SET statement_timeout = %d; SET lock_timeout = %[1]d", relayPatience.Milliseconds()))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetConnMaxIdleTime(relayIdle)
	return &relay{db: reader{DB: db, engine: e}, feed: f, log: log, wake: make(chan struct{}, 1)}, nil
}

func (r *relay) start() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.stopped = stop, make(chan struct{})
	go r.run(ctx)
}

// close ends it, and has told before what it had to tell.
func (r *relay) close() error {
	if r.stop != nil {
		r.stop()
		<-r.stopped
	}
	return r.db.Close()
}

// begin makes the process known by which others tell its rows apart.
func (r *relay) begin(id, name string) {
	r.mu.Lock()
	r.id, r.name = id, name
	r.mu.Unlock()
	r.signal()
}

func (r *relay) self() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id
}

// learn takes the answer to [isFollowed].
func (r *relay) learn(asked bool) {
	if r.asked.Swap(asked) != asked && asked {
		r.signal()
	}
}

func (r *relay) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// enter and leave count those who read here.
func (r *relay) enter() {
	r.mu.Lock()
	r.readers++
	r.mu.Unlock()
	r.signal()
}

func (r *relay) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers--
}

// take takes what has happened here, if somebody elsewhere wants it, and gives the name of this node. It waits for nothing.
func (r *relay) take(h *Happening) (name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.asked.Load():
	case len(r.pending) < relayMost:
		r.pending = append(r.pending, *h)
	default:
		r.missed++
	}
	return r.name
}

func (r *relay) run(ctx context.Context) {
	defer close(r.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		var again <-chan time.Time
		if pause := r.turn(ctx); pause > 0 {
			timer.Reset(pause)
			again = timer.C
		}
		select {
		case <-ctx.Done():
		case <-again:
		case <-r.wake:
		}
	}
	if id := r.self(); id != "" && (r.asked.Load() || r.wrote || r.heard != nil) {
		last := context.WithoutCancel(ctx)
		r.failed(r.bounded(last, id, r.publish))
		r.failed(r.bounded(last, id, r.rest))
	}
}

// turn does what there is to do, and says how long until there is more; 0: until somebody wakes it.
func (r *relay) turn(ctx context.Context) (pause time.Duration) {
	r.mu.Lock()
	id, reads, asked := r.id, r.readers > 0, r.asked.Load()
	if !asked {
		r.pending, r.missed = nil, 0
	}
	r.mu.Unlock()
	if id == "" || !asked && !reads && !r.wrote && r.heard == nil {
		return 0
	}
	var err error
	if asked {
		err = r.bounded(ctx, id, r.publish)
	}
	if reads {
		err = errors.Join(err, r.bounded(ctx, id, r.follow))
	}
	switch {
	case !reads && r.heard != nil || !asked && r.wrote:
		err = errors.Join(err, r.bounded(ctx, id, r.rest))
	case time.Since(r.swept) >= relayAgain:
		r.swept = time.Now()
		err = errors.Join(err, r.bounded(ctx, id, r.sweep))
	}
	if r.failed(err) {
		return relayAgain
	}
	return relayEvery
}

// bounded does something that must not take long.
func (r *relay) bounded(ctx context.Context, id string, do func(context.Context, string) error) error {
	ctx, cancel := context.WithTimeout(ctx, relayPatience)
	defer cancel()
	return do(ctx, id)
}

func (r *relay) failed(err error) bool {
	if err != nil {
		r.log.Debug("readers hear not all of what happens on all nodes", "error", err)
	}
	return err != nil
}

func (r *relay) exec(ctx context.Context, text string, args ...any) (changed int64, err error) {
	result, err := r.db.ExecContext(ctx, r.db.engine.text(text), r.db.arguments(args)...)
	if err != nil {
		return 0, hinted(err)
	}
	return result.RowsAffected()
}

// publish writes what has happened since the last time. What it cannot write it counts.
func (r *relay) publish(ctx context.Context, id string) error {
	r.mu.Lock()
	list, missed, name := r.pending, r.missed, r.name
	r.pending, r.missed = nil, 0
	r.mu.Unlock()
	if len(list) == 0 && missed == 0 {
		return nil
	}
	body, kept := tellText(name, missed, list)
	end := r.n + missed + int64(kept)
	r.wrote = true
	_, err := r.exec(ctx, insertTold, id, end, body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missed += int64(len(list) - kept)
	if err != nil { // though it may be there: then the next row tells by its number that nothing is missing
		r.missed += missed + int64(kept)
		return fmt.Errorf("tell other nodes what happened: %w", err)
	}
	r.n = end
	return nil
}

// follow says that somebody reads here, and gives what the others have told.
func (r *relay) follow(ctx context.Context, id string) error {
	now := time.Now()
	if r.heard == nil {
		heard, err := r.ends(ctx, id)
		if r.sure.IsZero() {
			r.sure = now
		}
		if err != nil {
			return fmt.Errorf("look what other nodes have told: %w", err)
		}
		r.heard = heard
	}
	if now.Sub(r.renewed) >= relayRenew {
		changed, err := r.exec(ctx, followOn, relayKept.Milliseconds(), id)
		if err == nil && changed == 0 {
			err = errors.New("this node is not among those that serve")
		}
		if err != nil {
			return fmt.Errorf("ask other nodes to tell what happens: %w", err)
		}
		if !r.renewed.IsZero() && time.Since(r.renewed) > relayKept { // meanwhile they may have been silent
			r.feed.doubt()
		}
		r.renewed = now
	}
	rows, err := r.told(ctx, id)
	if err != nil {
		return fmt.Errorf("read what other nodes tell: %w", err)
	}
	if now.Sub(r.sure) > relayKept { // rows may have gone meanwhile, and who writes them may have stopped
		r.feed.doubt()
	}
	r.sure = now
	for _, t := range rows {
		last, known := r.heard[t.node]
		lost, list := t.Missed, t.happenings()
		if known {
			lost = t.n - last - int64(len(t.Events))
		}
		r.heard[t.node] = t.n
		r.feed.hear(max(lost, 0), list)
	}
	return nil
}

// ends gives the last row that each other node has written.
func (r *relay) ends(ctx context.Context, id string) (ends map[string]int64, err error) {
	rows, err := r.db.QueryContext(ctx, "SELECT node, max(n) FROM told WHERE node <> ? GROUP BY node", id)
	if err != nil {
		return nil, err
	}
	ends = map[string]int64{}
	err = each(rows, func() error {
		var node string
		var n int64
		err := rows.Scan(&node, &n)
		ends[node] = n
		return err
	})
	return ends, err
}

// told gives the rows that came since the last time.
func (r *relay) told(ctx context.Context, id string) (list []told, err error) {
	nodes := slices.Sorted(maps.Keys(r.heard))
	ends := make([]int64, len(nodes))
	for i, node := range nodes {
		ends[i] = r.heard[node]
	}
	rows, err := r.db.QueryContext(ctx, selectTold, nodes, ends, id, relayRows)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var t told
		var body []byte
		if err := rows.Scan(&t.node, &t.n, &body); err != nil {
			return err
		}
		t.read(body)
		list = append(list, t)
		return nil
	})
	return list, err
}

// rest takes back what there is of this node: nobody reads here, or nobody elsewhere.
func (r *relay) rest(ctx context.Context, id string) error {
	r.wrote = true // until there is nothing left to take back
	if r.heard != nil {
		r.heard, r.renewed, r.sure = nil, time.Time{}, time.Time{} // if it fails, what was said runs out by itself
		if _, err := r.exec(ctx, "UPDATE member SET follows_until = 0 WHERE id = ?", id); err != nil {
			return fmt.Errorf("tell other nodes that nobody reads here: %w", err)
		}
	}
	if err := r.sweep(ctx, id); err != nil {
		return err
	}
	r.wrote = r.asked.Load()
	return nil
}

func (r *relay) sweep(ctx context.Context, _ string) error {
	if _, err := r.exec(ctx, sweepTold, relayKept.Milliseconds()); err != nil {
		return fmt.Errorf("remove what nodes have told: %w", err)
	}
	return nil
}

// forgetTold removes what processes have left that serve no more.
func forgetTold(w *writer) error {
	if !w.postgres() {
		return nil
	}
	_, err := w.exec(sweepTold, relayKept.Milliseconds())
	return err
}

// eraseTold removes all that nodes are telling each other; who reads hears that something is missing.
func (s *Store) eraseTold(ctx context.Context) error {
	if s.cfg.Database == "" {
		return nil
	}
	return s.enqueue(ctx, &task{apart: true, done: make(chan error, 1), do: func(w *writer) error {
		_, err := w.exec("DELETE FROM told")
		return err
	}})
}
