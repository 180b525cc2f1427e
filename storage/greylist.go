package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/letterhook/letterhook/inbound/greylist"
)

// Greylist calls each with every triplet that is kept.
func (s *Store) Greylist(ctx context.Context, each func(greylist.Entry)) (err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT key, first_at, last_at, passed FROM greylist ORDER BY last_at")
	if err != nil {
		return fmt.Errorf("read the greylist: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key sql.RawBytes
		var first, last int64
		var e greylist.Entry
		if err := rows.Scan(&key, &first, &last, &e.Passed); err != nil {
			return fmt.Errorf("read the greylist: %w", err)
		}
		if len(key) != len(e.Key) {
			return fmt.Errorf("read the greylist: a key has %d octets", len(key))
		}
		copy(e.Key[:], key)
		e.First, e.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		each(e)
	}
	return rows.Err()
}

const (
	keepTriplet = `INSERT INTO greylist (key, first_at, last_at, passed) VALUES (?,?,?,?)
		ON CONFLICT (key) DO UPDATE SET first_at = excluded.first_at, last_at = excluded.last_at, passed = excluded.passed`
	forgetTriplet = "DELETE FROM greylist WHERE key = ?"
)

// KeepGreylist keeps triplets, in the place of those with the same keys, and removes others, in one transaction. They are
// durable when it returns.
func (s *Store) KeepGreylist(ctx context.Context, entries []greylist.Entry, gone []greylist.Key) error {
	err := s.do(ctx, func(w *writer) error {
		for i := range entries {
			e := &entries[i]
			passed := int64(0)
			if e.Passed {
				passed = 1
			}
			if _, err := w.exec(keepTriplet, e.Key[:], e.First.UnixMilli(), e.Last.UnixMilli(), passed); err != nil {
				return err
			}
		}
		for i := range gone {
			if _, err := w.exec(forgetTriplet, gone[i][:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep the greylist: %w", err)
	}
	return nil
}
