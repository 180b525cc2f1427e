package storage

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The keys of packs and blobs of raw bytes begin with where they lie.
const (
	segmentPrefix = "seg/"  // a file in the folder of segments
	packPrefix    = "pack/" // an object in Blobs with many messages
	ownBlobPrefix = "raw/"  // an object in Blobs with one message
)

// A segment takes no more when it is this large or this old.
const (
	segmentSize = 64 << 20
	segmentAge  = 10 * time.Minute
)

// segmentFile is what a segment needs of a file.
type segmentFile interface {
	io.WriteCloser
	Sync() error
}

// segments appends sealed messages to files, with one sync for a batch. A row tells where its message lies, so nothing
// else is written: what a crash leaves at the end of a file belongs to no row and is never read. A file is never
// continued by another run of the program. It belongs to one goroutine.
type segments struct {
	dir    string
	create func(path string) (segmentFile, error)
	now    func() time.Time
	step   func(string)
	free   *buffers

	file   segmentFile // nil: the next batch begins a new one
	key    string
	size   int64
	opened time.Time
	buf    []byte
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

// append stores the bytes of those messages that do not lie in Blobs, synced, and says in their rows where. After an error
// the file is never written or synced again: a kernel may drop the pages that it failed to write and report the next sync
// as a success.
func (s *segments) append(as []*acceptance) error {
	size := 0
	for _, a := range as {
		size += a.sealedSize()
	}
	if size == 0 {
		return nil
	}
	if err := s.roll(); err != nil {
		return err
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
		}
	}
	if err := s.flush(); err != nil {
		s.abandon()
		return err
	}
	s.size += int64(len(s.buf))
	if cap(s.buf) > 2*maxPacked {
		s.buf = nil // a rare large batch must not stay in memory
	}
	for _, a := range as {
		for _, m := range a.messages {
			s.free.put(m.sealed)
			m.sealed = nil
		}
	}
	return nil
}

func (s *segments) flush() error {
	if _, err := s.file.Write(s.buf); err != nil {
		return err
	}
	s.step("pack-written")
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.step("pack-synced")
	return nil
}

// roll makes sure that there is a file that may be written.
func (s *segments) roll() error {
	now := s.now()
	if s.file != nil && (s.size >= segmentSize || now.Sub(s.opened) >= segmentAge) {
		s.abandon() // everything in it is synced
	}
	if s.file != nil {
		return nil
	}
	name := newID("", now)
	f, err := s.create(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	s.file, s.key, s.size, s.opened = f, segmentPrefix+name, 0, now
	return nil
}

// abandon lets go of the file.
func (s *segments) abandon() {
	if s.file != nil {
		_ = s.file.Close() // what counts was synced, and the rest is lost already
		s.file, s.key = nil, ""
	}
}

// path gives the file of a segment by its key.
func (s *segments) path(key string) string {
	return filepath.Join(s.dir, filepath.Base(strings.TrimPrefix(key, segmentPrefix)))
}
