package lease_test

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/storage/lease"
	"github.com/letterhook/letterhook/storage/lease/leasetest"
)

// event is something that happens at a time. One of a node waits while the node is paused: that is what a pause is.
type event struct {
	at   time.Time
	seq  int
	node *node // nil: of the database or of an endpoint
	do   func()
}

type events []*event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || (e[i].at.Equal(e[j].at) && e[i].seq < e[j].seq)
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(*event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// world is a database, nodes, and endpoints in strict order, in virtual time. Everything between two of them takes a time that
// rapid chooses, and may be lost.
type world struct {
	t      *rapid.T
	now    time.Time
	seq    int
	events events
	book   *leasetest.Book
	nodes  []*node
	lanes  map[string]*row
	names  []string
	down   bool // the database
	calm   bool // no more faults: only a little time passes between two steps
}

// row is a lane: its deliveries, and who is sending them.
type row struct {
	name     string
	owed     []int // in the order of acceptance; the first is the only one that may be tried
	accepted int
	got      []int // by the endpoint
	sending  map[*send]struct{}
	diedAt   time.Time // when that owner died, or fell silent for too long
}

// send is an attempt from its last look at the lease until it has been answered, cut, or its node has died.
type send struct {
	node     *node
	lane     *row
	delivery int
	wrote    bool // the request is out
	paused   bool // the node was paused since the look: this is the attempt that may be doubled
	over     bool
}

// node is a process. It knows what it was told and its own clock, and nothing else.
type node struct {
	*world
	id     int
	place  string // two at one place never run at once
	dead   bool
	cutOff bool // from the database
	until  time.Time
	term   lease.Term
	stand  lease.Standing
	mine   map[string]bool // false: it is leaving
	busy   map[string]*send
	wake   map[string]bool
	resync bool
	begins bool // a begin is being asked for: until that has an answer or is given up there is no other
	looks  bool // a turn or a release is, and so it is with these: an answer from before a release must not be heard after it
	stops  bool // gracefully
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: time.Unix(1_800_000_000, 0), lanes: map[string]*row{}}
	w.book = leasetest.NewBook(func() time.Time { return w.now })
	for i := range rapid.IntRange(1, 12).Draw(t, "lanes") {
		name := fmt.Sprintf("lane%02d", i)
		w.names = append(w.names, name)
		w.lanes[name] = &row{name: name, sending: map[*send]struct{}{}}
	}
	return w
}

func (w *world) at(after time.Duration, n *node, do func()) {
	w.seq++
	heap.Push(&w.events, &event{at: w.now.Add(after), seq: w.seq, node: n, do: do})
}

// maxLag is how long a renewal may have been under way when its node died.
const maxLag = 2500 * time.Millisecond

// lag is how long something takes.
func (w *world) lag() time.Duration {
	if w.calm {
		return 5 * time.Millisecond
	}
	return time.Duration(rapid.SampledFrom([]int{1, 1, 1, 5, 5, 50, 400, 2500}).Draw(w.t, "lag")) * time.Millisecond
}

// think is how long an endpoint takes to answer.
func (w *world) think() time.Duration {
	if w.calm {
		return 5 * time.Millisecond
	}
	return time.Duration(rapid.SampledFrom([]int{5, 50, 1000, 15000, 15000}).Draw(w.t, "think")) * time.Millisecond
}

// run lets things happen for a while.
func (w *world) run(span time.Duration) {
	end := w.now.Add(span)
	for len(w.events) > 0 && !w.events[0].at.After(end) {
		e := heap.Pop(&w.events).(*event)
		if e.at.After(w.now) {
			w.now = e.at
		}
		switch {
		case e.node != nil && e.node.dead:
		case e.node != nil && w.now.Before(e.node.until):
			e.at = e.node.until
			heap.Push(&w.events, e)
		default:
			e.do()
			w.watch()
		}
	}
	w.now = end
}

// watch checks, after every step, that a lane whose owner has died gets another in time.
func (w *world) watch() {
	for _, name := range w.names {
		l := w.lanes[name]
		owner := w.ownerOf(name)
		switch {
		case owner != nil && owner.well():
			l.diedAt = time.Time{}
		case l.diedAt.IsZero():
			l.diedAt = w.now
		}
		if b := w.book.Lanes[name]; b == nil || !w.calm {
			l.diedAt = time.Time{}
		}
		if late := w.now.Sub(l.diedAt); !l.diedAt.IsZero() && late > lease.Takeover+lease.TurnEvery+maxLag {
			w.t.Fatalf("%s has had no owner for %s", name, late)
		}
	}
}

func (w *world) ownerOf(name string) *node {
	b := w.book.Lanes[name]
	if b == nil || b.Owner == 0 {
		return nil
	}
	for _, n := range w.nodes {
		if n.term.Epoch() == b.Owner {
			return n
		}
	}
	return nil
}

