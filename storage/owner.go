package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// ownerKey is the object that says which store the others belong to.
	ownerKey = "owner"
	// ownerWait bounds the look at it when the store opens.
	ownerWait = 5 * time.Second
	// maxOwner bounds what is read of it, should it be something else.
	maxOwner = 100

	storePrefix = "store_"

	// noSuchBucket is an answer and no outage: nobody but the operator can mend it.
	noSuchBucket = "NoSuchBucket"
)

// identify gives the store's own id, which is made with the first migration and lives as long as the database.
func identify(w *writer, now time.Time) (id string, err error) {
	err = w.transact(func() error {
		_, err := w.exec("INSERT INTO store (one, id) VALUES (1, ?) ON CONFLICT DO NOTHING", newID(storePrefix, now))
		if err != nil {
			return err
		}
		id, err = w.queryText("SELECT id FROM store")
		return err
	})
	return id, err
}

// own makes sure that Blobs belongs to this store: it marks what is nobody's, and gives an error that Is [ErrForeign]
// when another store was first.
func (s *Store) own(ctx context.Context) error {
	owner, err := s.readOwner(ctx)
	if errors.Is(err, ErrNotFound) {
		if err := s.cfg.Blobs.Put(ctx, ownerKey, strings.NewReader(s.id), int64(len(s.id))); err != nil {
			// Two that start at once: one of them finds the key taken. The look below tells them apart.
			s.cfg.Log.Debug("marking the blobs failed", "error", err)
		}
		owner, err = s.readOwner(ctx)
	}
	if err != nil {
		return fmt.Errorf("learn whose blobs these are: %w", err)
	}
	if owner != s.id {
		return fmt.Errorf("%w: %s says %q, and this store is %q; use another bucket or prefix, or delete that object if its store is gone for ever",
			ErrForeign, s.ownerName(), owner, s.id)
	}
	return nil
}

// ownerName says where the mark lies.
func (s *Store) ownerName() string {
	if b, ok := s.cfg.Blobs.(fmt.Stringer); ok {
		return fmt.Sprintf("object %q of %s", ownerKey, b)
	}
	return fmt.Sprintf("object %q", ownerKey)
}

func (s *Store) readOwner(ctx context.Context) (_ string, err error) {
	r, err := s.cfg.Blobs.OpenRange(ctx, ownerKey, 0, maxOwner)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b, err := io.ReadAll(r)
	return string(b), err
}

// ownAtStart refuses blobs of another store, and a bucket that the server says there is none of. When they cannot be asked
// now the store opens all the same, for mail must be taken while a bucket is away: nothing but the sweep of orphans needs the answer, and that asks again.
// Where packs lie in them the store is in trouble until they were reached once.
func (s *Store) ownAtStart(ctx context.Context) error {
	if s.cfg.Blobs == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ownerWait)
	defer cancel()
	err := s.own(ctx)
	if err != nil && !errors.Is(err, ErrForeign) && codeOf(err) != noSuchBucket {
		s.cfg.Log.Warn("the blobs cannot be reached; the store opens without them", "error", err)
		if s.cfg.PackInBlobs {
			s.trouble.probed(0, unusable(err), s.cfg.Now())
		}
		return nil
	}
	return err
}
