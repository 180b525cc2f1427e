package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where a [Store] lies and how it behaves.
type Config struct {
	// Dir is the data folder: database, segments, lock. It is made when it is missing.
	Dir string
	// Database is the URL of a PostgreSQL database in the place of the one in Dir. It holds a password: never log it.
	Database string
	// ReadConnections is the most connections that read at the same time. 0: 4.
	ReadConnections int
	// Blobs takes messages larger than 1 MiB, and with PackInBlobs the packs too.
	Blobs Blobs
	// PackInBlobs writes packs as objects instead of segments in Dir.
	PackInBlobs bool
	// Keys are instance keys of 32 octets. The first wraps the keys of new messages; the others still open older ones.
	// None: the key of a message stands bare in its row.
	Keys [][]byte
	// MinFree is the free space in octets below which [Store.DiskFull] is true. 0: 128 MiB; negative: no such limit.
	MinFree int64
	// Beside opens the database of a server that may be running: for reading and [Store.Retry]. Nothing is recovered,
	// the schema must be the current one, and Accept refuses.
	Beside     bool
	Log        *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
	Step       func(string)          // called after each named step of a write; nil: not
	Now        func() time.Time      // nil: time.Now

	syncFolder func(path string) error // tests look at it; nil: fsync
}

func (c *Config) setDefaults() {
	if c.MinFree == 0 {
		c.MinFree = 128 << 20
	}
	if c.ReadConnections == 0 {
		c.ReadConnections = readConnections
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Step == nil {
		c.Step = func(string) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.syncFolder == nil {
		c.syncFolder = syncFolder
	}
}

// Store keeps the rows and the raw bytes. It is safe for concurrent use. Everything is written by one goroutine, the
// committer; reads have connections of their own and never wait for it.
type Store struct {
	cfg       Config
	lock      *os.File // nil beside a server
	place     string   // see placeOf; empty on SQLite
	engine    engine
	read      reader
	reads     reads
	queue     *queue
	committer *committer
	// results is the queue of what becomes of deliveries, and chores that of rare writes. On PostgreSQL each has a committer of its
	// own, so that none waits for another; on SQLite, which has one writer at a time, both are queue.
	results, chores *queue
	others          []*committer // of these; empty on SQLite
	leases          *leases      // nil on SQLite, where the committer does for it
	clerk           *clerk
	meter           meter
	feed            feed
	recent          overviews
	index           *searchIndex // nil beside a server that has none
	indexer         *indexer     // nil beside a server
	packer          *packer      // nil: packs go to segments
	segments        *segments
	reader          segmentReader
	metrics         *metrics
	unacked         unacknowledged
	holding         holding
	buffers         buffers
	disk            disk
	trouble         trouble
	wasLate         atomic.Bool // with what it says as a [Member]
	counts          int64       // the writer of the stock
	id              string      // of the store, for ever; empty beside a server
	started         time.Time   // names the span of this run
	// orphansSwept is when Blobs was last listed as a whole; it belongs to the one goroutine that sweeps.
	orphansSwept time.Time

	closeOnce sync.Once
	closeErr  error
}

const readConnections = 4

// Open opens the store in a folder, or makes it: it takes the folder's lock, brings the schema forward and starts the
// committer. A schema newer than the program's is refused with [ErrSchema]. What an earlier run was writing when it died
// needs no repair: a row is there whole or not at all, and bytes without a row are swept one day. The caller ends the
// store with Close.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg.setDefaults()
	s := &Store{cfg: cfg, queue: newQueue()}
	s.results, s.chores = s.queue, s.queue
	s.counts = newStockWriter()
	s.clerk = newClerk(s.queue, cfg.Now)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", cfg.Dir, err), s.closeFiles())
	}
	if !cfg.Beside {
		s.indexer = newIndexer(s, s.index)
	}
	for _, c := range s.committers() {
		c.indexer = s.indexer
		go c.run()
	}
	if cfg.PackInBlobs && !cfg.Beside {
		s.packer = &packer{
			blobs: cfg.Blobs, next: s.queue.putAccept, now: cfg.Now, step: cfg.Step, buffers: &s.buffers, failed: s.metrics.failed, packs: s.metrics.packs,
		}
		s.packer.start()
	}
	if s.indexer != nil {
		go s.indexer.run()
	}
	if s.feed.relay != nil {
		s.feed.relay.start()
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.cfg.Dir, err = filepath.Abs(s.cfg.Dir); err != nil {
		return err
	}
	if !s.cfg.Beside {
		if err := makeFolder(s.cfg.Dir, s.cfg.syncFolder); err != nil {
			return err
		}
		if s.lock, err = lockFolder(s.cfg.Dir); err != nil {
			return err
		}
	}
	if err := s.openEngine(); err != nil {
		return err
	}
	w, err := s.openCommitters()
	if err != nil {
		return err
	}
	if err := s.bringForward(w); err != nil {
		return err
	}
	if err := s.begin(ctx, w); err != nil {
		return err
	}
	if s.read.DB, err = s.engine.open(); err != nil {
		return err
	}
	if err := s.openIndex(); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(s.cfg.ReadConnections)
	s.read.SetMaxIdleConns(s.cfg.ReadConnections)
	if s.reads, err = prepareReads(ctx, &s.read); err != nil {
		return err
	}
	s.segments = newSegments(filepath.Join(s.cfg.Dir, "segments"), s.cfg.Now, s.cfg.Step, &s.buffers)
	if _, ok := s.engine.(*postgresEngine); ok {
		s.segments.most = segmentBatches
	}
	s.reader.path = s.segments.path
	if !s.cfg.Beside {
		if err := makeFolder(s.segments.dir, s.cfg.syncFolder); err != nil {
			return err
		}
	}
	if s.metrics, err = newMetrics(s.cfg.Registerer, s); err != nil {
		return err
	}
	for _, c := range s.committers() {
		c.segments, c.metrics, c.store = s.segments, s.metrics, s.id
	}
	s.disk = disk{path: s.cfg.Dir, min: s.cfg.MinFree}
	return nil
}

// openEngine chooses the database.
func (s *Store) openEngine() (err error) {
	if s.cfg.Database != "" {
		e, err := newPostgresEngine(s.cfg.Database)
		s.engine, s.read.engine = e, e
		return err
	}
	e := &sqliteEngine{path: s.databasePath()}
	s.engine, s.read.engine = e, e
	return e.prepare(s.cfg.Beside)
}

// openCommitters makes the committers with their connections, and gives the first of these for what is to be done before they run.
func (s *Store) openCommitters() (*writer, error) {
	w, err := newWriter(s.engine)
	if err != nil {
		return nil, err
	}
	s.committer = s.newCommitter(s.queue, w)
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		return w, nil
	}
	s.results, s.chores = newQueue(), newQueue()
	s.clerk.queue = s.chores
	s.others = []*committer{
		s.newCommitter(s.results, &writer{engine: e.joining(joinByHash)}),
		s.newCommitter(s.chores, &writer{engine: e}),
	}
	s.leases = newLeases(s.engine)
	if !s.cfg.Beside {
		if s.feed.relay, err = newRelay(e, &s.feed, s.cfg.Log); err != nil {
			return nil, err
		}
	}
	if s.lock != nil {
		s.place = placeOf(s.lock)
	}
	return w, nil
}

