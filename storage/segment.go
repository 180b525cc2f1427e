package storage

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// The keys of packs and blobs of raw bytes begin with where they lie.
const (
	segmentPrefix = "seg/"  // a file in the folder of segments
	packPrefix    = "pack/" // an object in Blobs with many messages
	ownBlobPrefix = "raw/"  // an object in Blobs with one message
)

// A segment takes no more when it is this large, this old, or, where the database keeps old versions of rows, has had this many batches: each
// changes the row that counts its messages, and walks past all versions of it that a snapshot keeps.
const (
	segmentSize    = 64 << 20
	segmentAge     = 10 * time.Minute
	segmentBatches = 2000
)

// segmentFile is what a segment needs of a file.
type segmentFile interface {
	io.WriteCloser
	Sync() error
}

// segments appends sealed messages to files, with one sync for a batch, which runs beside what its owner does. A row tells
// where its message lies, so nothing else is written: what a crash leaves at the end of a file belongs to no row and is
// never read. A file is never continued by another run of the program. It belongs to one goroutine.
type segments struct {
	dir    string
	create func(path string) (segmentFile, error)
	now    func() time.Time
	step   func(string)
	free   *buffers

	file    segmentFile // nil: the next batch begins a new one
	syncing *packSync   // the last sync of file; nil: none yet
	key     string
	grows   atomic.Pointer[string] // key, for whoever is not the committer
	size    int64
	opened  time.Time
	batches int
	most    int // batches of a segment; 0: no bound
	buf     []byte
}

// packSync is a sync of a segment that is under way or has ended.
type packSync struct {
	ended chan struct{}
	err   error         // set before ended is closed, like took
	took  time.Duration // how long it ran
}

// wakeUp is what it costs to have another thread run a sync.
const wakeUp = 100 * time.Microsecond

// wait waits for the end of the sync. With an error the bytes may or may not be on the disk. A nil packSync has ended well.
func (p *packSync) wait() error {
	if p == nil {
		return nil
	}
	<-p.ended
	return p.err
}

func newSegments(dir string, now func() time.Time, step func(string), free *buffers) *segments {
	return &segments{dir: dir, create: createSegment, now: now, step: step, free: free}
}

// createSegment makes a file whose name survives a crash.
func createSegment(path string) (segmentFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

// append writes the bytes of those messages that do not lie in Blobs, says in their rows where, and begins to sync them: the
// rows may be written meanwhile, but not committed before wait has returned without an error. After an error of either the
// file is never written or synced again: a kernel may drop the pages that it failed to write and report the next
// sync as a success.
func (s *segments) append(as []*acceptance) (*packSync, error) {
	size := 0
	for _, a := range as {
		size += a.sealedSize()
	}
	if size == 0 {
		return nil, nil
	}
	if err := s.roll(); err != nil {
		return nil, err
	}
	s.buf = s.buf[:0]
	for _, a := range as {
		for _, m := range a.messages {
			if m.sealed == nil {
				continue
			}
			m.mail.raw.pack = s.key
			m.mail.raw.offset = s.size + int64(len(s.buf))
			s.buf = append(s.buf, m.sealed...)
			s.free.put(m.sealed)
			m.sealed = nil
		}
	}
	if _, err := s.file.Write(s.buf); err != nil {
		s.abandon()
		return nil, err
	}
	s.step("pack-written")
	s.size += int64(len(s.buf))
	s.batches++
	if cap(s.buf) > 2*maxPacked {
		s.buf = nil // a rare large batch must not stay in memory
	}
	s.sync()
	return s.syncing, nil
}

// sync begins to sync the file. Where the last sync was over before another thread would have woken up, it is over when
// sync returns.
func (s *segments) sync() {
	quick := s.syncing != nil && s.syncing.took < wakeUp
	p, file := &packSync{ended: make(chan struct{})}, s.file
	s.syncing = p
	run := func() {
		defer close(p.ended)
		began := time.Now()
		p.err = file.Sync()
		p.took = time.Since(began)
	}
	if quick {
		run()
		return
	}
	go run()
}

// roll makes sure that there is a file that may be written.
func (s *segments) roll() error {
	now := s.now()
	if s.file != nil && (s.syncing.wait() != nil || s.size >= segmentSize || now.Sub(s.opened) >= segmentAge || (s.most > 0 && s.batches >= s.most)) {
		s.abandon() // whoever was to hear of the error has
	}
	if s.file != nil {
		return nil
	}
	name := newID("", now)
	f, err := s.create(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	s.file, s.key, s.size, s.opened, s.batches = f, segmentPrefix+name, 0, now, 0
	key := s.key
	s.grows.Store(&key)
	return nil
}

// abandon lets go of the file.
func (s *segments) abandon() {
	if s.file != nil {
		_ = s.syncing.wait() // each batch has asked for itself
		_ = s.file.Close()   // what counts was synced, and the rest is lost already
		s.file, s.syncing, s.key = nil, nil, ""
		s.grows.Store(nil)
	}
}

// growing is the key of the segment that is being written; empty: there is none.
func (s *segments) growing() string {
	if key := s.grows.Load(); key != nil {
		return *key
	}
	return ""
}

// path gives the file of a segment by its key.
func (s *segments) path(key string) string {
	return filepath.Join(s.dir, filepath.Base(strings.TrimPrefix(key, segmentPrefix)))
}
