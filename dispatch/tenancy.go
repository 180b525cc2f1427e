package dispatch

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// join makes the dispatcher one of several nodes.
func (d *Dispatcher) join() {
	d.tenant = newTenant(d.cfg.Ledger, d.cfg.Node, d.board, d.log)
	d.tenant.lives, d.tenant.save, d.tenant.taken = d.cfg.Store.Lives, d.saveLives, d.Wake
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

// Housekeeps says whether this node is the one that does what is done once for all nodes: sweeping, and working at replays. Where
// the dispatcher is alone it is.
func (d *Dispatcher) Housekeeps() bool {
	return d.tenant == nil || (d.tenant.house.Load() && d.mayBegin())
}

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
