package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the driver "sqlite" for the pool of readers
)

// Config says where a [Store] lies and how it behaves.
type Config struct {
	// Dir is the data folder: database, segments, lock. It is made when it is missing.
	Dir string
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
	read      *sql.DB
	reads     reads
	queue     *queue
	committer *committer
	clerk     *clerk
	packer    *packer // nil: packs go to segments
	segments  *segments
	reader    segmentReader
	metrics   *metrics
	unacked   unacknowledged
	holding   holding
	buffers   buffers
	disk      disk
	trouble   trouble
	id        string    // of the store, for ever; empty beside a server
	started   time.Time // names the span of this run
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
	s.clerk = newClerk(s.queue, cfg.Now)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", cfg.Dir, err), s.closeFiles())
	}
	go s.committer.run()
	if cfg.PackInBlobs && !cfg.Beside {
		s.packer = &packer{
			blobs: cfg.Blobs, next: s.queue.putAccept, now: cfg.Now, step: cfg.Step, buffers: &s.buffers, failed: s.metrics.failed,
		}
		s.packer.start()
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
		if err := makeFile(s.databasePath()); err != nil {
			return err
		}
	} else if _, err := os.Stat(s.databasePath()); err != nil {
		return err // else SQLite would make an empty one
	}
	w, err := newWriter(s.dsn(false))
	if err != nil {
		return err
	}
	s.committer = &committer{
		queue: s.queue, writer: w, step: s.cfg.Step, now: s.cfg.Now, log: s.cfg.Log, stopped: make(chan struct{}), clerk: s.clerk,
	}
	steps, err := schemaSteps(schemaFiles)
	if err != nil {
		return err
	}
	if err := migrate(w, steps, s.cfg.Now(), s.cfg.Beside); err != nil {
		return err
	}
	if err := s.begin(ctx, w); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", s.dsn(true)); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readConnections)
	s.read.SetMaxIdleConns(readConnections)
	if s.reads, err = prepareReads(ctx, s.read); err != nil {
		return err
	}
	s.segments = newSegments(filepath.Join(s.cfg.Dir, "segments"), s.cfg.Now, s.cfg.Step, &s.buffers)
	s.reader.path = s.segments.path
	if !s.cfg.Beside {
		if err := makeFolder(s.segments.dir, s.cfg.syncFolder); err != nil {
			return err
		}
	}
	s.committer.segments = s.segments
	if s.metrics, err = newMetrics(s.cfg.Registerer, s); err != nil {
		return err
	}
	s.committer.metrics = s.metrics
	s.disk = disk{path: s.cfg.Dir, min: s.cfg.MinFree}
	return nil
}

// checkKeys opens the key of the newest message, so that a wrong instance key is told at the start and not by every
// mail that cannot be read.
func (s *Store) checkKeys(w *writer) error {
	err := w.query(func(row []driver.Value) error {
		id, _ := row[0].(string)
		stored, _ := row[1].([]byte)
		_, err := unwrapKey(s.cfg.Keys, id, stored)
		return err
	}, "SELECT id, key FROM message ORDER BY id DESC LIMIT 1")
	if err != nil {
		return fmt.Errorf("open the newest message with the instance keys given: %w", err)
	}
	return nil
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
	if s.id, err = identify(w, s.started); err != nil {
		return err
	}
	if err := s.ownAtStart(ctx); err != nil {
		return err
	}
	return beginSpan(w, s.started)
}

func (s *Store) databasePath() string { return filepath.Join(s.cfg.Dir, "letterhook.db") }

// dsn names the database. synchronous(full) is the promise: a commit returns when the write-ahead log is synced.
func (s *Store) dsn(readOnly bool) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(1)",
		"wal_autocheckpoint(2000)", "journal_size_limit(67108864)", "temp_store(memory)",
		"secure_delete(fast)", // the key of an erased message must not linger in a page
	}}
	if readOnly {
		q = url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: s.databasePath(), RawQuery: q.Encode()}
	return u.String()
}

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
	s.queue.close()
	<-s.committer.stopped
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
	if s.read != nil {
		errs = append(errs, s.reads.close(), s.read.Close())
	}
	if s.committer != nil {
		errs = append(errs, s.committer.writer.close())
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
	if !s.queue.putTask(t) {
		return ErrClosed
	}
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
		if s.queue.withdrawTask(t) {
			return ctx.Err()
		}
		return <-t.done
	}
}
