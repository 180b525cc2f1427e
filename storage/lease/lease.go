// Package lease has the rules by which nodes that share a database agree whose each lane is. A lane is the queue of one
// endpoint, and exactly one node makes its attempts. The rules are pure: no database, no goroutine, and time is a value. The
// package leasetest has the database's side of them in memory, and storage has it in SQL.
//
// A node has a lease, which it renews, and lanes. Where a lease has run out for longer than [Grace], by the database's clock,
// the other nodes bury the node: its row goes and its lanes are free, in one transaction. A node that was buried hears so when
// it renews. What it did under its lease carries the lease's epoch, a number that is never used again, and is refused then.
//
// A node knows by its own clock when its lease may have run out, because the database can only have granted it later than the
// node had asked: see [Term].
package lease

import (
	"math"
	"time"
)

// The times of the protocol. All nodes on one database must have the same, or at least a sum of TTL and Grace that is not
// below anybody's time of the cut.
const (
	// RenewEvery is the pause between two renewals.
	RenewEvery = 2 * time.Second
	// TTL is how long a lease lasts from its last renewal.
	TTL = 8 * time.Second
	// Grace is how long a lease must have run out until the lanes go to others.
	Grace = 3 * time.Second
	// Margin is what lies between the last octet of a node that is late and the first of its successor, for clocks that do not
	// run at the same pace.
	Margin = time.Second
	// Takeover is within what time the lanes of a node that died have another owner, when one is there: the lease that it
	// may have renewed just before, the grace, and the pause until somebody looks.
	Takeover = TTL + Grace + RenewEvery
	// TurnEvery is the pause between two looks for lanes that are free or have been woken.
	TurnEvery = 250 * time.Millisecond
)

// Term is what a node knows about its own lease, by its own clock. The zero value is no lease.
type Term struct {
	epoch int64
	asked time.Time // when the renewal was asked for that was granted last
}

// Granted notes that the database has granted or renewed the lease. asked is the time before the node asked: the database's own
// time of the renewal cannot be earlier.
func (t *Term) Granted(epoch int64, asked time.Time) {
	if epoch == t.epoch && asked.Before(t.asked) {
		return // answers that overtook each other
	}
	t.epoch, t.asked = epoch, asked
}

// Lost notes that the lease is over for good.
func (t *Term) Lost() { *t = Term{} }

// Epoch is the number of the lease; 0: there is none.
func (t *Term) Epoch() int64 { return t.epoch }

// MayBegin says whether an attempt may begin: the lease has certainly not run out.
func (t *Term) MayBegin(now time.Time) bool { return t.epoch != 0 && elapsed(t.asked, now) < TTL }

// MayWrite says whether an attempt that was begun may go on. Once that is false every attempt is to be cut, for in a moment
// the lanes may be another's.
func (t *Term) MayWrite(now time.Time) bool {
	return t.epoch != 0 && elapsed(t.asked, now) < TTL+Grace-Margin
}

// Left is how long attempts may still begin unless the lease is renewed.
func (t *Term) Left(now time.Time) time.Duration {
	if t.epoch == 0 {
		return 0
	}
	return max(TTL-elapsed(t.asked, now), 0)
}

// CutAt is when MayWrite becomes false unless the lease is renewed before.
func (t *Term) CutAt() time.Time { return t.asked.Add(TTL + Grace - Margin) }

// elapsed is the time between two readings of the clock, by whichever of its two readings makes it longer: the monotonic one
// may stand still while the machine sleeps, and the other may be set.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// Standing is what a renewal tells of all nodes.
type Standing struct {
	Epoch  int64
	Nodes  int // that have a lease, this one too
	Lanes  int // that have an owner or wait for one
	Mine   int // of Lanes
	Buried int // nodes whose lanes this renewal has made free
}

// slack is how many lanes more than its share a node may always own.
const slack = 4

// Surplus is how many lanes the node should let go of: what it owns beyond its share, when that is more than a fifth. Several steps may
// be needed, so that no step stops many lanes at once.
func (s *Standing) Surplus() int {
	if s.Nodes > 1 && s.Mine > s.most() {
		return min(s.Mine-s.share(), maxAtOnce)
	}
	return 0
}

// maxAtOnce is how many lanes change hands at once.
const maxAtOnce = 256

// Room is how many free lanes a node that owns mine now may take as its share.
func (s *Standing) Room(mine int) int {
	if s.Nodes < 2 {
		return maxAtOnce
	}
	return min(max(s.share()-mine, 0), maxAtOnce)
}

// Reach is how many lanes a node that owns mine now may take when their mail comes to it. Others are rather another's.
func (s *Standing) Reach(mine int) int {
	if s.Nodes < 2 {
		return math.MaxInt
	}
	return max(s.most()-mine, 0)
}

func (s *Standing) most() int { return s.share() + s.share()/5 + slack }

func (s *Standing) share() int { return max((s.Lanes+s.Nodes-1)/s.Nodes, 1) }

// Wishes are what a node asks for in its turn.
type Wishes struct {
	// Wake has lanes whose endpoints have just got work. One that nobody owns becomes the node's own, and the owner of any other
	// is told.
	Wake []string
	// Claim has lanes with due work that the node does not know to be its own. One that nobody owns becomes its own, and so does
	// one that was its own without its knowing.
	Claim []string
	// Take is how many free lanes the node takes, longest free first.
	Take int
	// Spare is how long a lane must have been free before the node takes it.
	Spare time.Duration
	// All asks for all lanes of the node, not only those that are new or woken: an answer may have been lost.
	All bool
}
