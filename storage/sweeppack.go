package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"strings"
	"time"
)

const (
	// orphanAge is how old bytes without a row must be before they go: much older than any accept can take.
	orphanAge = 24 * time.Hour
	// doomedAge is how long the key of a deleted pack is remembered, so that no row can name it.
	doomedAge = 7 * 24 * time.Hour
)

// sweepPacks removes objects with raw bytes that no message needs. Before any bytes go, their key is committed as doomed;
// the transaction of an accept refuses a doomed pack, so of the two only one can happen.
func (s *Store) sweepPacks(ctx context.Context, now time.Time, swept *Swept) error {
	if err := s.doomEmpty(ctx, now); err != nil {
		return err
	}
	if now.Sub(s.orphansSwept) >= orphanAge {
		n, err := s.doomOrphans(ctx, now)
		if err != nil {
			return err
		}
		swept.Orphans = n
		s.orphansSwept = now
	}
	n, err := s.deleteDoomed(ctx)
	swept.Packs = max(n-swept.Orphans, 0)
	if err != nil {
		return err
	}
	return s.do(ctx, func(w *writer) error {
		_, err := w.exec("DELETE FROM pack WHERE gone = 1 AND live = 0 AND doomed_at < ?", now.Add(-doomedAge).UnixMilli())
		return err
	})
}

// doomEmpty dooms the packs whose messages are all gone, but for the segment that still grows.
func (s *Store) doomEmpty(ctx context.Context, now time.Time) error {
	return s.do(ctx, func(w *writer) error {
		_, err := w.exec("UPDATE pack SET doomed_at = ? WHERE live = 0 AND gone = 0 AND doomed_at IS NULL AND key <> ?",
			now.UnixMilli(), s.segments.key)
		return err
	})
}

// doomOrphans dooms objects that are old and in no row.
func (s *Store) doomOrphans(ctx context.Context, now time.Time) (found int, err error) {
	var keys []driver.Value
	flush := func() error {
		n, err := s.doom(ctx, now, keys)
		found += n
		keys = keys[:0]
		return err
	}
	add := func(key string, modified time.Time) error {
		if now.Sub(modified) < orphanAge {
			return nil
		}
		if keys = append(keys, key); len(keys) < sweepRows {
			return nil
		}
		return flush()
	}
	if err := s.listSegments(add); err != nil {
		return found, err
	}
	for _, prefix := range []string{packPrefix, ownBlobPrefix} {
		for object, err := range s.cfg.Blobs.List(ctx, prefix) {
			if err != nil {
				return found, err
			}
			if err := add(object.Key, object.Modified); err != nil {
				return found, err
			}
		}
	}
	return found, flush()
}

func (s *Store) listSegments(each func(key string, modified time.Time) error) error {
	entries, err := os.ReadDir(s.segments.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := each(segmentPrefix+e.Name(), info.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

// doom commits the keys that have no row as doomed.
func (s *Store) doom(ctx context.Context, now time.Time, keys []driver.Value) (doomed int, err error) {
	if len(keys) == 0 {
		return 0, nil
	}
	err = s.do(ctx, func(w *writer) error {
		for _, key := range keys {
			n, err := w.exec("INSERT INTO pack (key, created_at, live, doomed_at) VALUES (?,?,0,?) ON CONFLICT (key) DO NOTHING",
				key, now.UnixMilli(), now.UnixMilli())
			if err != nil {
				return err
			}
			doomed += int(n)
		}
		return nil
	})
	return doomed, err
}

// deleteDoomed deletes the bytes of every doomed pack, also those that an earlier sweep did not come to.
func (s *Store) deleteDoomed(ctx context.Context) (deleted int, err error) {
	for {
		rows, err := s.read.QueryContext(ctx, "SELECT key FROM pack WHERE live = 0 AND gone = 0 AND doomed_at IS NOT NULL LIMIT ?", sweepRows)
		if err != nil {
			return deleted, err
		}
		var keys []driver.Value
		err = each(rows, func() error {
			var key string
			err := rows.Scan(&key)
			keys = append(keys, key)
			return err
		})
		if err != nil || len(keys) == 0 {
			return deleted, err
		}
		for _, key := range keys {
			if err := s.deletePack(ctx, key.(string)); err != nil {
				return deleted, err
			}
			deleted++
		}
		err = s.do(ctx, func(w *writer) error {
			_, err := w.exec("UPDATE pack SET gone = 1 WHERE key IN ("+placeholders(len(keys))+")", keys...)
			return err
		})
		if err != nil {
			return deleted, err
		}
	}
}

func (s *Store) deletePack(ctx context.Context, key string) error {
	if !strings.HasPrefix(key, segmentPrefix) {
		return s.cfg.Blobs.Delete(ctx, key)
	}
	if err := os.Remove(s.segments.path(key)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
