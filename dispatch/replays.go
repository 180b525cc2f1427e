package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/letterhook/letterhook/storage"
)

const (
	// replayEvery is the pause between two steps of a replay.
	replayEvery = 50 * time.Millisecond
	// replayWindow is how many deliveries of all replays to a lane may wait for their first attempt, for each attempt that the lane may
	// have in flight; leastWindow and mostWindow bound it. More are made only as these are attempted, so that mail which comes
	// meanwhile stands behind few of them, and a lane that does not move is not filled.
	replayWindow = 16
	leastWindow  = 64
	mostWindow   = 512
	// orderedWindow is the window at an endpoint in strict order, where new mail waits for all that stands before it.
	orderedWindow = 16
	// replayStep is how many deliveries one transaction makes: mail waits for it.
	replayStep = 256
	// replayPrefix is how the id of a replay begins, which stands in the place of an endpoint's where it has a URL of its own.
	replayPrefix = "rpl_"
)

// replays are the replays of the store that need work or have a URL of their own.
type replays struct {
	mu      sync.Mutex
	active  []*storage.Replay
	known   map[string]*storage.Replay // those with a URL
	targets map[string]target
	look    chan struct{} // capacity 1
}

// target is the endpoint of a replay with a URL, made of one that is declared.
type target struct {
	like, made *storage.Endpoint
}

func newReplays() *replays {
	return &replays{known: map[string]*storage.Replay{}, targets: map[string]target{}, look: make(chan struct{}, 1)}
}

// read looks at the store for replays that need work.
func (r *replays) read(ctx context.Context, store *storage.Store) error {
	open, err := store.OpenReplays(ctx)
	if err == nil {
		r.set(open, nil)
	}
	return err
}

// set takes the replays that are open, and those of the others whose URL somebody is still owed something at; nil: those that are
// known.
func (r *replays) set(open []*storage.Replay, others map[string]*storage.Replay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := others
	if known == nil {
		known = maps.Clone(r.known)
	}
	r.active = nil
	for _, job := range open {
		if job.State == storage.ReplayRunning || job.State == storage.ReplayCancelling {
			r.active = append(r.active, job)
		}
		if job.Spec.URL != "" {
			known[job.ID] = job
		}
	}
	r.known = known
	maps.DeleteFunc(r.targets, func(id string, _ target) bool { return r.known[id] == nil })
	if len(r.active) > 0 {
		select {
		case r.look <- struct{}{}:
		default: // it is going to look anyway
		}
	}
}

// atURLs gives the replays whose own lanes have something in the store.
func (r *replays) atURLs(ctx context.Context, store *storage.Store, heads []storage.LaneHead) (map[string]*storage.Replay, error) {
	found := map[string]*storage.Replay{}
	for _, h := range heads {
		if !strings.HasPrefix(h.Endpoint, replayPrefix) {
			continue
		}
		job, err := store.Replay(ctx, h.Endpoint)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			found[job.ID] = job
		}
	}
	return found, nil
}

// take gives the replays that need work, the oldest first.
func (r *replays) take() []*storage.Replay {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*storage.Replay, 0, len(r.active))
	for _, found := range slices.Backward(r.active) {
		job := *found // it changes as it is worked at
		list = append(list, &job)
	}
	return list
}

// endpoint is the one of a replay with a URL of its own: as the endpoint whose deliveries it replays, without what
// proves to that one who we are, which is for nobody else: header fields, passwords, tokens, certificates. The same declaration gives the same endpoint.
func (r *replays) endpoint(id string, directory *storage.Directory) *storage.Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	job := r.known[id]
	if job == nil {
		return nil
	}
	like := directory.Endpoints[job.Spec.Endpoint]
	if like == nil || like.Disabled {
		return nil
	}
	if t := r.targets[id]; t.like == like {
		return t.made
	}
	made := *like
	made.ID, made.Name, made.URL, made.Headers = id, like.Name+" (replay)", job.Spec.URL, nil
	made.Access = storage.Access{Authorities: like.Access.Authorities, Proxy: like.Access.Proxy}
	r.targets[id] = target{like, &made}
	return &made
}

// signer is the endpoint whose secrets sign for an id: its own, or, for a replay with a URL of its own, that whose deliveries it
// replays.
func (r *replays) signer(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if job := r.known[id]; job != nil {
		return job.Spec.Endpoint
	}
	return id
}

// endpoint finds a declared endpoint, or that of a replay; nil: there is none.
func (d *Dispatcher) endpoint(id string) *storage.Endpoint {
	directory := d.cfg.Directory()
	if strings.HasPrefix(id, replayPrefix) {
		return d.replays.endpoint(id, directory)
	}
	return directory.Endpoints[id]
}

