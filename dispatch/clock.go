package dispatch

import (
	"context"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// clockSlack is how far beyond what can be a time has to lie until the clock is blamed.
const clockSlack = time.Hour

// farthest is the latest time that something at an endpoint can wait for: no delivery is due when it will be too old.
func farthest(ep *storage.Endpoint, now time.Time) time.Time {
	return now.Add(max(maxAgeOf(ep), maxRetryAfter) + clockSlack)
}

// catchUp makes due what was to wait for longer than anything can: it was stored while the clock was wrong, far ahead, and would wait
// until that time comes.
func (d *Dispatcher) catchUp(ctx context.Context, heads []storage.LaneHead) error {
	now := time.Now()
	for i := range heads {
		h := &heads[i]
		ep := d.endpoint(h.Endpoint)
		if ep == nil {
			continue
		}
		limit := farthest(ep, now)
		if !h.DueAt.After(limit) {
			continue
		}
		n, err := d.cfg.Store.Hasten(ctx, h.Endpoint, limit)
		if err != nil {
			return err
		}
		d.log.Warn("deliveries were due in the far future, so the clock was wrong; they are made now", "endpoint", h.Endpoint, "deliveries", n, "due", h.DueAt)
		h.DueAt = now
	}
	return nil
}

// wakeUp ends a rest that is longer than any can be.
func (b *board) wakeUp(l *life, now time.Time) {
	if l.declared != nil && l.RestUntil.After(farthest(l.declared, now)) {
		l.RestUntil, l.RestReason = time.Time{}, ""
		b.note(l, nil, true)
		b.settle(l, now)
	}
}
