package notice

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

const (
	// gather is how long a notice waits for others that go in the same mail.
	gather = 5 * time.Second
	// maxWaiting bounds the notices in memory; what comes on top is in the log alone.
	maxWaiting = 10_000
)

// waits are those before another try.
var waits = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// Config is whom a [Notifier] tells.
type Config struct {
	// Webhook gets an event for each notice, by Send; nil: none.
	Webhook *storage.Endpoint
	Send    func(context.Context, *dispatch.Post) dispatch.Result
	// Mail goes to people; nil: none.
	Mail *Mail
	Log  *slog.Logger
}

// Notice is a change in the life of an endpoint that somebody should know of.
type Notice struct {
	ID   string // "evt_" and a ULID
	Type string // "endpoint.warning", "endpoint.disabled", "endpoint.broken" or "endpoint.recovered"
	dispatch.EndpointChange
}

// Notifier tells of changes in the lives of endpoints.
type Notifier struct {
	cfg   Config
	wake  chan struct{} // capacity 1
	mu    sync.Mutex
	fresh []Notice
}

// New returns a Notifier that tells nothing before [Notifier.Run].
func New(cfg Config) *Notifier {
	return &Notifier{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Tell takes a change. It does not block. What an operator did himself is no notice.
func (n *Notifier) Tell(c dispatch.EndpointChange) {
	kind := typeOf(&c)
	if kind == "" || n.cfg.Webhook == nil && n.cfg.Mail == nil {
		return
	}
	id := "evt_" + strings.ToLower(ulid.MustNew(ulid.Timestamp(c.At), rand.Reader).String())
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.fresh) >= maxWaiting {
		n.cfg.Log.Error("too many notices wait; this one is dropped", "endpoint", c.Endpoint, "type", kind)
		return
	}
	n.fresh = append(n.fresh, Notice{ID: id, Type: kind, EndpointChange: c})
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// typeOf is the type of the event that tells of a change; empty: none does.
func typeOf(c *dispatch.EndpointChange) string {
	switch {
	case c.Warning > 0:
		return "endpoint.warning"
	case c.To == storage.EndpointDisabled:
		return "endpoint.disabled"
	case c.To == storage.EndpointBroken:
		return "endpoint.broken"
	case c.To == storage.EndpointEnabled && c.From != storage.EndpointPaused:
		return "endpoint.recovered"
	}
	return ""
}

// Run tells until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	var telling sync.WaitGroup
	defer telling.Wait()
	hooks, mails := make(chan []Notice), make(chan []Notice)
	telling.Go(func() { n.each(ctx, hooks, n.post) })
	telling.Go(func() { n.each(ctx, mails, n.mail) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		}
		if !pause(ctx, gather) {
			return nil
		}
		n.mu.Lock()
		batch := n.fresh
		n.fresh = nil
		n.mu.Unlock()
		for _, to := range []chan []Notice{hooks, mails} {
			select {
			case to <- batch:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// each hands on batches in their order; what comes while one is being told, or tried again, waits and goes together.
func (n *Notifier) each(ctx context.Context, batches <-chan []Notice, tell func(context.Context, []Notice)) {
	var waiting []Notice
	done := make(chan struct{}, 1)
	busy := false
	defer func() {
		if busy {
			<-done
		}
	}()
	for {
		if len(waiting) > 0 && !busy {
			batch := waiting
			waiting, busy = nil, true
			go func() { tell(ctx, batch); done <- struct{}{} }()
		}
		select {
		case <-ctx.Done():
			return
		case <-done:
			busy = false
		case batch := <-batches:
			if waiting = append(waiting, batch...); len(waiting) > maxWaiting {
				n.cfg.Log.Error("too many notices wait; the oldest are dropped", "dropped", len(waiting)-maxWaiting)
				waiting = waiting[len(waiting)-maxWaiting:]
			}
		}
	}
}

// again tries until it succeeds or the waits are used up, and says whether it did.
func (n *Notifier) again(ctx context.Context, what string, try func() error) bool {
	for i := 0; ; i++ {
		err := try()
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		if i == len(waits) {
			n.cfg.Log.Error("a notice could not be told; it is given up", "by", what, "error", err)
			return false
		}
		n.cfg.Log.Warn("a notice could not be told; trying again", "by", what, "in", waits[i], "error", err)
		if !pause(ctx, waits[i]) {
			return false
		}
	}
}

// pause is false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
