package storage

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

const (
	// indexBatch is how many messages are indexed in one transaction.
	indexBatch = 500
	// indexPause is how long messages gather.
	indexPause = time.Second
	// settleWait is how long a message waits for what its parse says of it, before it is indexed by its envelope alone. While mail
	// comes flat out its parse comes seconds later, and who does not wait for that indexes each message twice.
	settleWait = 10 * time.Second
	// yieldWait is how long the indexer gives way to mails that wait for the disk, before it indexes a batch all the same.
	yieldWait = time.Second
	yieldStep = 20 * time.Millisecond
	// restFactor is how much longer than a batch took the indexer rests behind it while mail comes, so that it has a small share
	// of the processors; what it does not come to is looked at by whoever searches, and indexed when less mail comes.
	restFactor = 16
	maxRest    = 5 * time.Second
	// maxLearnt bounds the messages that are remembered to be indexed once more; beyond it all that are unparsed are looked at.
	maxLearnt = 50_000
)

// indexer brings the index up to date behind everybody's back.
type indexer struct {
	store *Store
	index *searchIndex
	log   *slog.Logger
	wake  chan struct{} // capacity 1
	quit  chan struct{}
	ended chan struct{}

	busy atomic.Bool // mail came

	mu sync.Mutex // held while the index is written

	learning sync.Mutex
	learnt   []string // messages of which a summary was recorded
	missed   bool     // some were not remembered
	late     int      // messages in the index without their headers, at least
}

func newIndexer(s *Store, x *searchIndex) *indexer {
	return &indexer{store: s, index: x, log: s.cfg.Log, wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}), missed: true, late: 1}
}

// stop waits for the batch that is being written.
func (i *indexer) stop() {
	close(i.quit)
	<-i.ended
}

// committed hears what a batch has made durable. The committer calls it.
func (i *indexer) committed(b *batch) {
	if len(b.accepts) == 0 && len(b.completions) == 0 {
		return
	}
	i.busy.Store(true)
	i.learning.Lock()
	if i.late > 0 {
		for _, c := range b.completions {
			if c.Summary == nil || c.err != nil {
				continue
			}
			if len(i.learnt) >= maxLearnt {
				i.missed = true
				break
			}
			i.learnt = append(i.learnt, c.Attempt.Message)
		}
	}
	i.learning.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// run indexes until it is stopped. Trouble is logged once and costs a pause; nobody else has any by it.
func (i *indexer) run() {
	defer close(i.ended)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-i.quit
		cancel()
	}()
	var trouble bool
	for pause := time.Duration(0); ; {
		if pause > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		} else if ctx.Err() != nil {
			return
		}
		left, err := i.pass(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !trouble {
				i.log.Error("messages cannot be indexed for the search; trying again", "error", err)
			}
			trouble, pause = true, 10*time.Second
			continue
		}
		trouble, pause = false, indexPause
		if left {
			continue
		}
		select {
		case <-i.wake:
		case <-ctx.Done():
			return
		}
	}
}

