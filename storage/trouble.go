package storage

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// troubleLasts is how long a failed write speaks for the next one, where nothing probes. Whoever sends no mail to a server that is
	// not ready would else never learn that it has recovered.
	troubleLasts = time.Minute
	// probeEvery is the pause between two probes of a store in trouble, and probeWait bounds one.
	probeEvery = 5 * time.Second
	probeWait  = 10 * time.Second
	// probeKey is the object of a probe. It is the same one every time: a bucket that keeps versions, or lets go of nothing, has no more
	// than one key of probes.
	probeKey = "probe"
)

// trouble remembers whether mail can be stored.
type trouble struct {
	mu  sync.Mutex
	err error // of the last write or probe; nil: it went well, or there was none
	at  time.Time
	n   int64 // times that something was noted
}

// note keeps the outcome of an attempt to store a mail.
func (t *trouble) note(err error, now time.Time) {
	if err != nil {
		err = fmt.Errorf("the last mail could not be stored: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err, t.at, t.n = err, now, t.n+1
}

// probed keeps the outcome of a probe, unless a mail has told something newer since n was read.
func (t *trouble) probed(n int64, err error, now time.Time) (kept bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n != n {
		return false
	}
	t.err, t.at, t.n = err, now, t.n+1
	return true
}

func (t *trouble) stands() (at time.Time, n int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at, t.n, t.err
}

// AcceptTrouble is why mail cannot be stored now, as far as is known, or nil. Where packs lie in Blobs it stands from the start until
// these could be written to once, and after a mail that could not be stored until one is or [Store.ProbeTrouble] finds nothing; elsewhere
// for a minute after such a mail, unless one is stored sooner.
func (s *Store) AcceptTrouble() error {
	at, _, err := s.trouble.stands()
	if !s.cfg.PackInBlobs && s.cfg.Now().Sub(at) >= troubleLasts {
		return nil
	}
	return err
}

// WatchTrouble probes every few seconds while there is trouble, until ctx ends.
func (s *Store) WatchTrouble(ctx context.Context) error {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.ProbeTrouble(ctx)
		}
	}
}

// ProbeTrouble does what the storage of a mail does, as small as can be, when AcceptTrouble stands and packs lie in Blobs. What it finds
// is the trouble from then on.
func (s *Store) ProbeTrouble(ctx context.Context) {
	_, n, found := s.trouble.stands()
	if found == nil || !s.cfg.PackInBlobs {
		return
	}
	probing, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	err := s.probe(probing)
	if ctx.Err() != nil { // it says nothing about the storage
		return
	}
	if s.trouble.probed(n, err, s.cfg.Now()) && err == nil {
		s.cfg.Log.Info("mail can be stored again")
	}
}

// probe does with the database and the blobs what a mail needs of them. To read would not do: credentials may be for reading alone, and a
// disk may be full. The database, where nothing stays of it, comes first: while that is away nothing is written to the blobs.
func (s *Store) probe(ctx context.Context) error {
	err := s.enqueue(ctx, &task{apart: true, done: make(chan error, 1), do: func(w *writer) error {
		_, err := w.exec("UPDATE store SET id = id")
		return err
	}})
	if err != nil {
		return fmt.Errorf("the database cannot be written: %w", err)
	}
	if err := s.probeBlobs(ctx); err != nil {
		return unusable(err)
	}
	return nil
}

// probeBlobs makes sure that the blobs are this store's, and tries to write to them and to delete.
func (s *Store) probeBlobs(ctx context.Context) error {
	if err := s.own(ctx); err != nil {
		return err
	}
	kept, err := writeProbe(ctx, s.cfg.Blobs)
	if kept != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("nothing can be deleted from the blobs: mail is stored, but what retention and erase delete stays there", "error", kept)
	}
	return err
}

func writeProbe(ctx context.Context, blobs Blobs) (kept, err error) {
	err = blobs.Put(ctx, probeKey, strings.NewReader(probeKey), int64(len(probeKey)))
	// Another node, which starts too, may delete the object after this one found it there. Who may not write does not get so far.
	if err != nil && statusOf(err) != http.StatusPreconditionFailed {
		return nil, err
	}
	return blobs.Delete(ctx, probeKey), nil
}

// unusable says that no mail can be stored because of Blobs.
func unusable(err error) error { return fmt.Errorf("the blobs cannot be used: %w", err) }