func (n *node) well() bool { return !n.dead && !n.cutOff && !n.now.Before(n.until) }

// accept makes a delivery durable, at a node, which then wakes its lane.
func (n *node) accept(name string) {
	l := n.lanes[name]
	for range rapid.IntRange(1, 20).Draw(n.t, "mails") {
		l.accepted++
		l.owed = append(l.owed, l.accepted)
	}
	n.wake[name] = true
}

// ask puts a question to the database and has the node hear the answer; either may be lost on the way.
func (n *node) ask(question func() (answer func())) { n.askFor(question, func() {}) }

// askFor is ask, and calls over once there is an answer or none is waited for any more.
func (n *node) askFor(question func() (answer func()), over func()) {
	giveUp := func() {
		over()
		n.unanswered()
	}
	lost := n.cutOff || n.down
	n.at(n.lag(), nil, func() {
		if lost || n.down || n.cutOff {
			n.at(3*time.Second, n, giveUp)
			return
		}
		answer := question()
		if !n.calm && rapid.IntRange(0, 30).Draw(n.t, "lost") == 0 {
			n.at(n.lag(), n, giveUp)
			return
		}
		n.at(n.lag(), n, func() {
			over()
			answer()
		})
	})
}

func (n *node) unanswered() { n.resync, n.begins = true, false }

// askOfLanes puts one question about lanes after the other, as the one goroutine of package dispatch that does so.
func (n *node) askOfLanes(question func() (answer func())) {
	n.looks = true
	n.askFor(question, func() { n.looks = false })
}

func (n *node) renew() {
	if n.stops && len(n.mine) == 0 {
		return
	}
	n.at(lease.RenewEvery, n, n.renew)
	n.at(lease.TTL+lease.Grace-lease.Margin, n, n.cutIfLate)
	asked, epoch := n.now, n.term.Epoch()
	if epoch == 0 && n.begins {
		return
	}
	n.begins = epoch == 0
	n.ask(func() func() {
		if epoch == 0 && n.dead {
			return func() {} // a begin is not committed by itself, and locks: see package storage
		}
		var s lease.Standing
		var err error
		if epoch == 0 {
			s = n.book.Begin(n.place)
		} else {
			s, err = n.book.Renew(epoch)
		}
		return func() {
			if epoch == 0 {
				n.begins = false
			}
			if epoch != n.term.Epoch() {
				return
			}
			if err != nil {
				n.lose()
				return
			}
			n.term.Granted(s.Epoch, asked)
			n.stand = s
			n.letGo(s.Surplus())
		}
	})
}

func (n *node) cutIfLate() {
	if !n.term.MayWrite(n.now) {
		n.cut()
	}
}

func (n *node) cut() {
	for _, s := range n.busy {
		s.end()
	}
}

func (s *send) end() {
	s.over = true
	delete(s.lane.sending, s)
	delete(s.node.busy, s.lane.name)
}

// lose forgets everything: what was under way is cut, and a new lease is asked for.
func (n *node) lose() {
	n.cut()
	n.term.Lost()
	n.stand = lease.Standing{}
	clear(n.mine)
}

// turn is the node's look at its lanes.
func (n *node) turn() {
	n.at(lease.TurnEvery, n, n.turn)
	epoch := n.term.Epoch()
	if epoch == 0 || n.looks {
		return
	}
	w := lease.Wishes{Take: 4, All: n.resync}
	if n.stops {
		w.Take = 0
	}
	if n.stand.Room(len(n.mine)) == 0 {
		w.Spare = 2 * time.Second
	}
	for name := range n.wake {
		if owned, ok := n.mine[name]; !ok || !owned {
			w.Wake = append(w.Wake, name)
		}
	}
	slices.Sort(w.Wake)
	asked := w.Wake
	n.askOfLanes(func() func() {
		if n.stops {
			n.book.Wake(w.Wake)
			w.Wake = nil
		}
		mine, err := n.book.Turn(epoch, w)
		return func() {
			if epoch != n.term.Epoch() {
				return
			}
			if err != nil {
				n.lose()
				return
			}
			for _, name := range asked {
				delete(n.wake, name)
			}
			n.resync = n.resync && !w.All
			for _, name := range mine {
				if _, ok := n.mine[name]; !ok {
					n.mine[name] = true
				}
			}
			n.release()
		}
	})
}

// letGo gives lanes away, each as soon as nothing of it is under way.
func (n *node) letGo(count int) {
	for _, name := range n.names {
		if count > 0 && n.mine[name] {
			n.mine[name] = false
			count--
		}
	}
}

