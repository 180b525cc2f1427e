package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

const (
	// sweepEvery is the pause between two looks at all lanes of the store.
	sweepEvery = 30 * time.Second
	// foreignEvery is the pause between two looks for writes of other processes.
	foreignEvery = 250 * time.Millisecond

	someYield  = 5 * time.Millisecond // see yieldTo
	crowdYield = 100 * time.Millisecond
	yieldStep  = time.Millisecond

	// maxUploads is how many mails may have their attachments stored at once.
	maxUploads = 16
	// maxReads is how many reads of the store are under way at once, and maxTogether how many lanes one of them reads.
	maxReads    = 4
	maxTogether = 64
	// flushTimeout is how long a stop waits for the records of attempts that were made.
	flushTimeout = 5 * time.Second
	// recordPause is the wait before a record that the store refused is offered again.
	recordPause = time.Second
)

// Dispatcher makes the attempts that the store owes. It keeps nothing that the store does not have.
type Dispatcher struct {
	cfg     Config
	log     *slog.Logger
	step    func(string)
	started time.Time
	board   *board
	sender  *Sender
	secrets atomic.Pointer[map[string][]storage.EndpointSecret] // that the store made
	native  native
	metrics *metrics
	tenant  *tenant // nil: the dispatcher is alone
	parse   func(io.ReaderAt, int64, parser.Limits) (*parser.Message, error)

	cpu      chan struct{}       // rights to do work that keeps a processor busy
	uploads  *semaphore.Weighted // mails whose attachments are being stored
	waiting  *semaphore.Weighted // mails that wait for that
	desk     *allowance          // octets of mails that are parsed and rendered
	healthy  *allowance          // octets in flight
	suspects *allowance          // octets in flight of suspect lanes
	asked    *allowance          // octets in flight of mails whose senders wait
	look     chan struct{}       // capacity 1: look at the store's lanes now, and try those that rest
	glance   chan struct{}       // capacity 1: look at the store's lanes now
	// askedTests has capacity 1: look at the tests that were asked for.
	askedTests chan struct{}

	foreignEvery time.Duration // the pause between two looks for writes of other processes

	erased erased

	mu         sync.Mutex
	unrecorded []record            // refused by the store
	testing    map[string]struct{} // ids of test events under way
	tests      sync.WaitGroup
	replays    *replays
	saving     sync.Mutex
	asking     sync.Mutex // held from the note of a test in the store to that in testing
}

// New returns a dispatcher that does nothing until [Dispatcher.Run].
func New(cfg Config) (*Dispatcher, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	guard := Guard{Allow: cfg.Allow, AllowHosts: cfg.AllowHosts, AllowLoopback: cfg.AllowLoopback, Refuse: cfg.BlockedAddrs}
	d := &Dispatcher{
		cfg:      cfg,
		log:      cfg.Log,
		step:     cfg.Step,
		started:  time.Now(),
		sender:   NewSender(guard, "Letterhook/"+cfg.Version),
		parse:    cfg.Parse,
		cpu:      make(chan struct{}, max(runtime.GOMAXPROCS(0), 2)),
		uploads:  semaphore.NewWeighted(maxUploads),
		waiting:  semaphore.NewWeighted(int64(max(cfg.Workers/4, 1))),
		desk:     newAllowance(cfg.BytesInFlight / 8),
		healthy:  newAllowance(cfg.BytesInFlight / 2),
		suspects: newAllowance(cfg.BytesInFlight / 4),
		asked:    newAllowance(cfg.BytesInFlight / 8),
		look:     make(chan struct{}, 1),
		glance:   make(chan struct{}, 1),

		askedTests: make(chan struct{}, 1),

		foreignEvery: foreignEvery,
		testing:      map[string]struct{}{},
		replays:      newReplays(),
		erased:       erased{since: time.Now().Add(-erasedOverlap)},
	}
	d.sender.stored = func(endpoint string) []storage.EndpointSecret {
		if all := d.secrets.Load(); all != nil {
			return (*all)[d.replays.signer(endpoint)]
		}
		return nil
	}
	d.board = newBoard(cfg.Workers, cfg.MemoryBudget, d.lookUp)
	if cfg.Ledger != nil {
		d.join()
	}
	var err error
	if d.metrics, err = newMetrics(cfg.Registerer, d); err != nil {
		return nil, err
	}
	return d, nil
}

