package storage

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// indexBatch is how many messages make a segment at most, and indexLeast at least: fewer are looked at one by one as quickly.
	indexBatch = 2048
	indexLeast = 256
	// indexPostings bounds the memory of a batch of messages with many terms each.
	indexPostings = 1_000_000
	// indexPause is how long messages gather.
	indexPause = time.Second
	// indexLag is how old an id is before it is indexed: until then one with an earlier id may still be on its way.
	indexLag = 2 * time.Second
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
	// lateSpan is how far back a node looks for messages that were committed behind the back of the index, when it takes the index over.
	lateSpan = 10 * time.Minute
	// indexTurn is how long a node keeps the index to itself without a sign of life. It gives one every indexPause while mail comes.
	indexTurn = 30 * time.Second
)

// errNotMyTurn says that another node writes the index.
var errNotMyTurn = errors.New("another node writes the search index")

// indexer brings the index up to date behind everybody's back.
type indexer struct {
	store *Store
	index *searchIndex
	log   *slog.Logger
	name  string        // of whoever has his turn
	wake  chan struct{} // capacity 1
	quit  chan struct{}
	ended chan struct{}

	busy atomic.Bool // mail came

	work sync.Mutex // held while messages are read and indexed
	mu   sync.Mutex // held while the index is written

	learning sync.Mutex
	reached  string   // as far as is known here
	learnt   []string // messages of which a summary was recorded long after they came
	late     []string // messages that were committed long after their id was made
	missed   bool     // some were not remembered, or are not known of
}

func newIndexer(s *Store, x *searchIndex) *indexer {
	return &indexer{
		store: s, index: x, log: s.cfg.Log, name: newID("idx_", time.Now()),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}), missed: true,
	}
}

// stop waits for the batch that is being written, and lets another node go on.
func (i *indexer) stop() error {
	close(i.quit)
	<-i.ended
	return i.leaveTurn()
}

// committed hears what a batch has made durable. The committers call it.
func (i *indexer) committed(b *batch) {
	if len(b.accepts) == 0 && len(b.completions) == 0 {
		return
	}
	i.busy.Store(true)
	i.hear(b)
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// hear remembers what the index may have passed already.
func (i *indexer) hear(b *batch) {
	now := time.Now()
	lagging, settled := firstMessageID(now.Add(-indexLag/2)), firstMessageID(now.Add(-settleWait/2))
	i.learning.Lock()
	defer i.learning.Unlock()
	if len(i.learnt)+len(i.late) >= maxLearnt {
		i.missed = true
		return
	}
	for _, a := range b.accepts {
		for _, m := range a.messages {
			if m.mail.ID < lagging || m.mail.ID <= i.reached {
				i.late = append(i.late, m.mail.ID)
			}
		}
	}
	for _, c := range b.completions {
		if c.Summary != nil && c.err == nil && (c.Attempt.Message < settled || c.Attempt.Message <= i.reached) {
			i.learnt = append(i.learnt, c.Attempt.Message)
		}
	}
}

// lateOnes are messages that were committed too late to be indexed with their neighbours, and may not be yet.
func (i *indexer) lateOnes() []string {
	i.learning.Lock()
	defer i.learning.Unlock()
	return slices.Clone(i.late)
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
		if rest(ctx, pause) != nil {
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

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass indexes what there is. left says that something has to settle first.
func (i *indexer) pass(ctx context.Context) (left bool, err error) {
	reached, err := i.takeTurn()
	if errors.Is(err, errNotMyTurn) {
		if err := i.tellHolder(); err != nil {
			return false, err
		}
		n, err := i.store.countBehind(ctx, reached, indexLeast)
		return n == indexLeast, err // should the other one be gone, the turn comes
	}
	if err == nil {
		err = i.learn(ctx, reached)
	}
	if err != nil {
		return false, err
	}
	for {
		if err := i.giveWay(ctx); err != nil {
			return false, err
		}
		i.busy.Store(false)
		began := time.Now()
		n, settled, err := i.step(ctx, pace{lag: indexLag, settle: settleWait, least: indexLeast})
		if err != nil {
			return false, err
		}
		if n == 0 {
			return !settled, i.merge(ctx)
		}
		if i.busy.Load() {
			if err := rest(ctx, min(restFactor*time.Since(began), maxRest)); err != nil {
				return false, err
			}
		}
	}
}

// giveWay waits while mails wait, for a time.
func (i *indexer) giveWay(ctx context.Context) error {
	timer := time.NewTimer(yieldStep)
	defer timer.Stop()
	for began := time.Now(); i.store.AcceptsPress() != PressNone && time.Since(began) < yieldWait; {
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
	i := s.indexer
	if i == nil {
		return ErrBeside
	}
	for {
		reached, err := i.takeTurn()
		if err == nil {
			err = i.learn(ctx, reached)
		}
		for n := 1; n > 0 && err == nil; {
			if n, _, err = i.step(ctx, pace{least: 1}); err == nil && n > 0 {
				err = i.merge(ctx)
			}
		}
		if !errors.Is(err, errNotMyTurn) {
			return err
		}
		if err := i.tellHolder(); err != nil {
			return err
		}
		if err := rest(ctx, yieldStep); err != nil {
			return err
		}
	}
}

// takeTurn makes this node the one that writes the index, or keeps it. In either case it says how far the index is.
func (i *indexer) takeTurn() (reached string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.index.write
	err = w.transact(func() (err error) {
		if reached, err = w.queryText("SELECT reached FROM search_state WHERE one = 1" + w.form(forms{"", " FOR UPDATE"})); err != nil || !w.postgres() {
			return err
		}
		before, err := w.queryText("SELECT holder FROM search_state WHERE one = 1")
		if err != nil {
			return err
		}
		now, err := w.queryInt(clock)
		if err != nil {
			return err
		}
		n, err := w.exec("UPDATE search_state SET holder = ?, until = ? WHERE one = 1 AND (holder = ? OR until < ?)", i.name, now+indexTurn.Milliseconds(), i.name, now)
		switch {
		case err != nil:
		case n == 0:
			err = errNotMyTurn
		case before != i.name: // what the one before knew of is not known here
			i.learning.Lock()
			i.missed = true
			i.learning.Unlock()
		}
		return err
	})
	i.see(reached)
	return reached, err
}

// see notes how far the index is.
func (i *indexer) see(reached string) {
	i.learning.Lock()
	defer i.learning.Unlock()
	i.reached = max(i.reached, reached)
}

// leaveTurn lets another node write the index at once.
func (i *indexer) leaveTurn() error {
	w := i.index.write
	if i.index.path != "" || w.conn == nil {
		return nil
	}
	_, err := w.exec("UPDATE search_state SET until = 0 WHERE one = 1 AND holder = ?", i.name)
	return err
}

// change is that of the index, while it is this node's turn.
func (i *indexer) change(do func(w *writer, st *standing) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.index.change(func(w *writer, st *standing) error {
		if w.postgres() && st.holder != i.name {
			return errNotMyTurn
		}
		return do(w, st)
	})
}
