// Package leasetest has the database's side of the leases in memory: a model to test nodes and statements against.
package leasetest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/letterhook/letterhook/storage/lease"
)

// ErrLost says that the epoch has no lease any more.
var ErrLost = errors.New("leasetest: the lease is lost")

// Book is what the database knows of nodes and lanes. Each method is one transaction. It is not safe for concurrent use.
type Book struct {
	Now   func() time.Time // the database's clock
	Nodes map[int64]time.Time
	Lanes map[string]*Lane
	last  int64
	begun map[int64]string // where each lease was begun
}

// Lane is the row of a lane.
type Lane struct {
	Owner  int64 // 0: it is free
	Woken  bool
	WakeAt time.Time
}

// NewBook returns an empty book.
func NewBook(now func() time.Time) *Book {
	return &Book{Now: now, Nodes: map[int64]time.Time{}, Lanes: map[string]*Lane{}, begun: map[int64]string{}}
}

// Renew renews a lease, or begins one when epoch is 0. Only who has had a valid lease until now buries others: after an outage
// of the database everybody's has run out, and all come back.
func (b *Book) Renew(epoch int64) (lease.Standing, error) {
	now := b.Now()
	until, ok := b.Nodes[epoch]
	switch {
	case epoch == 0:
		b.last++
		epoch = b.last
	case !ok:
		return lease.Standing{}, ErrLost
	}
	b.Nodes[epoch] = now.Add(lease.TTL)
	s := lease.Standing{Epoch: epoch}
	if ok && !until.Before(now) {
		s.Buried = b.bury(now)
	}
	s.Nodes = len(b.Nodes)
	for _, l := range b.Lanes {
		s.Lanes++
		if l.Owner == epoch {
			s.Mine++
		}
	}
	return s, nil
}

// Begin begins a lease at a place, as Renew does without one, and ends those from there, whose processes are no more: two at one place
// never run at once. Empty is no place.
func (b *Book) Begin(place string) lease.Standing {
	ended := 0
	for epoch := range b.Nodes {
		if place != "" && b.begun[epoch] == place {
			b.leave(epoch, b.Now())
			ended++
		}
	}
	s, _ := b.Renew(0) // refuses no begin
	s.Buried = ended
	b.begun[s.Epoch] = place
	return s
}

func (b *Book) bury(now time.Time) (n int) {
	for epoch, until := range b.Nodes {
		if until.Add(lease.Grace).Before(now) {
			b.leave(epoch, now)
			n++
		}
	}
	return n
}

func (b *Book) leave(epoch int64, now time.Time) {
	delete(b.Nodes, epoch)
	for _, l := range b.Lanes {
		if l.Owner == epoch {
			*l = Lane{Woken: true, WakeAt: now}
		}
	}
}

// Leave ends a lease and makes its lanes free at once.
func (b *Book) Leave(epoch int64) { b.leave(epoch, b.Now()) }

// Wake tells the owners of lanes that they have got work. One that nobody owns waits for somebody to take it.
func (b *Book) Wake(names []string) {
	for _, name := range names {
		if l := b.Lanes[name]; l == nil {
			b.Lanes[name] = &Lane{Woken: true, WakeAt: b.Now()}
		} else if !l.Woken {
			l.Woken, l.WakeAt = true, b.Now()
		}
	}
}

// Turn does what a node wishes, and gives the lanes that are its own and may have work, in order of their names: those that it
// has just got, and those that were woken.
func (b *Book) Turn(epoch int64, w lease.Wishes) (mine []string, err error) {
	if _, ok := b.Nodes[epoch]; !ok {
		return nil, ErrLost
	}
	now := b.Now()
	for _, name := range w.Wake {
		l := b.Lanes[name]
		switch {
		case l == nil, l.Owner == 0:
			b.Lanes[name] = &Lane{Owner: epoch, Woken: true, WakeAt: now}
		case !l.Woken:
			l.Woken, l.WakeAt = true, now
		}
	}
	for _, name := range w.Claim {
		if l := b.Lanes[name]; l == nil || l.Owner == 0 || l.Owner == epoch {
			b.Lanes[name] = &Lane{Owner: epoch, Woken: true, WakeAt: now}
		}
	}
	free := slices.SortedFunc(maps.Keys(b.Lanes), func(x, y string) int {
		return cmp.Or(b.Lanes[x].WakeAt.Compare(b.Lanes[y].WakeAt), cmp.Compare(x, y))
	})
	for _, name := range free {
		if l := b.Lanes[name]; l.Owner == 0 && w.Take > 0 && !l.WakeAt.After(now.Add(-w.Spare)) {
			l.Owner = epoch
			w.Take--
		}
	}
	for name, l := range b.Lanes {
		if l.Owner == epoch && (l.Woken || w.All) {
			l.Woken, l.WakeAt = false, time.Time{}
			mine = append(mine, name)
		}
	}
	slices.Sort(mine)
	return mine, nil
}

// Release makes lanes free, for others to take. A lane of which the node knows no work, idle, is forgotten, unless it has been woken
// meanwhile: then it stays. It gives the lanes that are the node's no more.
func (b *Book) Release(epoch int64, names []string, idle bool) (released []string) {
	for _, name := range names {
		l := b.Lanes[name]
		switch {
		case l == nil || l.Owner != epoch: // an answer was lost
		case idle && l.Woken:
			continue
		case idle:
			delete(b.Lanes, name)
		default:
			*l = Lane{Woken: true, WakeAt: b.Now()}
		}
		released = append(released, name)
	}
	return released
}

// Holds is the fence: whether what was done under the epoch for a lane may be recorded.
func (b *Book) Holds(epoch int64, name string) bool {
	_, alive := b.Nodes[epoch]
	l := b.Lanes[name]
	return alive && l != nil && l.Owner == epoch
}
