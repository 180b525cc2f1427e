package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/lease"
)

// Ledger is where the nodes that share a store agree whose each lane is. [storage.Store] is one; tests put faults before it. Each
// method is one transaction, so after an error nothing has happened, or all of it. An error that Is [storage.ErrLost] says that
// the epoch's lease is over.
type Ledger interface {
	// RenewNode renews a lease, or begins one under a new epoch when epoch is 0.
	RenewNode(ctx context.Context, epoch int64, name string) (lease.Standing, error)
	// LeaveNode ends a lease and makes its lanes free at once.
	LeaveNode(ctx context.Context, epoch int64) error
	// TurnLanes does what the node wishes, and gives the lanes of its own that may have work.
	TurnLanes(ctx context.Context, epoch int64, w lease.Wishes) ([]string, error)
	// ReleaseLanes makes lanes free; idle ones are forgotten unless they were woken meanwhile. It gives those that the node owns no more.
	ReleaseLanes(ctx context.Context, epoch int64, lanes []string, idle bool) ([]string, error)
	// WakeLanes tells the owners of lanes that they have got work, on behalf of a node without a lease.
	WakeLanes(ctx context.Context, lanes []string) error
}

const (
	// houseLane is the lane of what one node at a time does for all: its owner sweeps, and works at replays.
	houseLane = "house"
	// wakePause is the least time between two turns: mails that come meanwhile wake their lanes together.
	wakePause = 20 * time.Millisecond
	// takeAtOnce is how many lanes a node that has its share takes in one turn, where nobody else does.
	takeAtOnce = 64
	// spareFor is how long a lane must have been free before a node takes it that has its share.
	spareFor = 500 * time.Millisecond
	// askTimeout is how long an answer of the ledger is waited for.
	askTimeout = 5 * time.Second
)

// tenant keeps the lease of the node, cuts attempts when it may have run out, and has the board own what the ledger says.
type tenant struct {
	ledger Ledger
	name   string
	board  *board
	log    *slog.Logger
	lives  func(context.Context, []string) ([]storage.EndpointLife, error)
	save   func(context.Context) bool // what the board has learnt of endpoints
	taken  func(lanes []string)       // they were not the node's before

	term  atomic.Pointer[lease.Term]
	stand atomic.Pointer[lease.Standing]
	house atomic.Bool // the node owns the house lane
	// What follows up to late is the turn's alone.
	resync     bool        // an answer may have been lost
	failing    bool        // the last turn failed, which is said once until one does not
	houseAsked time.Time   // when the house lane was claimed last
	claims     bool        // claims had the last turn
	late       atomic.Bool // the lease may have run out, and everything in flight was cut

	mu      sync.Mutex
	flights map[*context.CancelFunc]struct{}
}

func newTenant(ledger Ledger, name string, b *board, log *slog.Logger) *tenant {
	t := &tenant{ledger: ledger, name: name, board: b, log: log, flights: map[*context.CancelFunc]struct{}{}}
	t.term.Store(&lease.Term{})
	t.stand.Store(&lease.Standing{})
	b.share(t.mayBegin)
	return t
}

// mayBegin says whether an attempt may begin.
func (t *tenant) mayBegin(now time.Time) bool { return t.term.Load().MayBegin(now) }

// mayWrite says whether octets of attempts may leave. It is asked before each write.
func (t *tenant) mayWrite() bool { return t.term.Load().MayWrite(time.Now()) }

// fly gives an attempt a context that ends when the lease may be over.
func (t *tenant) fly(ctx context.Context) (flight context.Context, land func()) {
	flight, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flights[&cancel] = struct{}{}
	return flight, func() {
		cancel()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.flights, &cancel)
	}
}

// cut ends every attempt that is in flight.
func (t *tenant) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for cancel := range t.flights {
		(*cancel)()
	}
}