// replay works at replays until ctx ends. Whatever it had not come to, the next run goes on with.
func (d *Dispatcher) replay(ctx context.Context) {
	ticker := time.NewTicker(replayEvery)
	defer ticker.Stop()
	shares := map[string]*allotment{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.replays.look:
		}
		for d.replayRound(ctx, shares) {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}
}

// replayRound makes a step of every replay. It is false when there is none.
func (d *Dispatcher) replayRound(ctx context.Context, shares map[string]*allotment) bool {
	if !d.Housekeeps() {
		return false
	}
	jobs := d.replays.take()
	maps.DeleteFunc(shares, func(id string, _ *allotment) bool {
		for _, job := range jobs {
			if job.ID == id {
				return false
			}
		}
		return true
	})
	beside := map[string]int{} // replays to a lane
	for _, job := range jobs {
		beside[job.Target()]++
	}
	for _, job := range jobs {
		if shares[job.ID] == nil {
			shares[job.ID] = &allotment{}
		}
		if err := giveWay(ctx, d.cfg.Store.AcceptsPress); err != nil {
			return true
		}
		if err := d.workAt(ctx, job, shares[job.ID], beside[job.Target()]); err != nil && ctx.Err() == nil {
			d.log.Error("a step of a replay failed; trying again", "replay", job.ID, "error", err)
			shares[job.ID].rest(time.Now())
		}
	}
	if len(jobs) == 0 {
		return false
	}
	if err := d.replays.read(ctx, d.cfg.Store); err != nil && ctx.Err() == nil {
		d.log.Error("the replays could not be read; trying again", "error", err)
	}
	return true
}

// workAt makes a step of a replay, which is one of so many to its lane.
func (d *Dispatcher) workAt(ctx context.Context, job *storage.Replay, share *allotment, beside int) error {
	now := time.Now()
	if now.Before(share.restUntil) {
		return nil
	}
	if job.State == storage.ReplayCancelling {
		d.board.drop(job.ID, now)
		err := d.cfg.Store.StepCancel(ctx, job, func(delivery string) bool { return d.board.holds(job.Target(), delivery) })
		if err == nil && job.State == storage.ReplayCancelled {
			d.log.Info("replay cancelled", "replay", job.ID)
		}
		return err
	}
	lane := job.Target()
	ep := d.endpoint(lane)
	if ep == nil || ep.Disabled || d.board.isStopped(lane) {
		return nil // what it would make would only wait, and grow old
	}
	waiting, err := d.cfg.Store.ReplayBacklog(ctx, job.ID)
	if err != nil {
		return err
	}
	room := share.take(job.Spec.Rate, min(d.window(lane, ep)/beside-waiting, replayStep), now)
	if room <= 0 {
		return nil
	}
	made, err := d.cfg.Store.StepReplay(ctx, job, ep, d.cfg.Directory(), room)
	if err != nil {
		return err
	}
	share.spend(made)
	if made > 0 {
		d.metrics.replayed.Add(float64(made))
		d.board.stored(lane, time.Now())
	}
	if job.State == storage.ReplayMade {
		d.log.Info("replay made", "replay", job.ID, "endpoint", lane, "made", job.Made, "owed", job.Owed, "gone", job.Gone)
	}
	return nil
}

// window is how many deliveries of replays may wait for their first attempt at an endpoint now.
func (d *Dispatcher) window(lane string, ep *storage.Endpoint) int {
	if ep.Ordered {
		return orderedWindow
	}
	return min(max(replayWindow*d.Status(lane).Concurrency, leastWindow), mostWindow)
}

// allotment is what the rate of a replay lets it make. It lives in memory: a restart begins with nothing saved up.
type allotment struct {
	saved     float64
	since     time.Time
	restUntil time.Time
}

// take gives how many of most may be made now.
func (a *allotment) take(rate float64, most int, now time.Time) int {
	if rate <= 0 {
		a.saved = float64(most)
		return most
	}
	if a.since.IsZero() {
		a.saved, a.since = 1, now
	}
	a.saved = min(a.saved+rate*now.Sub(a.since).Seconds(), max(rate, 1))
	a.since = now
	return min(most, int(a.saved))
}

func (a *allotment) spend(n int) { a.saved -= float64(n) }

// rest keeps a replay in trouble from being tried again at once.
func (a *allotment) rest(now time.Time) { a.restUntil = now.Add(troublePause) }