func (s *Store) newCommitter(q *queue, w *writer) *committer {
	return &committer{queue: q, writer: w, step: s.cfg.Step, now: s.cfg.Now, log: s.cfg.Log, stopped: make(chan struct{}), clerk: s.clerk, feed: &s.feed, meter: &s.meter, counts: s.counts}
}

// committers are one or three.
func (s *Store) committers() []*committer {
	if s.committer == nil {
		return nil
	}
	return append([]*committer{s.committer}, s.others...)
}

// choreCommitter is the one of chores.
func (s *Store) choreCommitter() *committer {
	all := s.committers()
	return all[len(all)-1]
}

// bringForward brings the schema forward, and proves that the database keeps what it is given.
func (s *Store) bringForward(w *writer) error {
	files := w.form(forms{"schema", "schema/postgres"})
	steps, err := schemaSteps(schemaFiles, files)
	if err != nil {
		return err
	}
	if w.postgres() {
		if err := checkServer(w, s.cfg.Log); err != nil {
			return err
		}
		return migratePostgres(w, steps, s.cfg.Beside)
	}
	return migrate(w, steps, s.cfg.Now(), s.cfg.Beside)
}

// begin notes what a run that writes has to: whose the blobs are, and since when it writes.
func (s *Store) begin(ctx context.Context, w *writer) (err error) {
	if s.cfg.Beside {
		return nil
	}
	if err := s.checkKeys(w); err != nil {
		return err
	}
	s.started = s.cfg.Now()
	if w.postgres() {
		if err := makePartitions(w, daysAhead(s.started)...); err != nil {
			return err
		}
	}
	id, err := identify(w, s.started)
	if err != nil {
		return err
	}
	if s.id, err = identity(id); err != nil {
		return err
	}
	if err := s.blobsAtStart(ctx); err != nil {
		return err
	}
	return beginSpan(w, s.started)
}

func (s *Store) databasePath() string { return filepath.Join(s.cfg.Dir, DatabaseName) }

// Close writes everything that was queued, refuses what comes later with [ErrClosed], and ends the store's goroutines.
// Closing again does nothing.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	if s.packer != nil {
		s.packer.close()
	}
	s.clerk.close()
	for _, c := range s.committers() {
		c.queue.close()
		<-c.stopped
	}
	if s.indexer != nil {
		if err := s.indexer.stop(); err != nil {
			s.cfg.Log.Debug("another node has to wait before it indexes messages for the search", "error", err)
		}
	}
	if err := s.closeFiles(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

func (s *Store) closeFiles() error {
	var errs []error
	s.reader.forget("")
	if s.segments != nil {
		s.segments.abandon()
	}
	if s.read.DB != nil {
		errs = append(errs, s.reads.close(), s.read.Close())
	}
	if s.index != nil {
		errs = append(errs, s.index.close())
	}
	for _, c := range s.committers() {
		errs = append(errs, c.writer.close())
	}
	if s.leases != nil {
		errs = append(errs, s.leases.close())
	}
	if s.feed.relay != nil {
		errs = append(errs, s.feed.relay.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close()) // the lock goes with it
	}
	return errors.Join(errs...)
}

// do runs a rare write in a transaction of its own on the committer's goroutine. When ctx ends before its turn, it is not
// run; after that do waits for it, so that what write captured is not touched once do has returned.
func (s *Store) do(ctx context.Context, write func(*writer) error) error {
	return s.enqueue(ctx, &task{do: write, done: make(chan error, 1)})
}

func (s *Store) enqueue(ctx context.Context, t *task) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.chores.putTask(t) {
		return ErrClosed
	}
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
		if s.chores.withdrawTask(t) {
			return ctx.Err()
		}
		return <-t.done
	}
}
