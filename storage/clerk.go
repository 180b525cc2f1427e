package storage

import (
	"context"
	"sync"
	"time"
)

// clerkWait is how long counts and refusals wait to be written together.
const clerkWait = time.Second

// clerk keeps the counts and refusals that nobody waits for, and writes them in a transaction of their own, one a second at most:
// no mail costs a write for them. What was not written when the process dies is lost; what the disk refused is offered again with
// the next.
type clerk struct {
	queue *queue
	now   func() time.Time

	mu       sync.Mutex
	counts   tallies
	refusals sampled
	timer    *time.Timer
	armed    bool
	closed   bool
	noted    time.Time // when something was noted last
	pruneAt  time.Time // when to remove old rows
}

func newClerk(q *queue, now func() time.Time) *clerk {
	return &clerk{queue: q, now: now, counts: tallies{}}
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
	t := c.task()
	c.mu.Unlock()
	if t != nil {
		c.queue.putTask(t) // false: the store is closed, and close has written before
	}
}

// FlushNotes returns when what was counted and recorded so far is written. Nobody needs to wait for that: it is within a second.
func (s *Store) FlushNotes(ctx context.Context) error {
	s.clerk.mu.Lock()
	t := s.clerk.task()
	s.clerk.mu.Unlock()
	if t == nil {
		return nil
	}
	return s.enqueue(ctx, t)
}

// close writes what is left; the queue must still be open.
func (c *clerk) close() {
	c.mu.Lock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	t := c.task()
	c.mu.Unlock()
	if t != nil {
		c.queue.putTask(t)
	}
}

// task takes all that was noted into a write; nil: there is nothing. Called under the lock.
func (c *clerk) task() *task {
	if len(c.counts) == 0 && len(c.refusals.list) == 0 {
		return nil
	}
	counts, refusals := c.counts, c.refusals.list
	c.counts, c.refusals = tallies{}, sampled{passed: c.refusals.passed}
	now := c.noted
	prune := now.After(c.pruneAt)
	if prune {
		c.pruneAt = now.Add(time.Minute)
	}
	t := &task{apart: true, done: make(chan error, 1)}
	t.do = func(w *writer) error {
		err := writeNotes(w, counts, refusals, now, prune)
		if err != nil {
			c.putBack(counts)
		}
		return err
	}
	return t
}

// putBack keeps counts that could not be written.
func (c *clerk) putBack(counts tallies) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, n := range counts {
		c.counts.add(key, n)
	}
	c.arm()
}

func writeNotes(w *writer, counts tallies, refusals []Refusal, now time.Time, prune bool) error {
	args := counts.appendRows(nil)
	if _, err := w.execRows(upsertTallies, args); err != nil {
		return err
	}
	args = args[:0]
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
	if s.feed.readers.Load() > 0 {
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

// attempted counts an attempt, or that none was made. Which account an endpoint is of is known where it is read.
func (c *clerk) attempted(minute int64, done *completing) {
	a := &done.Attempt
	count := func(name string) { c.counts.add(tallyKey{minute, "", a.Endpoint, name}, 1) }
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
	}
}
