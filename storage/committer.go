package storage

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// committer is the only goroutine that writes to the database and to the segments. Batches form by themselves: it takes
// whatever came while the last commit ran, and commits at once when it was idle.
type committer struct {
	queue    *queue
	writer   *writer
	segments *segments
	handOver atomic.Pointer[func([]Accepted)]
	step     func(string)
	now      func() time.Time
	log      *slog.Logger
	metrics  *metrics
	clerk    *clerk
	feed     *feed
	indexer  *indexer      // nil beside a server
	stopped  chan struct{} // closed when run has returned
	values   values        // reused
	counts   int64         // the first of the writers of the stock, see newStockWriter
	turn     int64         // which of them is next
	meter    *meter
	store    string // its id

	// What ForeignChange saw last, and on which connection; 0: not asked yet.
	dataVersion    int64
	dataGeneration int
}

// run writes until the queue is closed and empty.
func (c *committer) run() {
	defer close(c.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		b, wait, last := c.queue.take()
		if last {
			return
		}
		if !b.empty() {
			c.write(b)
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-c.queue.wake:
		case <-due:
		}
	}
}

// write makes a batch durable: bytes first, then the rows.
func (c *committer) write(b *batch) {
	var err error
	if b.pack, err = c.segments.append(b.accepts); err != nil {
		c.metrics.failed.Inc()
		b.failAccepts(fmt.Errorf("write pack: %w", err))
	}
	if b.rows() > 0 {
		c.commit(b)
	}
	for _, t := range b.tasks {
		t.done <- c.task(t)
	}
}

// commit writes the rows of a batch in one transaction. A batch that fails is split, so that one bad row fails alone,
// unless the storage as a whole is in trouble: then all of it fails at once. Without its pack a batch goes on without its
// mails.
func (c *committer) commit(b *batch) {
	start := time.Now()
	var tx transaction
	err := c.attempt(&tx, b)
	if err == nil {
		c.metrics.commit(b, &tx, time.Since(start))
		c.finish(b, tx.now)
		return
	}
	if unsynced := b.pack.wait(); unsynced != nil && len(b.accepts) > 0 {
		c.metrics.failed.Inc()
		b.failAccepts(fmt.Errorf("write pack: %w", unsynced))
		if b.rows() > 0 {
			c.commit(b)
		}
		return
	}
	if b.rows() > 1 && !isStorageTrouble(err) {
		left, right := b.split()
		c.commit(left)
		c.commit(right)
		return
	}
	c.metrics.failed.Inc()
	b.fail(err)
	c.keepQuiet(b, err)
}

// attempt runs the transaction of a batch. What PostgreSQL asks to run again, or to make a partition for, is.
func (c *committer) attempt(tx *transaction, b *batch) (err error) {
	if c.writer.postgres() {
		c.turn = (c.turn + 1) % stockWriters
	}
	for range 3 {
		*tx = transaction{writer: c.writer, now: c.now(), values: &c.values, counts: c.counts + c.turn, store: c.store}
		err = c.writer.transact(func() error { return c.writeRows(tx, b) })
		switch {
		case isConflict(err):
		case isWithoutPartition(err):
			if err := makePartitions(c.writer, b.days()...); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return err
}

// run runs a rare write.
func (c *committer) task(t *task) error {
	if t.bare {
		return t.do(c.writer)
	}
	if t.apart || !c.writer.postgres() {
		return c.writer.transact(func() error { return t.do(c.writer) })
	}
	n := int64(0)
	err := c.writer.transact(func() (err error) {
		// The row is a lock too: what these writes look at first and change then stands still for all nodes and commands.
		if n, err = c.writer.queryInt("UPDATE change SET n = n + 1 RETURNING n"); err != nil {
			return err
		}
		return t.do(c.writer)
	})
	if err == nil && n == c.dataVersion+1 {
		c.dataVersion = n // ours; another step is somebody else's
	}
	return err
}

// writeRows writes the rows while the pack is being synced, and lets nothing be committed that is not.
func (c *committer) writeRows(tx *transaction, b *batch) error {
	if len(b.accepts) == 0 {
		return tx.write(b)
	}
	c.step("tx-begun")
	if err := tx.write(b); err != nil {
		return err
	}
	if b.pack != nil { // the rows are written while it is being synced
		if err := c.writer.conn.flush(); err != nil {
			return err
		}
	}
	if err := b.pack.wait(); err != nil {
		return err
	}
	if b.pack != nil {
		c.step("pack-synced")
	}
	c.step("tx-written")
	return nil
}

// keepQuiet queues once more what nobody waits for, when the storage as a whole was in trouble.
func (c *committer) keepQuiet(b *batch, err error) {
	switch {
	case b.acks.len() == 0 && len(b.ends) == 0:
	case isStorageTrouble(err):
		c.queue.putAcks(b.acks)
		c.queue.putEnds(b.ends)
	default:
		// A key that stands too long only means that a second identical mail is taken for a resend; a count that stands,
		// that its mail is parsed with more care.
		c.log.Error("a dedupe key could not be retired, or a parse count not taken back", "error", err)
	}
}

// finish answers everybody in a batch that was committed.
func (c *committer) finish(b *batch, now time.Time) {
	c.meter.committed(b, now) // before anybody is answered, so that the next mail of a sender is measured right
	c.queue.written()         // before the hand-over, or the deliveries would give way to the very mails that they are of
	if len(b.accepts) > 0 {
		c.step("tx-committed")
	}
	if len(b.completions) > 0 {
		c.step("completions-committed")
	}
	var fresh []Accepted
	handOver := c.handOver.Load()
	for _, a := range b.accepts {
		if handOver != nil {
			for _, m := range a.messages {
				if m.id == m.mail.ID && len(m.deliveries) > 0 {
					fresh = append(fresh, Accepted{Mail: m.mail, Raw: m.raw, Deliveries: m.deliveries})
				}
			}
		}
		a.done <- nil
	}
	if len(fresh) > 0 {
		(*handOver)(fresh)
	}
	c.clerk.written(b, now)
	c.feed.committed(b, now)
	if c.indexer != nil {
		c.indexer.committed(b)
	}
	for _, c := range b.completions {
		c.done(c.err)
	}
	for _, p := range b.begins {
		p.done <- beginError(p)
	}
}

func beginError(p *beginning) error {
	if p.count == 0 {
		return fmt.Errorf("message %s: %w", p.message, ErrNotFound)
	}
	return nil
}