// Sender is what the dispatcher makes its requests with. It serves others too, until the end of Run closes its idle connections.
func (d *Dispatcher) Sender() *Sender { return d.sender }

func (d *Dispatcher) lookUp(endpoint string) terms {
	return termsOf(d.endpoint(endpoint))
}

// HandOver takes mails that were just made durable, to be given to [storage.Store.SetHandOver]. It never blocks: what is
// too much for the memory budget is read from the store later.
func (d *Dispatcher) HandOver(accepted []storage.Accepted) {
	kept, dropped := d.board.handOver(accepted, time.Now())
	d.metrics.handed.WithLabelValues("kept").Add(float64(kept))
	d.metrics.handed.WithLabelValues("dropped").Add(float64(dropped))
	d.step("handed-over")
}

// Wake makes the dispatcher look at the directory and at the store's lanes now, and not only within 30 seconds. An
// endpoint that asked for rest and is owed something due gets one attempt all the same. It does not block.
func (d *Dispatcher) Wake() {
	select {
	case d.look <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Run makes attempts until ctx ends. Then it begins no new one, waits up to the drain timeout for those in flight, cuts the
// rest, and returns when what was made is recorded. What was cut stays pending in the store. The error tells why Run
// could not begin, or what it had to leave behind. Run is called once.
func (d *Dispatcher) Run(ctx context.Context) error {
	// Asked once before the first look at the lanes, so that every later write of another process is a change.
	if _, err := d.cfg.Store.ForeignChange(ctx); err != nil {
		return fmt.Errorf("finding the lanes: %w", err)
	}
	lives, err := d.cfg.Store.Lives(ctx)
	if err != nil {
		return fmt.Errorf("finding the states of endpoints: %w", err)
	}
	d.board.adopt(lives, true, time.Now())
	d.tellStopped(lives)
	if err := d.sweep(ctx, false); err != nil {
		return fmt.Errorf("finding the lanes: %w", err)
	}
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	leave := d.hold(ctx)
	var workers, watcher sync.WaitGroup
	watcher.Go(func() { d.watch(ctx) })
	watcher.Go(func() { d.keep(ctx) })
	watcher.Go(func() { d.replay(ctx) })
	d.dispatch(ctx, work, &workers)
	watcher.Wait()
	if d.tenant != nil {
		d.board.leaveAll(time.Now())
	}
	err = d.drain(&workers, cut)
	d.saveLives(context.WithoutCancel(ctx))
	leave()
	return err
}

// dispatch starts workers and reads until ctx ends.
func (d *Dispatcher) dispatch(ctx, work context.Context, workers *sync.WaitGroup) {
	reads := make(chan struct{}, maxReads)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		d.board.tick(now)
		for j := d.board.next(now); j != nil; j = d.board.next(now) {
			workers.Go(func() { d.work(ctx, work, j) })
		}
		for len(reads) < maxReads {
			together := d.board.nextReads(now)
			if len(together) == 0 {
				break
			}
			reads <- struct{}{}
			workers.Go(func() {
				d.readLanes(work, together, func() { <-reads })
			})
		}
		next := d.board.nextTick()
		if again := d.offerAgain(now); !again.IsZero() && (next.IsZero() || again.Before(next)) {
			next = again
		}
		if next.IsZero() {
			next = now.Add(sweepEvery)
		}
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
		case <-d.board.wake:
		case <-timer.C:
		}
	}
}

// work makes attempts one after the other until there is none to make.
func (d *Dispatcher) work(running, ctx context.Context, j *job) {
	for ; j != nil; j = d.board.next(time.Now()) {
		d.attempt(running, ctx, j)
	}
}

// readLanes makes reads. free is called before the board learns of the end, so that the next ones can begin.
func (d *Dispatcher) readLanes(ctx context.Context, together []*read, free func()) {
	questions := make([]storage.Question, len(together))
	for i, r := range together {
		questions[i] = storage.Question{Endpoint: r.lane.endpoint, After: r.after, Limit: r.limit}
	}
	rows, err := d.cfg.Store.FetchAll(ctx, questions, together[0].dueBy)
	if err != nil {
		if rows = make([][]storage.Delivery, len(together)); ctx.Err() == nil {
			d.log.Error("the deliveries of endpoints could not be read; trying again", "endpoints", len(together), "error", err)
		}
	}
	mails := map[string]*storage.Mail{}
	if ids := d.board.lacking(together, rows); len(ids) > 0 {
		// Without them each attempt reads its own, and says what the trouble is.
		found, _ := d.cfg.Store.Mails(ctx, ids)
		for _, m := range found {
			mails[m.ID] = m
		}
	}
	free()
	taken := 0
	for i, r := range together {
		taken += d.board.readDone(r, rows[i], mails, err, time.Now())
	}
	if taken > 0 {
		d.step("fetched")
	}
}

