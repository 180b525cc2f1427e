package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/lease"
)

// fellow is one of several dispatchers on one store, with faults between it and the world.
type fellow struct {
	*Dispatcher
	name string
	log  *bytes.Buffer
	stop func()

	mu     sync.Mutex
	cutOff bool
	paused chan struct{} // closed when the pause ends; nil: it runs
}

var errCutOff = errors.New("no way to the database")

// pass waits out a pause, and says whether the database can be reached.
func (f *fellow) pass() error {
	for {
		f.mu.Lock()
		paused, cutOff := f.paused, f.cutOff
		f.mu.Unlock()
		if paused != nil {
			<-paused
			continue
		}
		if cutOff {
			return errCutOff
		}
		return nil
	}
}

func (f *fellow) pause(pause bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case pause && f.paused == nil:
		f.paused = make(chan struct{})
	case !pause && f.paused != nil:
		close(f.paused)
		f.paused = nil
	}
}

func (f *fellow) cut(cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cutOff = cut
}

// shakyLedger is the store's, where it can be reached.
type shakyLedger struct {
	Ledger
	f *fellow
}

func (l shakyLedger) RenewNode(ctx context.Context, epoch int64, name string) (lease.Standing, error) {
	if err := l.f.pass(); err != nil {
		return lease.Standing{}, err
	}
	s, err := l.Ledger.RenewNode(ctx, epoch, name)
	return s, errors.Join(l.f.pass(), err)
}

func (l shakyLedger) TurnLanes(ctx context.Context, epoch int64, w lease.Wishes) ([]string, error) {
	if err := l.f.pass(); err != nil {
		return nil, err
	}
	mine, err := l.Ledger.TurnLanes(ctx, epoch, w)
	return mine, errors.Join(l.f.pass(), err)
}

func (l shakyLedger) ReleaseLanes(ctx context.Context, epoch int64, names []string, idle bool) ([]string, error) {
	if err := l.f.pass(); err != nil {
		return nil, err
	}
	return l.Ledger.ReleaseLanes(ctx, epoch, names, idle)
}

func (l shakyLedger) LeaveNode(ctx context.Context, epoch int64) error {
	if err := l.f.pass(); err != nil {
		return err
	}
	return l.Ledger.LeaveNode(ctx, epoch)
}

// pausedConn writes nothing during a pause: what was looked at before is not looked at again.
type pausedConn struct {
	net.Conn
	f *fellow
}

func (c pausedConn) Write(b []byte) (int, error) {
	c.f.mu.Lock()
	paused := c.f.paused
	c.f.mu.Unlock()
	if paused != nil {
		<-paused
	}
	return c.Conn.Write(b)
}

// fellowship is a house with several dispatchers.
type fellowship struct {
	*house
	network *network
	fellows []*fellow
}

// inFellowship runs test with nodes on one store, in virtual time.
func inFellowship(t *testing.T, nodes int, endpoints []storage.Endpoint, test func(f *fellowship)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		for i := range endpoints {
			endpoints[i].URL = "http://" + endpoints[i].Name + "/hook"
			n.host(endpoints[i].Name, nil)
		}
		f := &fellowship{house: build(t, endpoints...), network: n}
		f.virtual = true
		for range nodes {
			f.join()
		}
		<-time.After(time.Second)
		test(f)
		for _, node := range f.fellows {
			node.pause(false)
			node.cut(false)
			node.stop()
		}
		f.close()
		n.conns.Wait()
	})
}

// join starts one more node.
func (f *fellowship) join() *fellow {
	node := &fellow{name: fmt.Sprintf("node%d", len(f.fellows)+1), log: &bytes.Buffer{}}
	node.Dispatcher = f.dispatcher(func(c *Config) {
		c.Ledger, c.Node, c.Version = shakyLedger{f.store, node}, node.name, node.name
		c.Log = slog.New(slog.NewTextHandler(node.log, nil))
	})
	node.sender.dial = func(ctx context.Context, proto, addr string, private bool) (net.Conn, error) {
		conn, err := f.network.dial(ctx, proto, addr, private)
		return pausedConn{conn, node}, err
	}
	node.stop = f.start(node.Dispatcher)
	f.fellows = append(f.fellows, node)
	return node
}