// keep renews the lease until ctx ends.
func (t *tenant) keep(ctx context.Context) {
	ticker := time.NewTicker(lease.RenewEvery)
	defer ticker.Stop()
	watch := time.NewTimer(0)
	defer watch.Stop()
	for {
		answer := make(chan struct{})
		go func() {
			defer close(answer)
			t.renew(ctx)
		}()
		for waiting := true; waiting; {
			watch.Reset(max(time.Until(t.term.Load().CutAt()), 0))
			if t.late.Load() || t.term.Load().Epoch() == 0 {
				watch.Stop()
			}
			select {
			case <-answer:
				waiting = false
			case <-watch.C:
				t.cutIfLate()
			}
		}
		t.cutIfLate()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// cutIfLate stops what the lease does not cover any more.
func (t *tenant) cutIfLate() {
	term := t.term.Load()
	if term.Epoch() == 0 || term.MayWrite(time.Now()) || t.late.Swap(true) {
		return
	}
	t.log.Error("the database cannot be asked to renew the lease of this node: no attempt is made until it can")
	t.cut()
}

func (t *tenant) renew(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	term, asked := *t.term.Load(), time.Now()
	s, err := t.ledger.RenewNode(asking, term.Epoch(), t.name)
	switch {
	case errors.Is(err, storage.ErrLost):
		t.lose(ctx)
		return
	case err != nil:
		if ctx.Err() == nil {
			t.log.Warn("the lease of this node could not be renewed; trying again", "error", err)
		}
		return
	}
	if term.Epoch() != s.Epoch {
		t.log.Info("this node has a lease", "epoch", s.Epoch, "nodes", s.Nodes)
	}
	if s.Buried > 0 {
		t.log.Warn("nodes have died; their lanes are free", "nodes", s.Buried)
	}
	term.Granted(s.Epoch, asked)
	t.board.begin(s.Epoch)
	t.term.Store(&term)
	t.stand.Store(&s)
	if t.late.Swap(false) {
		t.log.Info("the lease of this node is renewed; attempts are made again")
	}
	t.board.standing(&s, time.Now())
	t.board.signal()
	t.board.signalWant()
}

// lose forgets all lanes. A new lease is asked for when everything from the old one has ended, so that it meets nothing of it.
func (t *tenant) lose(ctx context.Context) {
	t.log.Warn("the lease of this node is over; its lanes are other nodes' now", "epoch", t.term.Load().Epoch())
	t.term.Store(&lease.Term{})
	t.house.Store(false)
	t.board.keepHouse(false)
	t.late.Store(false)
	t.cut()
	t.board.disown()
	ticker := time.NewTicker(wakePause)
	defer ticker.Stop()
	for !t.board.settled() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// turns looks at the lanes until ctx ends: which have got work, which are free, which are to go. Nobody else asks: what is answered before
// a release must not be heard after it.
func (t *tenant) turns(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		wait := lease.TurnEvery
		if t.turn(ctx) {
			wait = wakePause // there may be more
		}
		pause.Reset(wakePause)
		select { // what comes meanwhile comes together
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		pause.Reset(max(wait-wakePause, 0))
		select {
		case <-ctx.Done():
			return
		case <-t.board.want:
		case <-pause.C:
		}
	}
}

// turn is one look. more says that there is more to do at once.
func (t *tenant) turn(ctx context.Context) (more bool) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	epoch := t.term.Load().Epoch()
	wake, claim := t.board.wishes()
	if epoch == 0 || t.board.isLeaving() {
		t.wake(asking, wake)
		if epoch == 0 {
			t.board.wishAgain(nil, claim) // there will be a lease in a moment
		} else {
			t.release(asking, epoch)
		}
		return false
	}
	stand, owned := t.stand.Load(), t.board.owned()
	w := lease.Wishes{Wake: wake, Claim: claim, Take: stand.Room(owned), All: t.resync}
	if len(wake)+len(claim) > stand.Reach(owned) { // those of them that are free are rather another's
		t.wake(asking, append(slices.Clone(wake), claim...))
		w.Wake, w.Claim = nil, nil
	}
	if w.Take == 0 {
		w.Take, w.Spare = takeAtOnce, spareFor
	}
	more = t.takeTurns(&w)
	wake, claim = w.Wake, w.Claim
	if now := time.Now(); !t.house.Load() && now.Sub(t.houseAsked) >= lease.RenewEvery {
		w.Claim, t.houseAsked = append(w.Claim, houseLane), now
	}
	mine, err := t.ledger.TurnLanes(asking, epoch, w)
	if err == nil {
		err = t.own(asking, epoch, mine)
	}
	if err != nil {
		t.resync = true
		t.board.wishAgain(wake, claim)
		if ctx.Err() == nil && !t.failing && !errors.Is(err, storage.ErrLost) { // of which the renewal hears
			t.log.Warn("the lanes could not be looked at; trying again", "error", err)
		}
		t.failing = true
		return false
	}
	t.failing = false
	t.resync = t.resync && !w.All
	t.release(asking, epoch)
	return more || len(mine) > takeAtOnce || len(claim) >= maxClaims
}

// takeTurns leaves either the claims or the wakes for the next turn, where there are both: in one transaction nodes might wait for each
// other in a circle.
func (t *tenant) takeTurns(w *lease.Wishes) (more bool) {
	if len(w.Wake) == 0 || len(w.Claim) == 0 {
		return false
	}
	if t.claims = !t.claims; t.claims {
		t.board.wishAgain(w.Wake, nil)
		w.Wake = nil
	} else {
		t.board.wishAgain(nil, w.Claim)
		w.Claim = nil
	}
	return true
}

// own has the board own lanes. Of those that it did not have, what is known of their endpoints is read afresh.
func (t *tenant) own(ctx context.Context, epoch int64, lanes []string) error {
	if i := slices.Index(lanes, houseLane); i >= 0 {
		lanes = slices.Delete(lanes, i, i+1)
		if !t.house.Swap(true) {
			t.board.keepHouse(true)
			t.log.Info("this node keeps house")
			t.taken([]string{houseLane})
		}
	}
	if len(lanes) == 0 {
		return nil
	}
	known := map[string]storage.EndpointLife{}
	fresh := t.board.unknown(lanes)
	if len(fresh) > 0 {
		lives, err := t.lives(ctx, fresh)
		if err != nil {
			return err
		}
		for _, l := range lives {
			known[l.Endpoint] = l
		}
	}
	if !t.board.own(epoch, lanes, known, time.Now()) {
		return storage.ErrLost
	}
	if len(fresh) > 0 {
		t.taken(fresh)
	}
	return nil
}

// wake has others look at lanes.
func (t *tenant) wake(ctx context.Context, lanes []string) {
	if len(lanes) == 0 {
		return
	}
	if err := t.ledger.WakeLanes(ctx, lanes); err != nil {
		t.board.wishAgain(lanes, nil)
		t.log.Warn("other nodes could not be told of mail; trying again", "error", err)
	}
}

// release gives lanes away, and forgets those that have been idle. What was learnt of their endpoints is saved before.
func (t *tenant) release(ctx context.Context, epoch int64) {
	given, idle := t.board.releasable(time.Now())
	if len(given)+len(idle) == 0 || !t.save(ctx) {
		return
	}
	for _, list := range []struct {
		lanes []string
		idle  bool
	}{{given, false}, {idle, true}} {
		if len(list.lanes) == 0 {
			continue
		}
		released, err := t.ledger.ReleaseLanes(ctx, epoch, list.lanes, list.idle)
		if err != nil {
			return // they are offered again
		}
		t.board.released(epoch, released)
	}
}

// leave ends the lease in good order, when nothing is in flight any more.
func (t *tenant) leave(ctx context.Context) {
	epoch := t.term.Load().Epoch()
	t.term.Store(&lease.Term{})
	t.house.Store(false)
	t.board.keepHouse(false)
	if epoch == 0 {
		return
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := t.ledger.LeaveNode(asking, epoch); err != nil {
		t.log.Warn("the lanes of this node could not be handed over; others take them when its lease has run out", "error", err)
	}
	t.board.disown()
}
