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
	// blobsWait bounds the look at the blobs when the store opens.
	blobsWait = 5 * time.Second
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
		marking := s.cfg.Blobs.Put(ctx, ownerKey, strings.NewReader(s.id), int64(len(s.id)))
		// Two that start at once: one of them finds the key taken. This look tells them apart.
		if owner, err = s.readOwner(ctx); errors.Is(err, ErrNotFound) && marking != nil {
			return marking
		}
	}
	if err != nil {
		return fmt.Errorf("learn whose blobs these are: %w", err)
	}
	if owner != s.id {
		return s.foreign(owner)
	}
	return nil
}

// foreign says whose the blobs are.
func (s *Store) foreign(owner string) error {
	return fmt.Errorf("%w: %s says %q, and this store is %q; use another bucket or prefix, or delete that object if its store is gone for ever",
		ErrForeign, s.ownerName(), owner, s.id)
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

// blobsAtStart refuses blobs of another store, and a bucket that the server says there is none of. When they cannot be used
// now the store opens all the same, for mail must be taken while a bucket is away: nothing but the sweep of orphans needs to know whose
// they are, and that asks again. Where packs lie in them the store is in trouble until they can be used.
func (s *Store) blobsAtStart(ctx context.Context) error {
	if s.cfg.Blobs == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, blobsWait)
	defer cancel()
	err := s.probeBlobs(ctx)
	if err != nil && !errors.Is(err, ErrForeign) && codeOf(err) != noSuchBucket {
		s.cfg.Log.Warn("the blobs cannot be used; the store opens without them", "error", err)
		if s.cfg.PackInBlobs {
			s.trouble.probed(0, unusable(err), s.cfg.Now())
		}
		return nil
	}
	return err
}
