package dispatch

import (
	"slices"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/lease"
)

// warmFor is how long a node keeps a lane in which nothing is left to do.
const warmFor = 30 * time.Second

// shared makes the board one of several: it works only at lanes that it is told to own, while may says so.
func (b *board) share(may func(time.Time) bool) {
	b.shared, b.may = true, may
	b.wants, b.claims, b.asides = map[string]struct{}{}, map[string]struct{}{}, map[string]*bucket{}
}

// mine gives the lane of the endpoint if the node owns it, and otherwise has its owner told that there is work, or the lane taken.
func (b *board) mine(endpoint string) *lane {
	if !b.shared {
		return b.lane(endpoint)
	}
	if l := b.lanes[endpoint]; l != nil && !l.leaving {
		return l
	}
	b.wants[endpoint] = struct{}{}
	b.signalWant()
	return nil
}

func (b *board) signalWant() {
	select {
	case b.want <- struct{}{}:
	default: // it is going to look anyway
	}
}

// owns says whether the node owns the lane of the endpoint. One that does not is going to, if nobody else does.
func (b *board) owns(endpoint string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mine(endpoint) != nil
}

// wishes gives what the node wants of lanes, and forgets it.
func (b *board) wishes() (wake, claim []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for endpoint := range b.wants {
		wake = append(wake, endpoint)
	}
	for endpoint := range b.claims {
		if len(claim) == maxClaims {
			break
		}
		claim = append(claim, endpoint)
		delete(b.claims, endpoint)
	}
	clear(b.wants)
	slices.Sort(wake)
	slices.Sort(claim)
	return wake, claim
}

// maxClaims is how many lanes that nobody seems to own a node asks for at once.
const maxClaims = 1024

// wishAgain takes back what nobody has heard.
func (b *board) wishAgain(wake, claim []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, endpoint := range wake {
		b.wants[endpoint] = struct{}{}
	}
	for _, endpoint := range claim {
		b.claims[endpoint] = struct{}{}
	}
}

// unknown gives those of the lanes that the board does not have yet.
func (b *board) unknown(endpoints []string) (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, endpoint := range endpoints {
		if b.lanes[endpoint] == nil {
			list = append(list, endpoint)
		}
	}
	return list
}

// begin says that the node has a lease now, or has it still.
func (b *board) begin(epoch int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch = epoch
}

// own takes lanes that the node owns under an epoch and that may have work. lives are the endpoints of which something is known, as
// the owners before have left them. It is false, and takes none, when that lease is over: the answer of the ledger was overtaken.
func (b *board) own(epoch int64, endpoints []string, lives map[string]storage.EndpointLife, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.epoch != epoch {
		return false
	}
	for _, endpoint := range endpoints {
		l := b.lanes[endpoint]
		if l == nil {
			known := b.life(endpoint)
			known.EndpointLife, known.straight = newLife(endpoint).EndpointLife, 0
			if stands, ok := lives[endpoint]; ok {
				known.EndpointLife = stands
			}
			l = b.lane(endpoint)
			l.epoch = epoch
		}
		if l.leaving && !b.leaving && !l.given {
			l.leaving = false // it was let go of because it had nothing to do
		}
		l.idleSince = time.Time{}
		l.straggles(now)
		b.review(l, now)
	}
	b.signal()
	return true
}

// leave chooses lanes to let go of, those with the least to do first.
func (b *board) leave(count int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*lane
	for _, l := range b.lanes {
		if !l.leaving {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(x, y *lane) int { return len(x.held) - len(y.held) })
	for _, l := range list[:min(count, len(list))] {
		b.giveAway(l, now)
	}
}

// leaveAll lets go of every lane, and of those to come.
func (b *board) leaveAll(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaving = true
	for _, l := range b.lanes {
		b.giveAway(l, now)
	}
	b.signalWant()
}

func (b *board) keepHouse(keeps bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keepsHouse = keeps
}

func (b *board) isLeaving() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leaving
}

func (b *board) giveAway(l *lane, now time.Time) {
	l.leaving, l.given = true, true
	b.shed(l, now)
	b.review(l, now)
}

// releasable gives the lanes that may be another's from now on: nothing of them is in flight, and all that was is recorded. Of
// those in idle no work is known.
func (b *board) releasable(now time.Time) (given, idle []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for endpoint, l := range b.lanes {
		if !l.leaving && !l.idleSince.IsZero() && now.Sub(l.idleSince) >= warmFor {
			l.leaving = true
		}
		switch {
		case !l.leaving || l.inFlight+l.recording > 0:
		case l.given:
			given = append(given, endpoint)
		default:
			idle = append(idle, endpoint)
		}
		if len(given)+len(idle) == maxClaims {
			break
		}
	}
	slices.Sort(given)
	slices.Sort(idle)
	return given, idle
}

// released forgets lanes that were the node's under an epoch and are no more.
func (b *board) released(epoch int64, endpoints []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, endpoint := range endpoints {
		if l := b.lanes[endpoint]; l != nil && l.epoch == epoch {
			b.orphan(l)
		}
	}
}

// disown forgets all lanes: the lease is over. What is in flight or being recorded ends as it ends.
func (b *board) disown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		b.orphan(l)
	}
	b.dirty, b.epoch = nil, 0
	b.signal()
}

// orphan forgets a lane. Jobs that still point to it find that it does nothing any more.
func (b *board) orphan(l *lane) {
	for _, list := range [][]*job{l.stored.all(), l.fresh.all()} {
		for _, j := range list {
			b.letGoLocked(j)
		}
	}
	for i := range l.putOff {
		for _, p := range l.putOff[i].all() {
			b.letGoLocked(p.job)
		}
		l.putOff[i].clear()
	}
	l.stored.clear()
	l.fresh.clear()
	l.orphan, l.leaving, l.freshBytes = true, true, 0
	b.timers.set(l, time.Time{})
	delete(b.lanes, l.endpoint)
	if known := b.lives[l.endpoint]; known != nil {
		b.dirty = slices.DeleteFunc(b.dirty, func(other *life) bool { return other == known })
		known.unsaved = false
		if !known.known() {
			delete(b.lives, l.endpoint)
		}
	}
}

// passedOn says that the record of an attempt was refused because its lane is another's.
func (b *board) passedOn(j *job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unrecorded--
	j.lane.recording--
	if !j.lane.orphan {
		b.orphan(j.lane)
	}
	b.signal()
}

// owned is how many lanes the node owns.
func (b *board) owned() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.lanes)
}

// settled says that no attempt is in flight or being recorded.
func (b *board) settled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inFlight+b.unrecorded == 0
}

// standing is what a renewal says of the share of this node.
func (b *board) standing(s *lease.Standing, now time.Time) {
	b.mu.Lock()
	b.nodes = s.Nodes
	b.mu.Unlock()
	if n := s.Surplus(); n > 0 {
		b.leave(n, now)
	}
}