// at has mail be accepted at a node.
func (f *fellowship) at(node *fellow, endpoint string) string {
	f.store.SetHandOver(node.HandOver)
	defer func() { <-time.After(2 * time.Millisecond) }() // of one millisecond the order is arbitrary
	return f.accept(mail("x"), endpoint)
}

// senders counts the requests to an endpoint by the node that made them.
type senders struct {
	mu   sync.Mutex
	got  []string // ids
	from []string // the node of each
	open map[string]int
	both bool // two nodes had requests open at once
	wait chan struct{}
}

func (s *senders) answer(_ http.ResponseWriter, r *http.Request) {
	node := strings.TrimPrefix(r.UserAgent(), "Letterhook/")
	s.mu.Lock()
	s.got, s.from = append(s.got, r.Header.Get("webhook-id")), append(s.from, node)
	if s.open == nil {
		s.open = map[string]int{}
	}
	s.open[node]++
	s.both = s.both || len(s.open) > 1
	wait := s.wait
	s.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-r.Context().Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[node]--; s.open[node] == 0 {
		delete(s.open, node)
	}
}

func (s *senders) requests() (got, from []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got), slices.Clone(s.from)
}

// Lanes go to whichever node mail comes to first, and from there to the others until each has its share; mail that comes to a
// node which does not own the lane is sent by the one that does.
func TestLanesAreShared(t *testing.T) {
	// So many that two nodes cannot have all of them: each may have a few more than its share.
	const lanes = 60
	var endpoints []storage.Endpoint
	for _, name := range names("lane", lanes) {
		endpoints = append(endpoints, storage.Endpoint{Name: name})
	}
	inFellowship(t, 3, endpoints, func(f *fellowship) {
		all := map[string]*senders{}
		for _, e := range endpoints {
			s := &senders{}
			all[e.Name] = s
			f.network.hosts[e.Name+":80"].answer = s.answer
		}
		want := map[string][]string{}
		for range 8 {
			for _, e := range endpoints {
				want[e.Name] = append(want[e.Name], f.at(f.fellows[0], e.Name))
			}
			<-time.After(3 * time.Second)
		}
		last := map[string]int{}
		for name, s := range all {
			got, from := s.requests()
			if slices.Sort(got); !slices.Equal(got, want[name]) {
				t.Errorf("%s: %d came, %d were accepted", name, len(got), len(want[name]))
			}
			if s.both {
				t.Errorf("%s: two nodes sent at once", name)
			}
			last[from[len(from)-1]]++
		}
		for _, node := range f.fellows {
			n := last[node.name]
			end := lease.Standing{Nodes: len(f.fellows), Lanes: lanes + 1, Mine: n} // with the house
			if n < 1 || end.Surplus() > 0 {
				t.Errorf("in the end %s sends for %d lanes of %d", node.name, n, lanes)
			}
		}
	})
}

// A node that is stopped in good order hands its lanes over at once, whatever is still in flight elsewhere.
func TestStopHandsLanesOver(t *testing.T) {
	inFellowship(t, 2, []storage.Endpoint{{Name: "busy", Ordered: true}, {Name: "slow"}}, func(f *fellowship) {
		busy, slow := &senders{}, &senders{wait: make(chan struct{})}
		f.network.hosts["busy:80"].answer, f.network.hosts["slow:80"].answer = busy.answer, slow.answer
		first := f.at(f.fellows[0], "busy")
		f.at(f.fellows[0], "slow")
		<-time.After(time.Second)
		_, from := busy.requests()
		owner := f.fellows[slices.IndexFunc(f.fellows, func(n *fellow) bool { return n.name == from[0] })]
		other := f.fellows[1-slices.Index(f.fellows, owner)]
		stopped := make(chan struct{})
		go func() {
			owner.stop()
			close(stopped)
		}()
		<-time.After(400 * time.Millisecond)
		second := f.at(other, "busy")
		<-time.After(400 * time.Millisecond)
		got, from := busy.requests()
		if !slices.Equal(got, []string{first, second}) || from[1] != other.name {
			t.Errorf("came %v from %v, accepted were %v", got, from, []string{first, second})
		}
		close(slow.wait)
		<-stopped
		if got, _ := slow.requests(); len(got) != 1 {
			t.Errorf("what was in flight came %d times", len(got))
		}
	})
}

