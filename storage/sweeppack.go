package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"slices"
	"strings"
	"time"
)

// doomedAge is how long the key of a deleted pack is remembered, so that no row can name it.
const doomedAge = 7 * 24 * time.Hour

// sweepPacks removes objects with raw bytes that no message needs. Before any bytes go, their key is committed as doomed;
// the transaction of an accept refuses a doomed pack, so of the two only one can happen.
func (s *Store) sweepPacks(ctx context.Context, now time.Time, swept *Swept) error {
	daily := now.Sub(s.orphansSwept) >= orphanAge
	if daily {
		if err := s.noteEmptied(ctx); err != nil { // the others need not wait for these
			s.cfg.Log.Warn("empty packs that are not marked could not be looked for; it is tried again with the next round", "error", err)
		}
	}
	if err := s.doomEmpty(ctx, now); err != nil {
		return err
	}
	spans, err := s.extendSpan(ctx, now)
	if err != nil {
		return err
	}
	if daily {
		n, err := s.doomOrphans(ctx, now, spans)
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
		_, err := w.exec("DELETE FROM pack WHERE emptied = 1 AND gone = 1 AND live = 0 AND doomed_at < ?", now.Add(-doomedAge).UnixMilli())
		return err
	})
}

// noteEmptied marks what was emptied by a node of a version that does not mark it. It looks at every pack, page by page beside the mail.
func (s *Store) noteEmptied(ctx context.Context) error {
	const page = 10_000
	for after, more := "", true; more; {
		rows, err := s.read.QueryContext(ctx, "SELECT key, CASE WHEN emptied = 0 AND live = 0 THEN 1 ELSE 0 END FROM pack WHERE key > ? ORDER BY key LIMIT ?", after, page)
		if err != nil {
			return err
		}
		var unmarked []driver.Value
		n := 0
		err = each(rows, func() error {
			var is int
			err := rows.Scan(&after, &is)
			if n++; is == 1 {
				unmarked = append(unmarked, after)
			}
			return err
		})
		if err != nil {
			return err
		}
		more = n == page
		for keys := range slices.Chunk(unmarked, sweepRows) {
			err := s.do(ctx, func(w *writer) error {
				_, err := w.exec("UPDATE pack SET emptied = 1 WHERE emptied = 0 AND live = 0 AND key IN ("+placeholders(len(keys))+")", keys...)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// doomEmpty dooms the packs whose messages are all gone, but for the segment that still grows.
func (s *Store) doomEmpty(ctx context.Context, now time.Time) error {
	return s.do(ctx, func(w *writer) error {
		_, err := w.exec("UPDATE pack SET doomed_at = ? WHERE emptied = 1 AND live = 0 AND gone = 0 AND doomed_at IS NULL AND key <> ?",
			now.UnixMilli(), s.segments.growing())
		return err
	})
}

// deleteDoomed deletes the bytes of every doomed pack, also those that an earlier sweep did not come to.
func (s *Store) deleteDoomed(ctx context.Context) (deleted int, err error) {
	for {
		rows, err := s.read.QueryContext(ctx, "SELECT key FROM pack WHERE emptied = 1 AND live = 0 AND gone = 0 AND doomed_at IS NOT NULL LIMIT ?", sweepRows)
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
	s.reader.forget(key)
	if err := os.Remove(s.segments.path(key)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