// release gives back what is to go and has nothing under way. It comes after a turn.
func (n *node) release() {
	epoch := n.term.Epoch()
	var names []string
	for _, name := range n.names {
		if owned, ok := n.mine[name]; ok && !owned && n.busy[name] == nil {
			names = append(names, name)
		}
	}
	if epoch == 0 || len(names) == 0 {
		return
	}
	n.askOfLanes(func() func() {
		released := n.book.Release(epoch, names, false)
		return func() {
			if epoch != n.term.Epoch() {
				return
			}
			for _, name := range released {
				delete(n.mine, name)
			}
			if n.stops && len(n.mine) == 0 {
				n.leave()
			}
		}
	})
}

func (n *node) leave() {
	epoch := n.term.Epoch()
	n.term.Lost()
	n.ask(func() func() {
		n.book.Leave(epoch)
		return func() { n.dead = true }
	})
}

// work begins attempts: it looks at the lease, makes ready, looks again, and writes.
func (n *node) work() {
	n.at(20*time.Millisecond, n, n.work)
	for _, name := range n.names {
		l := n.lanes[name]
		if !n.mine[name] || n.busy[name] != nil || len(l.owed) == 0 || !n.term.MayBegin(n.now) {
			continue
		}
		s := &send{node: n, lane: l, delivery: l.owed[0]}
		n.busy[name] = s
		n.at(n.lag(), n, func() { n.write(s) })
	}
}

func (n *node) write(s *send) {
	if s.over {
		return
	}
	if !n.term.MayWrite(n.now) {
		s.end()
		return
	}
	// A pause may fall between the look and the system call, and nobody can help that.
	s.lane.sending[s] = struct{}{}
	n.at(time.Duration(rapid.IntRange(0, 3).Draw(n.t, "gap"))*time.Millisecond, n, func() { n.wrote(s) })
}

func (n *node) wrote(s *send) {
	if s.over {
		return
	}
	l := s.lane
	s.wrote = true
	for other := range l.sending {
		if other != s && other.node != n && other.wrote && !other.paused && !s.paused {
			n.t.Fatalf("nodes %d and %d send at once, for %s", other.node.id, n.id, l.name)
		}
	}
	n.receive(s)
	n.at(n.think(), n, func() { n.answered(s) })
}

// receive is the endpoint's. What comes out of order can only be what a pause has doubled.
func (n *node) receive(s *send) {
	l := s.lane
	if before := max(0, lastOf(l.got)); s.delivery > before+1 || (s.delivery <= before && s.delivery != before && !s.paused) {
		n.t.Fatalf("%s: %d comes after %d (paused: %t)", l.name, s.delivery, before, s.paused)
	}
	l.got = append(l.got, s.delivery)
}

// lastOf is the highest of the list: what has come is in order but for repetitions.
func lastOf(list []int) int {
	if len(list) == 0 {
		return 0
	}
	return slices.Max(list)
}

// answered records the attempt, fenced.
func (n *node) answered(s *send) {
	if s.over {
		return
	}
	delete(s.lane.sending, s) // it sends no more; the record is under way
	epoch := n.term.Epoch()
	n.record(s, epoch)
}

func (n *node) record(s *send, epoch int64) {
	done := func() {
		if n.busy[s.lane.name] == s {
			s.end()
		}
	}
	lost := n.cutOff || n.down
	n.at(n.lag(), nil, func() {
		if lost || n.down || n.cutOff {
			n.at(time.Second, n, func() { // offered again, for as long as the lease is the same
				if n.term.Epoch() == epoch && !s.over {
					n.record(s, epoch)
				}
			})
			return
		}
		if n.book.Holds(epoch, s.lane.name) && len(s.lane.owed) > 0 && s.lane.owed[0] == s.delivery {
			s.lane.owed = s.lane.owed[1:]
		}
		n.at(n.lag(), n, done)
	})
}

func (w *world) start() *node { return w.startAt(fmt.Sprint("place", len(w.nodes)+1)) }

// startAt starts a process where another one may have been.
func (w *world) startAt(place string) *node {
	n := &node{
		world: w, id: len(w.nodes) + 1, place: place, mine: map[string]bool{}, busy: map[string]*send{}, wake: map[string]bool{},
	}
	w.nodes = append(w.nodes, n)
	for _, do := range []func(){n.renew, n.turn, n.work} {
		w.at(0, n, do)
	}
	w.at(0, n, n.sweep)
	return n
}

// sweep asks for lanes that are owed something and that the node does not know to be its own.
func (n *node) sweep() {
	n.at(30*time.Second, n, n.sweep)
	for _, name := range n.names {
		if len(n.lanes[name].owed) > 0 {
			n.wake[name] = true
		}
	}
}

// pause stops the process, as kill -STOP does. What it had looked at before is not looked at again.
func (n *node) pause(span time.Duration) {
	n.until = n.now.Add(span)
	for _, s := range n.busy {
		_, looked := s.lane.sending[s]
		s.paused = s.paused || looked
	}
}

func (n *node) kill() {
	n.dead = true
	for _, s := range n.busy {
		s.end()
	}
}
