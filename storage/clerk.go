package storage

import (
	"context"
	"database/sql/driver"
	"slices"
	"sync"
	"time"
)

const (
	// clerkWait is how long counts and refusals wait to be written together.
	clerkWait = time.Second
	// spreadWait and spreadHours are how long the counts of endpoints wait, those of minutes and of hours, where there are more than
	// fewTallies: mail that is spread over thousands of endpoints would otherwise write four rows of counts for each delivery.
	spreadWait  = 10 * time.Second
	spreadHours = time.Minute
	fewTallies  = 500
	// maxTalliesAtOnce bounds the rows of one transaction: others wait for it.
	maxTalliesAtOnce = 4000
)

// clerk keeps the counts and refusals that nobody waits for, and writes them in transactions of their own, one a second where there
// are few: no mail costs a write for them. What was not written when the process dies is lost; what the disk refused is offered again
// with the next.
type clerk struct {
	queue *queue
	now   func() time.Time

	mu       sync.Mutex
	counts   tallies   // of accounts
	spread   tallies   // of endpoints
	spreadAt time.Time // when they were taken last, by the machine's clock
	hours    tallies   // of endpoints, in minutes that are written
	hoursAt  time.Time
	late     tallies // of minutes, whose write failed; their hours are counted
	refusals sampled
	timer    *time.Timer
	armed    bool
	closed   bool
	noted    time.Time // when something was noted last
	pruneAt  time.Time // when to remove old rows
}

func newClerk(q *queue, now func() time.Time) *clerk {
	return &clerk{queue: q, now: now, counts: tallies{}, spread: tallies{}, hours: tallies{}, late: tallies{}}
}

// arm has what was noted written in a second. Called under the lock.
func (c *clerk) arm() {
	switch {
	case c.armed || c.closed:
		return
	case c.timer == nil:
		c.timer = time.AfterFunc(clerkWait, c.due)
	default:
		c.timer.Reset(clerkWait)
	}
	c.armed = true
}

// due is called by the clock.
func (c *clerk) due() {
	c.mu.Lock()
	c.armed = false
	tasks := c.tasks(false)
	if len(c.spread)+len(c.hours)+len(c.late) > 0 {
		c.arm()
	}
	c.mu.Unlock()
	for _, t := range tasks {
		c.queue.putTask(t) // false: the store is closed, and close has written before
	}
}

