package dispatch

import (
	"time"

	"github.com/letterhook/letterhook/storage"
)

// life finds the life of the endpoint or begins it.
func (b *board) life(endpoint string) *life {
	l := b.lives[endpoint]
	if l == nil {
		l = newLife(endpoint)
		l.declared = b.look(endpoint).declared
		b.lives[endpoint] = l
	}
	return l
}

// isStopped says whether the endpoint is paused or disabled, so that no attempts are made.
func (b *board) isStopped(endpoint string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lives[endpoint]
	return l != nil && !l.runs()
}

// note keeps changes until somebody is told, and has the life saved, at once if that is urgent.
func (b *board) note(l *life, changes []EndpointChange, urgent bool) {
	b.changes = append(b.changes, changes...)
	if !l.unsaved {
		l.unsaved = true
		b.dirty = append(b.dirty, l)
	}
	if urgent {
		b.signalSave()
	}
}

func (b *board) signalSave() {
	select {
	case b.save <- struct{}{}:
	default: // it is going to look anyway
	}
}

// unsaved gives what is to be saved and told, and forgets that.
func (b *board) unsaved() (lives []storage.EndpointLife, changes []EndpointChange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.dirty {
		l.unsaved = false
		saved := l.EndpointLife
		if lane := b.lanes[l.Endpoint]; lane != nil {
			saved.Epoch = lane.epoch
		}
		lives = append(lives, saved)
		if b.lanes[l.Endpoint] == nil && !l.known() {
			delete(b.lives, l.Endpoint)
		}
	}
	changes, b.dirty, b.changes = b.changes, nil, nil
	return lives, changes
}

// saveAgain takes back what could not be saved.
func (b *board) saveAgain(lives []storage.EndpointLife, changes []EndpointChange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range lives {
		if b.shared && b.lanes[lives[i].Endpoint] == nil {
			continue // its lane has gone to another node meanwhile
		}
		b.note(b.life(lives[i].Endpoint), nil, true)
	}
	b.changes = append(changes, b.changes...)
}

// adopt takes lives as they stand in the store: all of them at the start, later those that the operator has changed.
func (b *board) adopt(lives []storage.EndpointLife, start bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, stands := range lives {
		l := b.life(stands.Endpoint)
		if !start && stands.Revision <= l.Revision {
			if b.shared && b.lanes[stands.Endpoint] == nil {
				l.EndpointLife = stands // as its owner has left it
			}
			continue
		}
		before := l.State
		l.EndpointLife, l.straight = stands, 0
		if start {
			if l.State == storage.EndpointBroken && !b.shared {
				l.RestUntil = time.Time{} // it may have been mended meanwhile
			}
			continue
		}
		if before != l.State && (!b.shared || b.keepsHouse) {
			b.changes = append(b.changes, EndpointChange{Endpoint: l.Endpoint, From: before, To: l.State, Reason: l.Reason, At: now})
			b.signalSave()
		}
		b.settle(l, now)
	}
	b.signal()
}

// meet compares an endpoint with its declaration as it is now.
func (b *board) meet(l *life, now time.Time) {
	t := b.look(l.Endpoint)
	before := l.declared
	if before == t.declared {
		return
	}
	l.declared = t.declared
	if lane := b.lanes[l.Endpoint]; lane != nil {
		lane.terms = t
		lane.pace.bound(t.concurrency)
		lane.bucket.every, lane.bucket.burst = t.every, t.burst
		if !t.ordered {
			b.unhold(lane)
		}
	}
	if b.shared && b.lanes[l.Endpoint] == nil && !b.keepsHouse {
		return // its owner's, or that of the house
	}
	if before != nil && t.declared != nil && !sameTarget(before, t.declared) {
		if to := next(l.State, reconfigured); to != l.State {
			b.note(l, []EndpointChange{l.enter(to, "its configuration has changed", now)}, true)
		} else {
			l.Probes, l.straight = 0, 0
		}
	}
	b.settle(l, now)
}

// settle has a lane go on, or not, after its life or its terms have changed.
func (b *board) settle(l *life, now time.Time) {
	lane := b.lanes[l.Endpoint]
	if lane == nil {
		return
	}
	if !lane.open() || lane.terms.ordered {
		b.shed(lane, now)
	}
	b.review(lane, now)
}

// tested takes the result of a test event: a good one proves that the endpoint is back.
func (b *board) tested(endpoint string, r *Result, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.Outcome != OutcomeDelivered || r.Disable {
		return
	}
	l := b.life(endpoint)
	if to := next(l.State, testedWell); to != l.State {
		b.note(l, []EndpointChange{l.enter(to, "a test event was delivered", now)}, true)
	} else if l.runs() {
		changes, _ := l.succeeded(now)
		b.note(l, changes, true)
	}
	b.settle(l, now)
	b.signal()
}
