package dispatch

import (
	"errors"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// record is an attempt that was made and is to be recorded.
type record struct {
	job        *job
	completion storage.Completion
	again      time.Time // when to offer it again
}

// record hands the attempt to the store.
func (d *Dispatcher) record(j *job, c storage.Completion) {
	c.Epoch = j.lane.epoch
	d.cfg.Store.Complete(c, func(err error) { d.recorded(j, c, err) })
}

// recorded hears what became of a record; the store's committer calls it. A record that the store could not write is kept
// and offered again, so that a full disk makes no endpoint hear the same mail over and over. The delivery stays held
// meanwhile.
func (d *Dispatcher) recorded(j *job, c storage.Completion, err error) {
	now := time.Now()
	switch {
	case err == nil:
		d.board.recorded(j, c.RetryAt, now)
	case errors.Is(err, storage.ErrStale):
		// Somebody else finished it, or another attempt was recorded: the store knows better.
		d.log.Warn("an attempt was not recorded: its delivery has changed", "delivery", c.Attempt.Delivery, "attempt", c.Attempt.N)
		j.heldUntil = time.Time{}
		d.board.recorded(j, now, now)
	case errors.Is(err, storage.ErrLost):
		// The attempt is made again by the node whose lane it is now.
		d.log.Warn("an attempt was not recorded: its lane is another node's", "delivery", c.Attempt.Delivery, "attempt", c.Attempt.N)
		d.board.passedOn(j)
	case errors.Is(err, storage.ErrClosed):
		// Nothing can be recorded any more; the attempt will be made again.
	default:
		d.metrics.unrecorded.Inc()
		d.log.Error("an attempt could not be recorded; trying again", "delivery", c.Attempt.Delivery, "attempt", c.Attempt.N, "error", err)
		d.mu.Lock()
		d.unrecorded = append(d.unrecorded, record{j, c, now.Add(recordPause)})
		d.mu.Unlock()
		d.board.signal()
	}
}

// offerAgain offers the refused records whose pause is over and returns when the next one's is; zero: there is none.
func (d *Dispatcher) offerAgain(now time.Time) (next time.Time) {
	d.mu.Lock()
	n := 0
	for n < len(d.unrecorded) && !now.Before(d.unrecorded[n].again) {
		n++
	}
	due := d.unrecorded[:n]
	d.unrecorded = d.unrecorded[n:]
	if len(d.unrecorded) > 0 {
		next = d.unrecorded[0].again
	}
	d.mu.Unlock()
	for _, r := range due {
		d.record(r.job, r.completion)
	}
	return next
}
