package dispatch

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// join makes the dispatcher one of several nodes.
func (d *Dispatcher) join() {
	d.tenant = newTenant(d.cfg.Ledger, d.cfg.Node, d.board, d.log)
	d.tenant.lives, d.tenant.save, d.tenant.taken = d.cfg.Store.LivesOf, d.saveLives, d.taken
	if !d.cfg.WakeOnly {
		d.sender.mayWrite = d.tenant.mayWrite
	}
}

// hold holds the node's lease until leave is called, which hands the lanes over. That is to be when nothing is in flight any more.
func (d *Dispatcher) hold(ctx context.Context) (leave func()) {
	if d.tenant == nil {
		return func() {}
	}
	outlasting := context.WithoutCancel(ctx)
	holding, end := context.WithCancel(outlasting)
	var tenancy sync.WaitGroup
	if !d.cfg.WakeOnly {
		tenancy.Go(func() { d.tenant.keep(holding) })
	}
	tenancy.Go(func() { d.tenant.turns(holding) })
	return func() {
		end()
		tenancy.Wait()
		d.tenant.leave(outlasting)
	}
}

// taken looks at what a lane that was another's, or nobody's, has beside deliveries. That is done for every endpoint to which mail comes
// after a while, so it must not cost a look at all lanes, and no endpoint that rests is tried for it.
func (d *Dispatcher) taken(lanes []string) {
	look := d.askedTests
	if slices.ContainsFunc(lanes, func(lane string) bool { return lane == houseLane || strings.HasPrefix(lane, replayPrefix) }) {
		look = d.glance
	}
	select {
	case look <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Housekeeps says whether this node is the one that does what is done once for all nodes: sweeping, and working at replays. Where
// the dispatcher is alone it is.
func (d *Dispatcher) Housekeeps() bool {
	return d.tenant == nil || (d.tenant.house.Load() && d.mayBegin())
}

// Tenancy is what a node knows of its place among those that share the store.
type Tenancy struct {
	Epoch  int64         // of its lease; 0: it has none
	Left   time.Duration // until no attempt may begin any more, unless the lease is renewed
	Lanes  int           // that it owns
	Nodes  int           // that had a lease when it renewed its own
	Houses bool          // it does what is done once for all nodes
}

// Tenancy gives the node's place among those that share the store. Where the dispatcher is alone, or makes no attempts, it is zero.
func (d *Dispatcher) Tenancy() (t Tenancy) {
	if d.tenant == nil || d.cfg.WakeOnly {
		return t
	}
	term := d.tenant.term.Load()
	if t.Epoch = term.Epoch(); t.Epoch == 0 {
		return t
	}
	t.Left, t.Nodes = term.Left(time.Now()), d.tenant.stand.Load().Nodes
	t.Lanes, t.Houses = d.board.owned(), d.tenant.house.Load()
	return t
}

// Flight gives what only the node that keeps house does a context that ends when another node may be about to do it; land ends it.
func (d *Dispatcher) Flight(ctx context.Context) (flight context.Context, land func()) {
	return d.fly(ctx)
}

// MayWrite says whether octets of what only this node does may leave. It is to be asked before each write, for the process may have been
// stopped for long since the one before.
func (d *Dispatcher) MayWrite() bool { return d.tenant == nil || d.tenant.mayWrite() }

// mayBegin says whether the node's lease lets attempts begin.
func (d *Dispatcher) mayBegin() bool { return d.tenant == nil || d.tenant.mayBegin(time.Now()) }

// fly gives an attempt the context that it is made in; land ends it.
func (d *Dispatcher) fly(ctx context.Context) (flight context.Context, land func()) {
	if d.tenant == nil {
		return ctx, func() {}
	}
	return d.tenant.fly(ctx)
}

// testEvery is the pause between two looks for what came of a test that another node makes.
const testEvery = 100 * time.Millisecond

// testByOwner has the node make the test that owns the endpoint's lane, which learns from it.
func (d *Dispatcher) testByOwner(ctx context.Context, endpoint string) (storage.EndpointTest, error) {
	id, err := d.cfg.Store.AskTest(ctx, endpoint)
	if err != nil {
		return storage.EndpointTest{}, err
	}
	d.Wake()
	ticker := time.NewTicker(testEvery)
	defer ticker.Stop()
	for {
		t, err := d.cfg.Store.Test(ctx, endpoint, id)
		if err != nil || !t.At.IsZero() {
			return t, err
		}
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case <-ticker.C:
		}
	}
}

// dropCancelled has the board forget what it holds of replays that are being cancelled: the node that works at them does not know of it.
func (d *Dispatcher) dropCancelled() {
	if d.tenant == nil {
		return
	}
	for _, job := range d.replays.take() {
		if job.State == storage.ReplayCancelling {
			d.board.drop(job.ID, time.Now())
		}
	}
}

// errLeaseOver says that the node must not send.
var errLeaseOver = errors.New("the lease of this node may be over")

// GateConn makes a connection ask before each write whether octets may leave, and fail where they may not.
func GateConn(conn net.Conn, may func() bool) net.Conn { return &gatedConn{conn, may} }

// gatedConn asks before each write whether octets may leave: whatever the process was doing when it was stopped, it finds out here.
type gatedConn struct {
	net.Conn
	may func() bool
}

func (c *gatedConn) Write(b []byte) (int, error) {
	if !c.may() {
		return 0, errLeaseOver
	}
	return c.Conn.Write(b)
}

// isGated says whether nothing may be written now.
func (s *Sender) isGated() bool { return s.mayWrite != nil && !s.mayWrite() }
