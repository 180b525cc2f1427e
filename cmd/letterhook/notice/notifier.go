package notice

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
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
	// mails and posts are how many notices are told together, and told again if we die before that is recorded.
	mails = 500
	posts = 20
	// maxAge is how old a notice may become until it is given up.
	maxAge = 3 * 24 * time.Hour
)

// waits are those before another try; the last is repeated.
var waits = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// Config is whom a [Notifier] tells.
type Config struct {
	// Store keeps the notices.
	Store *storage.Store
	// Mine says whether this node tells, where several share the store; nil: it is alone.
	Mine func() bool
	// Flight gives the telling of a batch a context that ends when another node may be about to tell; land ends it. Nil: no other does.
	Flight func(context.Context) (flight context.Context, land func())
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
	cfg  Config
	ways []*way
}

// way is a way of telling, with what it has to do now.
type way struct {
	name storage.NoticeWay
	most int // notices at a time
	// tell tells notices in their order and says how many it told; the error is why it was not all.
	tell func(ctx context.Context, notices []Notice, try int) (told int, err error)
	wake chan struct{} // capacity 1
}

// New returns a Notifier that tells nothing before [Notifier.Run].
func New(cfg Config) *Notifier {
	n := &Notifier{cfg: cfg}
	if cfg.Webhook != nil {
		n.ways = append(n.ways, &way{name: storage.NoticeByWebhook, most: posts, tell: n.post, wake: make(chan struct{}, 1)})
	}
	if cfg.Mail != nil {
		n.ways = append(n.ways, &way{name: storage.NoticeByMail, most: mails, tell: n.mail, wake: make(chan struct{}, 1)})
	}
	return n
}

// Notice makes of a change what is to be stored with it; nil: nobody is to be told. What an operator did himself is no notice. The same
// change gives the same notice.
func (n *Notifier) Notice(c dispatch.EndpointChange) *storage.Notice {
	kind := typeOf(&c)
	if kind == "" || len(n.ways) == 0 {
		return nil
	}
	text, err := json.Marshal(&c)
	if err != nil {
		n.cfg.Log.Error("a notice could not be written", "endpoint", c.Endpoint, "type", kind, "error", err)
		return nil
	}
	made := &storage.Notice{ID: idOf(&c), At: c.At, Text: text}
	for _, w := range n.ways {
		made.Ways = append(made.Ways, w.name)
	}
	return made
}

// idOf makes an id of a change: its time, and what else tells it from others.
func idOf(c *dispatch.EndpointChange) string {
	sum := sha256.Sum256(fmt.Append(nil, c.Endpoint, " ", c.From, " ", c.To, " ", c.Warning, " ", c.At.UnixNano()))
	id := ulid.ULID(sum[:16])
	_ = id.SetTime(ulid.Timestamp(c.At)) // the error is for the year 10889
	return "evt_" + strings.ToLower(id.String())
}

// Look says that there may be something to tell. It does not block.
func (n *Notifier) Look(dispatch.EndpointChange) {
	for _, w := range n.ways {
		select {
		case w.wake <- struct{}{}:
		default: // it is going to look anyway
		}
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

// Run tells until ctx ends, first what an earlier run of the program could not.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.dropOthers(ctx); err != nil && ctx.Err() == nil {
		n.cfg.Log.Error("notices of a way that is not configured any more are kept", "error", err)
	}
	var telling sync.WaitGroup
	for _, w := range n.ways {
		telling.Go(func() { n.each(ctx, w) })
	}
	telling.Wait()
	return nil
}

// dropOthers forgets what was to be told by ways that are not configured.
func (n *Notifier) dropOthers(ctx context.Context) error {
	for name, there := range map[storage.NoticeWay]bool{storage.NoticeByWebhook: n.cfg.Webhook != nil, storage.NoticeByMail: n.cfg.Mail != nil} {
		if there {
			continue
		}
		if err := n.cfg.Store.DropNotices(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// each tells by one way, batch by batch; what comes while one is being told, or tried again, waits and goes together.
func (n *Notifier) each(ctx context.Context, w *way) {
	for tries := 0; ; {
		if !n.awaitMine(ctx) {
			return
		}
		left, err := n.round(ctx, w, tries+1)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait := waits[min(tries, len(waits)-1)]
			tries++
			n.cfg.Log.Warn("a notice could not be told; trying again", "by", w.name, "in", wait, "error", err)
			if !pause(ctx, wait) {
				return
			}
			continue
		case left:
			tries = 0
			continue
		}
		tries = 0
		if !n.await(ctx, w) {
			return
		}
	}
}

// await waits until there may be something to tell; it is false when ctx has ended.
func (n *Notifier) await(ctx context.Context, w *way) bool {
	if n.cfg.Mine != nil {
		return pause(ctx, gather) // other nodes store notices too, and wake nobody
	}
	select {
	case <-ctx.Done():
		return false
	case <-w.wake:
		return pause(ctx, gather)
	}
}

// awaitMine waits until it is this node that tells; it is false when ctx has ended.
func (n *Notifier) awaitMine(ctx context.Context) bool {
	for n.cfg.Mine != nil && !n.cfg.Mine() {
		if !pause(ctx, gather) {
			return false
		}
	}
	return ctx.Err() == nil
}

// round tells what is stored, the oldest first; left says that there may be more.
func (n *Notifier) round(ctx context.Context, w *way, try int) (left bool, err error) {
	stored, err := n.cfg.Store.Notices(ctx, w.name, w.most)
	if err != nil || len(stored) == 0 {
		return false, err
	}
	notices, done := n.read(w, stored)
	var failed error
	if len(notices) > 0 {
		var told int
		told, failed = n.tell(ctx, w, notices, try)
		for i := range told {
			done = append(done, notices[i].ID)
		}
	}
	if len(done) > 0 { // also when ctx has ended: it was told
		if err := n.cfg.Store.EndNotices(context.WithoutCancel(ctx), w.name, done...); err != nil {
			return false, err
		}
	}
	return len(stored) == w.most, failed
}

// tell tells while no other node may.
func (n *Notifier) tell(ctx context.Context, w *way, notices []Notice, try int) (told int, err error) {
	if n.cfg.Flight != nil {
		flight, land := n.cfg.Flight(ctx)
		defer land()
		ctx = flight
	}
	return w.tell(ctx, notices, try)
}

// read gives the notices that are still worth telling, and the ids of the others.
func (n *Notifier) read(w *way, stored []storage.Notice) (notices []Notice, done []string) {
	for i := range stored {
		s := &stored[i]
		made := Notice{ID: s.ID}
		err := json.Unmarshal(s.Text, &made.EndpointChange)
		if err == nil && time.Since(s.At) > maxAge {
			err = fmt.Errorf("nobody took it for %s", maxAge)
		}
		if err != nil {
			n.cfg.Log.Error("a notice is given up", "by", w.name, "id", s.ID, "endpoint", made.Endpoint, "error", err)
			done = append(done, s.ID)
			continue
		}
		made.Type = typeOf(&made.EndpointChange)
		notices = append(notices, made)
	}
	return notices, done
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
