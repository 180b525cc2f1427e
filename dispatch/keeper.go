package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// keepEvery is how long what is not urgent about the lives of endpoints may lie in memory alone.
const keepEvery = 5 * time.Second

// EndpointChange is a step in the life of an endpoint, or a warning before one.
type EndpointChange struct {
	Endpoint string // id
	Name     string
	Account  string // id
	From, To storage.EndpointState
	Reason   string
	At       time.Time

	// Warning is the percentage of the time until the endpoint is disabled that has passed without a success; 0: this is no
	// warning. From and To are then the same.
	Warning   int
	DisableAt time.Time
}

// keep makes the lives of endpoints durable and tells of their changes, until ctx ends.
func (d *Dispatcher) keep(ctx context.Context) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.board.save:
		case <-ticker.C:
		}
		if !d.saveLives(ctx) {
			select { // a store that refuses is not asked again at once
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	}
}

func (d *Dispatcher) saveLives(ctx context.Context) bool {
	d.saving.Lock() // nobody is told that all is saved while some of it is under way
	defer d.saving.Unlock()
	lives, changes := d.board.unsaved()
	var notices []storage.Notice
	for i := range changes {
		if ep := d.endpoint(changes[i].Endpoint); ep != nil {
			changes[i].Name, changes[i].Account = ep.Name, ep.Account
		}
		if n := d.cfg.Notice(changes[i]); n != nil {
			n.Endpoint = changes[i].Endpoint
			notices = append(notices, *n)
		}
	}
	if len(lives) > 0 || len(notices) > 0 {
		overtaken, err := d.cfg.Store.SaveLives(ctx, lives, notices...)
		if err != nil {
			d.board.saveAgain(lives, changes)
			if ctx.Err() == nil {
				d.log.Error("the states of endpoints could not be saved; trying again", "error", err)
			}
			return false
		}
		if len(overtaken) > 0 {
			d.board.adopt(overtaken, false, time.Now())
			changes = slices.DeleteFunc(changes, func(c EndpointChange) bool {
				return slices.ContainsFunc(overtaken, func(l storage.EndpointLife) bool { return l.Endpoint == c.Endpoint })
			})
		}
	}
	for _, c := range changes {
		d.tell(c)
	}
	return true
}

// tell tells everybody of a change.
func (d *Dispatcher) tell(c EndpointChange) {
	attrs := []slog.Attr{slog.String("endpoint", c.Endpoint), slog.String("name", c.Name), slog.String("state", string(c.To)), slog.String("reason", c.Reason)}
	switch {
	case c.Warning > 0:
		d.metrics.changes.WithLabelValues("warning").Inc()
		d.log.LogAttrs(context.Background(), slog.LevelWarn, "the endpoint will be disabled",
			append(attrs, slog.Int("percent", c.Warning), slog.Time("at", c.DisableAt))...)
	default:
		d.metrics.changes.WithLabelValues(string(c.To)).Inc()
		level := slog.LevelInfo
		switch c.To {
		case storage.EndpointBroken:
			level = slog.LevelWarn
		case storage.EndpointDisabled:
			level = slog.LevelError
		}
		d.log.LogAttrs(context.Background(), level, "endpoint changed", append(attrs, slog.String("from", string(c.From)))...)
	}
	d.cfg.Notify(c)
}

// tellStopped logs which endpoints begin without taking mail, so that nobody wonders why after a restart.
func (d *Dispatcher) tellStopped(lives []storage.EndpointLife) {
	for i := range lives {
		l := &lives[i]
		if l.State == storage.EndpointEnabled || d.lookUp(l.Endpoint).declared == nil {
			continue
		}
		d.log.Warn("endpoint takes no mail since before the start", "endpoint", l.Endpoint, "state", l.State, "reason", l.Reason, "since", l.Since)
	}
}
