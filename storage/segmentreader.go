package storage

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// segmentReader opens segments for reading. It keeps the one that was asked for last open, because a backlog lies in few of
// them and opening one costs more than reading a mail. Safe for concurrent use.
type segmentReader struct {
	path func(key string) string

	mu   sync.Mutex
	last *openSegment // nil: none
}

// openSegment is a segment that is being read. It is closed when nobody uses it.
type openSegment struct {
	*os.File
	key    string
	reader *segmentReader
	users  int // under the reader's lock; the reader itself is one while it keeps the segment
}

// open opens a segment, or shares it. An absent one gives an error that Is [ErrNotFound]. The caller closes it.
func (r *segmentReader) open(key string) (*openSegment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil && r.last.key == key {
		r.last.users++
		return r.last, nil
	}
	f, err := os.Open(r.path(key))
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	r.dropLocked()
	r.last = &openSegment{File: f, key: key, reader: r, users: 2}
	return r.last, nil
}

// Close gives the segment back.
func (s *openSegment) Close() error {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	return s.giveLocked()
}

func (s *openSegment) giveLocked() error {
	if s.users--; s.users > 0 {
		return nil
	}
	return s.File.Close()
}

// forget closes the segment with the key, or any when key is empty, as soon as nobody reads it: one that was removed keeps
// its room on the disk for as long as it is open.
func (r *segmentReader) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil && (key == "" || r.last.key == key) {
		r.dropLocked()
	}
}

func (r *segmentReader) dropLocked() {
	if r.last != nil {
		_ = r.last.giveLocked() // it was only read
		r.last = nil
	}
}