// A node is stopped by a signal for a minute, with an attempt whose request was just about to leave. Another takes over in time; the one
// that wakes sends what it was about to, and then nothing that is not its own.
func TestPausedNodeDoesNotOwnTwice(t *testing.T) {
	inFellowship(t, 2, []storage.Endpoint{{Name: "line", Ordered: true}}, func(f *fellowship) {
		line := &senders{}
		f.network.hosts["line:80"].answer = line.answer
		want := []string{f.at(f.fellows[0], "line")}
		<-time.After(time.Second)
		_, from := line.requests()
		owner := f.fellows[slices.IndexFunc(f.fellows, func(n *fellow) bool { return n.name == from[0] })]
		other := f.fellows[1-slices.Index(f.fellows, owner)]
		owner.pause(true)
		caught := f.at(owner, "line")
		want = append(want, caught)
		for range 20 {
			want = append(want, f.at(other, "line"))
		}
		<-time.After(lease.Takeover + time.Second)
		if got, from := line.requests(); !slices.Equal(got, want) || from[len(from)-1] != other.name {
			t.Errorf("after %s %d of %d have come, from %v", lease.Takeover, len(got), len(want), from)
		}
		<-time.After(time.Minute - lease.Takeover)
		owner.pause(false)
		for range 20 {
			want = append(want, f.at(owner, "line"))
			<-time.After(100 * time.Millisecond)
		}
		<-time.After(5 * time.Second)
		got, from := line.requests()
		late := slices.IndexFunc(got[len(want)-20:], func(id string) bool { return id == caught })
		if late >= 0 { // the one that the pause has caught in its last step
			at := len(want) - 20 + late
			got, from = slices.Delete(got, at, at+1), slices.Delete(from, at, at+1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v came, %v were accepted", got, want)
		}
		if strings.Count(owner.log.String(), "the lease of this node is over") != 1 {
			t.Errorf("the paused node says:\n%s", owner.log)
		}
	})
}

// A node that cannot reach the database stops, and what it has in flight is cut, before another sends; it goes on by itself later. Where
// nobody can reach it all go on with the lanes that they had.
func TestCutOffNodeStops(t *testing.T) {
	inFellowship(t, 2, []storage.Endpoint{{Name: "line", Timeout: time.Minute}}, func(f *fellowship) {
		line := &senders{wait: make(chan struct{})}
		f.network.hosts["line:80"].answer = line.answer
		id := f.at(f.fellows[0], "line")
		<-time.After(time.Second)
		_, from := line.requests()
		owner := f.fellows[slices.IndexFunc(f.fellows, func(n *fellow) bool { return n.name == from[0] })]
		other := f.fellows[1-slices.Index(f.fellows, owner)]
		owner.cut(true)
		<-time.After(lease.Takeover + time.Second)
		got, from := line.requests()
		if !slices.Equal(got, []string{id, id}) || from[1] != other.name || line.both {
			t.Errorf("%v came from %v, at once: %t", got, from, line.both)
		}
		owner.cut(false)
		close(line.wait)
		<-time.After(5 * time.Second)
		for _, node := range f.fellows {
			node.cut(true)
		}
		<-time.After(time.Minute)
		id = f.at(owner, "line")
		for _, node := range f.fellows {
			node.cut(false)
		}
		<-time.After(3 * time.Second)
		got, from = line.requests()
		if len(got) != 3 || got[2] != id || from[2] != other.name {
			t.Errorf("after an outage %v came from %v", got, from)
		}
		if strings.Contains(other.log.String(), "is over") {
			t.Errorf("an outage took a lane away:\n%s", other.log)
		}
	})
}
