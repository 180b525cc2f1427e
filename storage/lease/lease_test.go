package lease_test

import (
	"flag"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/storage/lease"
)

// Nodes that are paused, slow, cut off from the database, killed and restarted, with a database that goes away: no two of them
// ever send for the same lane at once but for the attempt that a pause has caught in its last step, nothing is lost, strict order
// is kept, and every lane has an owner again in time.
func TestLeasesHoldModel(t *testing.T) {
	// With the race detector each check takes a while. A soak asks for more.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("30"); err != nil {
			t.Fatal(err)
		}
		defer checks.Value.Set(checks.DefValue)
	}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 4).Draw(t, "nodes") {
			w.start()
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.step()
		}
		w.recover()
		for _, name := range w.names {
			l := w.lanes[name]
			if len(l.owed) > 0 {
				t.Fatalf("%s: %d are still owed", name, len(l.owed))
			}
			if lastOf(l.got) != l.accepted {
				t.Fatalf("%s: %d were accepted, %v came", name, l.accepted, l.got)
			}
		}
	})
}

// any is a node that lives.
func (w *world) any() *node {
	var alive []*node
	for _, n := range w.nodes {
		if !n.dead && !n.stops {
			alive = append(alive, n)
		}
	}
	if len(alive) == 0 {
		return w.start()
	}
	return rapid.SampledFrom(alive).Draw(w.t, "node")
}

func (w *world) step() {
	n := w.any()
	switch rapid.IntRange(0, 14).Draw(w.t, "step") {
	case 0, 1:
		n.pause(time.Duration(rapid.SampledFrom([]int{1, 5, 7, 9, 10, 11, 12, 20, 60}).Draw(w.t, "seconds")) * time.Second)
	case 2, 3:
		n.cutOff = !n.cutOff
	case 4:
		n.kill()
		if rapid.Bool().Draw(w.t, "in place") {
			w.startAt(n.place)
		} else {
			w.start()
		}
	case 5:
		w.down = !w.down
	case 6:
		n.stop()
		w.start()
	case 7:
		if len(w.nodes) < 8 {
			w.start()
		}
	case 8, 9, 10:
		w.run(time.Duration(rapid.IntRange(1, 20000).Draw(w.t, "ms")) * time.Millisecond)
	default:
		if !w.down && !n.cutOff && !w.now.Before(n.until) {
			n.accept(rapid.SampledFrom(w.names).Draw(w.t, "lane"))
		}
		w.run(time.Duration(rapid.SampledFrom([]int{1, 10, 100, 1000}).Draw(w.t, "ms")) * time.Millisecond)
	}
}

// stop ends the node in good order: it begins nothing, and every lane goes as soon as nothing of it is under way.
func (n *node) stop() {
	n.stops = true
	n.letGo(len(n.names))
}

// recover ends all faults and lets everything run to its end.
func (w *world) recover() {
	w.down, w.calm = false, true
	for _, n := range w.nodes {
		n.cutOff, n.until = false, time.Time{}
	}
	w.start()
	w.run(2 * time.Minute)
}

// A term ends by whichever of the two clocks says so first, and an answer that comes late does not shorten it.
func TestTermIsCountedFromTheQuestion(t *testing.T) {
	var term lease.Term
	now := time.Now()
	if term.MayBegin(now) || term.MayWrite(now) {
		t.Error("without a lease it may do something")
	}
	term.Granted(7, now)
	term.Granted(7, now.Add(-time.Second))
	for _, c := range []struct {
		after        time.Duration
		begin, write bool
	}{
		{0, true, true},
		{lease.TTL - time.Millisecond, true, true},
		{lease.TTL, false, true},
		{lease.TTL + lease.Grace - lease.Margin, false, false},
		{time.Hour, false, false},
	} {
		if begin, write := term.MayBegin(now.Add(c.after)), term.MayWrite(now.Add(c.after)); begin != c.begin || write != c.write {
			t.Errorf("after %s it may begin: %t, may write: %t", c.after, begin, write)
		}
	}
	// The machine slept: the wall clock alone has gone on.
	if slept := now.Round(0).Add(time.Minute); term.MayWrite(slept) {
		t.Error("a minute later by the wall clock it may still write")
	}
	term.Lost()
	if term.Epoch() != 0 || term.MayBegin(now) {
		t.Error("a lost lease is not over")
	}
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		lease.Standing
		surplus, room, reach int
	}{
		{lease.Standing{Nodes: 1, Lanes: 1000, Mine: 1000}, 0, 256, math.MaxInt},
		{lease.Standing{Nodes: 2, Lanes: 8, Mine: 8}, 0, 0, 0},
		{lease.Standing{Nodes: 2, Lanes: 100, Mine: 100}, 50, 0, 0},
		{lease.Standing{Nodes: 2, Lanes: 100, Mine: 62}, 0, 0, 2},
		{lease.Standing{Nodes: 2, Lanes: 100, Mine: 50}, 0, 0, 14},
		{lease.Standing{Nodes: 2, Lanes: 100, Mine: 0}, 0, 50, 64},
		{lease.Standing{Nodes: 3, Lanes: 9000, Mine: 9000}, 256, 0, 0},
		{lease.Standing{Nodes: 3, Lanes: 9000, Mine: 0}, 0, 256, 3604},
		{lease.Standing{Nodes: 3, Lanes: 0, Mine: 0}, 0, 1, 5},
	} {
		if got := c.Surplus(); got != c.surplus {
			t.Errorf("%+v: %d too many, want %d", c.Standing, got, c.surplus)
		}
		if room, reach := c.Room(c.Mine), c.Reach(c.Mine); room != c.room || reach != c.reach {
			t.Errorf("%+v has room for %d and reaches for %d, want %d and %d", c.Standing, room, reach, c.room, c.reach)
		}
	}
}