// watch looks at the store for what nobody tells of: rows of other processes, and whatever was forgotten.
func (d *Dispatcher) watch(ctx context.Context) {
	sweep, foreign := time.NewTicker(sweepEvery), time.NewTicker(d.foreignEvery)
	defer sweep.Stop()
	defer foreign.Stop()
	failing := false // said once until it works again: it is asked four times a second, and the database may be away for hours
	for {
		probe := true // somebody reloaded the configuration, or asked for a retry
		select {
		case <-ctx.Done():
			return
		case <-d.look:
		case <-d.askedTests:
			if err := d.makeTests(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("the tests that were asked for could not be read; trying again", "error", err)
			}
			continue
		case <-d.glance:
			probe = false
		case <-sweep.C:
			probe = false
		case <-foreign.C:
			changed, err := d.cfg.Store.ForeignChange(ctx)
			if err != nil && ctx.Err() == nil && !failing {
				d.log.Error("looking for writes of other processes failed", "error", err)
			}
			failing = err != nil
			if !changed {
				continue
			}
			// Other nodes write all the time, and what an endpoint has asked for holds for all of them.
			probe = d.tenant == nil
		}
		if err := d.sweep(ctx, probe); err != nil && ctx.Err() == nil {
			d.log.Error("the lanes could not be read; trying again", "error", err)
		}
	}
}

func (d *Dispatcher) sweep(ctx context.Context, probe bool) error {
	secrets, err := d.cfg.Store.Secrets(ctx)
	if err != nil {
		return err
	}
	d.secrets.Store(&secrets)
	lives, err := d.cfg.Store.Lives(ctx)
	if err != nil {
		return err
	}
	d.board.adopt(lives, false, time.Now())
	// Before the lanes: one that is finished in between is known by this list, one that was finished before by what it has made.
	open, err := d.cfg.Store.OpenReplays(ctx)
	if err != nil {
		return err
	}
	d.dropCancelled()
	if err := d.erased.learn(ctx, d.cfg.Store); err != nil {
		return err
	}
	heads, err := d.cfg.Store.Lanes(ctx)
	if err != nil {
		return err
	}
	others, err := d.replays.atURLs(ctx, d.cfg.Store, heads)
	if err != nil {
		return err
	}
	d.replays.set(open, others)
	if err := d.makeTests(ctx); err != nil {
		return err
	}
	if err := d.catchUp(ctx, heads); err != nil {
		return err
	}
	d.board.sweep(heads, probe, time.Now())
	if !d.Housekeeps() {
		return nil
	}
	return d.missShadows(ctx, heads)
}

// drain waits for what is in flight, cuts it when that takes too long, and waits for the records.
func (d *Dispatcher) drain(workers *sync.WaitGroup, cut context.CancelFunc) error {
	d.board.stop()
	defer d.sender.Close()
	defer d.tests.Wait()
	done := make(chan struct{})
	go func() {
		workers.Wait()
		close(done)
	}()
	if !within(d.cfg.DrainTimeout, done) {
		cut()
		if !within(flushTimeout, done) {
			return errors.New("dispatch: an attempt did not end when it was cut; it will be made again")
		}
	}
	return d.flush()
}

// flush waits until what was made is recorded.
func (d *Dispatcher) flush() error {
	deadline := time.Now().Add(flushTimeout)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for now := time.Now(); d.board.waiting() > 0; now = time.Now() {
		if !now.Before(deadline) {
			return fmt.Errorf("dispatch: %d attempts were made but not recorded; they will be made again", d.board.waiting())
		}
		next := d.offerAgain(now)
		if next.IsZero() || next.After(deadline) {
			next = deadline
		}
		timer.Reset(time.Until(next))
		select {
		case <-d.board.wake:
		case <-timer.C:
		}
	}
	return nil
}

func within(limit time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
