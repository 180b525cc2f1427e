package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// erasedOverlap is how far the clocks of two processes may differ.
const erasedOverlap = time.Minute

// erased are the messages that were erased while the dispatcher runs: what of them lies in memory is not sent any more.
type erased struct {
	mu    sync.Mutex
	since time.Time // of the next look
	ids   map[string]struct{}
}

// learn asks the store what was erased since the last time.
func (e *erased) learn(ctx context.Context, store *storage.Store) error {
	e.mu.Lock()
	since := e.since
	e.mu.Unlock()
	now := time.Now()
	ids, err := store.ErasedSince(ctx, since)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.since = now.Add(-erasedOverlap)
	for _, id := range ids {
		if e.ids == nil {
			e.ids = map[string]struct{}{}
		}
		e.ids[id] = struct{}{}
	}
	return nil
}

func (e *erased) has(message string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.ids[message]
	return ok
}

// dropErased lets go of a delivery whose message was erased. In the store it is dead already.
func (d *Dispatcher) dropErased(j *job) {
	now := time.Now()
	d.board.unspent(j)
	d.board.posted(j, &Result{At: now, Outcome: outcomeFiltered}, now)
	j.heldUntil = time.Time{}
	d.board.recorded(j, now, now)
}
