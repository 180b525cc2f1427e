package dispatch

import (
	"context"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// asShadow makes what a shadow endpoint did not take count nowhere.
func asShadow(ep *storage.Endpoint, c *storage.Completion) {
	if ep.Shadow && c.State == storage.StateDead {
		c.State = storage.StateMissed
	}
}

// missShadows finishes what has been due at a shadow endpoint for longer than its maximum age: one at which no attempts are made,
// because it rests or is disabled, must not hold mail.
func (d *Dispatcher) missShadows(ctx context.Context, heads []storage.LaneHead) error {
	endpoints, now := d.cfg.Directory().Endpoints, time.Now()
	for _, h := range heads {
		ep := endpoints[h.Endpoint]
		if ep == nil || !ep.Shadow {
			continue
		}
		if oldest := now.Add(-maxAgeOf(ep)); h.DueAt.Before(oldest) {
			if _, err := d.cfg.Store.Miss(ctx, ep.ID, oldest, "the shadow endpoint was not there for it in time"); err != nil {
				return err
			}
		}
	}
	return nil
}