// FlushNotes returns when what was counted and recorded so far is written. Nobody needs to wait for that: it is within seconds.
func (s *Store) FlushNotes(ctx context.Context) error {
	s.clerk.mu.Lock()
	tasks := s.clerk.tasks(true)
	s.clerk.mu.Unlock()
	for _, t := range tasks {
		if err := s.enqueue(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// close writes what is left; the queue must still be open.
func (c *clerk) close() {
	c.mu.Lock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	tasks := c.tasks(true)
	c.mu.Unlock()
	for _, t := range tasks {
		c.queue.putTask(t)
	}
}

// parts takes what was counted, all of it or what has waited for long enough. Called under the lock.
func (c *clerk) parts(all bool, now time.Time) [][]tallyRow {
	minutes, hours := c.counts, c.counts.hours()
	if all || len(c.spread) <= fewTallies || len(c.spread) >= maxTallies/2 || now.Sub(c.spreadAt) >= spreadWait {
		c.spreadAt = now
		minutes.merge(c.spread)
		c.hours.merge(c.spread.hours())
		c.spread = tallies{}
	}
	if all || len(c.hours) <= fewTallies || len(c.hours) >= maxTallies/2 || now.Sub(c.hoursAt) >= spreadHours {
		c.hoursAt = now
		hours.merge(c.hours)
		c.hours = tallies{}
	}
	minutes.merge(c.late)
	c.counts, c.late = tallies{}, tallies{}
	return slices.Collect(slices.Chunk(append(minutes.rows(TallyMinute), hours.rows(TallyHour)...), maxTalliesAtOnce))
}

// tasks takes what was noted into writes. Called under the lock.
func (c *clerk) tasks(all bool) (tasks []*task) {
	now := c.noted
	parts, refusals, prune := c.parts(all, time.Now()), c.refusals.list, now.After(c.pruneAt)
	c.refusals = sampled{passed: c.refusals.passed}
	if prune {
		c.pruneAt = now.Add(time.Minute)
	}
	if len(parts) == 0 && (prune || len(refusals) > 0) {
		parts = append(parts, nil)
	}
	for i, part := range parts {
		t := &task{apart: true, done: make(chan error, 1)}
		t.do = func(w *writer) error {
			err := writeTallies(w, part)
			if err == nil && i == 0 {
				err = writeRefusals(w, refusals, now, prune)
			}
			if err != nil {
				c.putBack(part)
			}
			return err
		}
		tasks = append(tasks, t)
	}
	return tasks
}

// putBack keeps counts that could not be written.
func (c *clerk) putBack(rows []tallyRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range rows {
		r := &rows[i]
		if r.span == TallyHour {
			c.hours.add(r.key, r.n)
		} else {
			c.late.add(r.key, r.n)
		}
	}
	c.arm()
}

func writeTallies(w *writer, rows []tallyRow) error {
	args := make([]driver.Value, 0, 6*len(rows))
	for i := range rows {
		r := &rows[i]
		args = append(args, r.span.Milliseconds(), r.key.minute, r.key.account, r.key.endpoint, r.key.name, r.n)
	}
	_, err := w.execRows(upsertTallies, args)
	return err
}

func writeRefusals(w *writer, refusals []Refusal, now time.Time, prune bool) error {
	var args []driver.Value
	for i := range refusals {
		args = refusals[i].appendRow(args)
	}
	if _, err := w.execRows(insertRefusals, args); err != nil || !prune {
		return err
	}
	for span, kept := range map[time.Duration]time.Duration{TallyMinute: minutesKept, TallyHour: hoursKept} {
		if _, err := w.exec("DELETE FROM tally WHERE span = ? AND at < ?", span.Milliseconds(), now.Add(-kept).UnixMilli()); err != nil {
			return err
		}
	}
	return pruneRefusals(w, now)
}

// NoteRefusal counts a refusal, and records it unless too many come: detail is asked for then alone. It never blocks and promises
// nothing. The id and the time are set here.
func (s *Store) NoteRefusal(r Refusal, detail func() RefusalDetail) {
	if s.cfg.Beside {
		return
	}
	c := s.clerk
	r.At = c.now()
	if !c.refused(&r) {
		return
	}
	r.ID = newID(refusalPrefix, r.At)
	if unrecorded := r.Unrecorded; detail != nil {
		r.RefusalDetail = detail()
		r.Unrecorded = unrecorded
	}
	if s.feed.heard() {
		s.feed.tell(Happening{At: r.At, Refusal: &r})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals.list = append(c.refusals.list, r)
}

// refused counts a refusal and says whether to record it.
func (c *clerk) refused(r *Refusal) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = r.At
	c.counts.add(tallyKey{spanOf(r.At.UnixMilli(), TallyMinute), r.Account, "", TallyRefused + r.Reason}, 1)
	c.arm()
	return c.refusals.take(r)
}

// written counts what a batch has made durable.
func (c *clerk) written(b *batch, now time.Time) {
	if len(b.accepts) == 0 && len(b.completions) == 0 {
		return
	}
	minute := spanOf(now.UnixMilli(), TallyMinute)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = now
	for _, a := range b.accepts {
		for _, m := range a.messages {
			if m.id == m.mail.ID && m.hold == nil {
				c.counts.add(tallyKey{minute, m.mail.Account, "", TallyAccepted}, 1)
				c.counts.add(tallyKey{minute, m.mail.Account, "", TallyOctets}, m.mail.Size)
			}
		}
	}
	for _, done := range b.completions {
		if done.err == nil {
			c.attempted(minute, done)
		}
	}
	c.arm()
}

// outcomeDelivered is the outcome of an attempt that succeeded.
const outcomeDelivered = "delivered"

// attempted counts an attempt, or that none was made. Which account an endpoint is of is known where it is read; a replay in the place
// of one comes with its account.
func (c *clerk) attempted(minute int64, done *completing) {
	a := &done.Attempt
	count := func(name string) { c.spread.add(tallyKey{minute, done.Account, a.Endpoint, name}, 1) }
	switch {
	case done.RetryAt.IsZero() && done.State == StateDead:
		count(TallyDead)
	case done.RetryAt.IsZero() && done.State == StateFiltered:
		count(TallyFiltered)
	}
	if done.Unattempted || a.N == 0 {
		return
	}
	if a.Outcome == outcomeDelivered {
		count(TallyDelivered)
	} else {
		count(TallyFailed + a.Outcome)
	}
	count(tookName(a.Duration))
	if done.settles && done.State == StateDelivered { // what was held is accepted now
		count(TallyAccepted)
		c.spread.add(tallyKey{minute, done.Account, a.Endpoint, TallyOctets}, done.Octets)
	}
}