// pass indexes what there is. left says that something has to settle first.
func (i *indexer) pass(ctx context.Context) (left bool, err error) {
	if err := i.learn(ctx); err != nil {
		return false, err
	}
	for {
		if err := i.giveWay(ctx); err != nil {
			return false, err
		}
		i.busy.Store(false)
		began := time.Now()
		n, settled, err := i.step(ctx, settleWait)
		if err != nil || n < indexBatch {
			return !settled, err
		}
		if i.busy.Load() {
			if err := rest(ctx, min(restFactor*time.Since(began), maxRest)); err != nil {
				return false, err
			}
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveWay waits while mails wait, for a time.
func (i *indexer) giveWay(ctx context.Context) error {
	timer := time.NewTimer(yieldStep)
	defer timer.Stop()
	for began := time.Now(); i.store.AcceptsPress() && time.Since(began) < yieldWait; {
		select {
		case <-timer.C:
			timer.Reset(yieldStep)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// IndexNow returns when all messages that are stored now are in the search index, with what is known of them. Nobody needs to wait
// for that: a search looks at those that are not.
func (s *Store) IndexNow(ctx context.Context) error {
	if s.indexer == nil {
		return ErrBeside
	}
	if err := s.indexer.learn(ctx); err != nil {
		return fmt.Errorf("index messages: %w", err)
	}
	for {
		if n, _, err := s.indexer.step(ctx, 0); err != nil || n < indexBatch {
			return err
		}
	}
}

// step indexes the next messages. settled is false when one of them has to wait for its parse, for no longer than a time.
func (i *indexer) step(ctx context.Context, wait time.Duration) (n int, settled bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	reached, err := i.index.reached(ctx)
	if err != nil {
		return 0, false, err
	}
	entries, settled, err := i.store.unindexed(ctx, reached, wait)
	if err != nil || len(entries) == 0 {
		return 0, settled, err
	}
	late := 0
	for k := range entries {
		if !entries[k].parsed {
			late++
		}
	}
	i.learning.Lock()
	i.late += late
	i.learning.Unlock()
	return len(entries), settled, i.index.put(entries, entries[len(entries)-1].n)
}

const selectIndexed = `SELECT m.rowid, m.id, m.account, m.received_at, m.envelope, s.summary
	FROM message AS m LEFT JOIN summary AS s ON s.message = m.id`

// scanIndexed reads a row of selectIndexed.
func scanIndexed(scan func(...any) error, n *int64) (*Mail, error) {
	m := &Mail{}
	var received int64
	var envelope []byte
	var summary sql.NullString
	if err := scan(n, &m.ID, &m.Account, &received, &envelope, &summary); err != nil {
		return nil, err
	}
	m.ReceivedAt = time.UnixMilli(received)
	return m, m.decode(envelope, summary)
}

// unindexed reads the messages behind a row that are ready to be indexed.
func (s *Store) unindexed(ctx context.Context, after int64, wait time.Duration) (entries []entry, settled bool, err error) {
	rows, err := s.read.QueryContext(ctx, selectIndexed+" WHERE m.rowid > ? ORDER BY m.rowid LIMIT ?", after, indexBatch)
	if err != nil {
		return nil, false, err
	}
	settled = true
	err = each(rows, func() error {
		var n int64
		m, err := scanIndexed(rows.Scan, &n)
		if err != nil || !settled {
			return err
		}
		e := entryOf(n, m)
		if !e.parsed && time.Since(m.ReceivedAt) < wait {
			settled = false
			return nil
		}
		entries = append(entries, e)
		return nil
	})
	return entries, settled, err
}

func entryOf(n int64, m *Mail) entry {
	owed := slices.ContainsFunc(m.Envelope.Recipients, func(r inbound.Recipient) bool { return len(r.Endpoints) > 0 })
	return entry{n: n, id: m.ID, terms: termsOf(m), parsed: m.Summary != nil || !owed}
}

// learn indexes those messages once more whose headers have become known.
func (i *indexer) learn(ctx context.Context) error {
	i.learning.Lock()
	learnt, missed := i.learnt, i.missed
	i.learnt, i.missed = nil, false
	i.learning.Unlock()
	err := i.relearn(ctx, learnt)
	if err == nil && missed {
		err = i.relearnAll(ctx)
	}
	if err != nil {
		i.learning.Lock()
		i.missed = true
		i.learning.Unlock()
	}
	return err
}

// relearn indexes messages once more that the index has without their headers.
func (i *indexer) relearn(ctx context.Context, ids []string) error {
	for chunk := range slices.Chunk(ids, indexBatch) {
		if err := i.giveWay(ctx); err != nil {
			return err
		}
		if err := i.relearnChunk(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (i *indexer) relearnChunk(ctx context.Context, ids []string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var known []string
	numbers := map[string]int64{}
	for _, id := range ids {
		n, err := i.index.stillUnparsed(id)
		if err != nil {
			return err
		}
		if n > 0 {
			known = append(known, id)
			numbers[id] = n
		}
	}
	if len(known) == 0 {
		return nil
	}
	mails, err := i.store.pick(ctx, &Search{}, known)
	if err != nil {
		return err
	}
	var entries []entry
	for _, m := range mails {
		if e := entryOf(numbers[m.ID], m); e.parsed {
			entries = append(entries, e)
		}
	}
	return i.index.put(entries, 0)
}

// relearnAll looks at all messages that the index has without their headers, as after a crash.
func (i *indexer) relearnAll(ctx context.Context) error {
	late := 0
	for after := int64(0); ; {
		i.mu.Lock()
		hits, err := i.index.unparsed(after, indexBatch)
		i.mu.Unlock()
		if err != nil {
			return err
		}
		if len(hits) == 0 {
			break
		}
		ids := make([]string, len(hits))
		for k, h := range hits {
			ids[k], after = h.id, h.n
		}
		if err := i.relearn(ctx, ids); err != nil {
			return err
		}
		late += len(ids)
	}
	i.learning.Lock()
	i.late = late
	i.learning.Unlock()
	return nil
}

// lastRow is the last row of the table message but for those of some messages.
func (s *Store) lastRow(ctx context.Context, without []string) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT coalesce((SELECT rowid FROM message WHERE id NOT IN ("+placeholders(len(without))+
		") ORDER BY rowid DESC LIMIT 1), 0)", anyOf(without)...).Scan(&n)
	return n, err
}
