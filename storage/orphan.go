package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	// orphanAge is how old bytes without a row must be before they go: much older than any accept can take.
	orphanAge = 24 * time.Hour
	// orphanMargin is how long before the end of a span bytes must have been made for their row to lie within it too.
	orphanMargin = time.Hour
)

// span is a time during which this database was the one that was written to.
type span struct{ from, to time.Time }

// beginSpan notes that this run begins to write. The spans of runs too short to prove anything are forgotten.
func beginSpan(w *writer, now time.Time) error {
	return w.transact(func() error {
		if _, err := w.exec("DELETE FROM span WHERE seen_at - started_at <= ?", orphanMargin.Milliseconds()); err != nil {
			return err
		}
		_, err := w.exec("INSERT INTO span (started_at, seen_at) VALUES (?,?) ON CONFLICT DO NOTHING", now.UnixMilli(), now.UnixMilli())
		return err
	})
}

// extendSpan commits that the database knows what was written up to now, and gives all spans.
func (s *Store) extendSpan(ctx context.Context, now time.Time) (spans []span, err error) {
	err = s.do(ctx, func(w *writer) error {
		_, err := w.exec("UPDATE span SET seen_at = CASE WHEN seen_at > ? THEN seen_at ELSE ? END WHERE started_at = ?", now.UnixMilli(), now.UnixMilli(), s.started.UnixMilli())
		if err != nil {
			return err
		}
		return w.query(func(row []driver.Value) error {
			spans = append(spans, span{time.UnixMilli(row[0].(int64)), time.UnixMilli(row[1].(int64))})
			return nil
		}, "SELECT started_at, seen_at FROM span")
	})
	return spans, err
}

// orphans collects the keys of bytes without a row, and dooms them in small transactions.
type orphans struct {
	store   *Store
	now     time.Time
	spans   []span
	keys    []driver.Value
	found   int
	unknown int // old, but of a time that the database does not know
}

// doomOrphans dooms objects that are old and in no row. Of the objects of a time in which the database was not the one
// written to it knows nothing, so those stay: they may be the mail of a newer database than this one.
func (s *Store) doomOrphans(ctx context.Context, now time.Time, spans []span) (found int, err error) {
	o := orphans{store: s, now: now, spans: spans}
	if err := s.listSegments(func(key string, modified time.Time) error { return o.add(ctx, key, modified) }); err != nil {
		return o.found, err
	}
	if s.cfg.Blobs != nil {
		if err := o.addBlobs(ctx); err != nil {
			return o.found, err
		}
	}
	err = o.flush(ctx)
	if o.unknown > 0 {
		s.cfg.Log.Warn("bytes of unknown mail are kept: they were written while another database was in use", "objects", o.unknown)
	}
	return o.found, err
}

func (o *orphans) addBlobs(ctx context.Context) error {
	// A start while Blobs was away has not proved this yet.
	if err := o.store.own(ctx); err != nil {
		return err
	}
	for _, prefix := range []string{packPrefix, ownBlobPrefix} {
		for object, err := range o.store.cfg.Blobs.List(ctx, prefix) {
			if err == nil {
				err = o.add(ctx, object.Key, object.Modified)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *orphans) add(ctx context.Context, key string, modified time.Time) error {
	if o.now.Sub(modified) < orphanAge {
		return nil
	}
	if o.keys = append(o.keys, key); len(o.keys) < sweepRows {
		return nil
	}
	return o.flush(ctx)
}

// flush commits the keys that have no row as doomed, where the database would know of a row.
func (o *orphans) flush(ctx context.Context) error {
	if len(o.keys) == 0 {
		return nil
	}
	known := map[string]bool{}
	rows, err := o.store.read.QueryContext(ctx, "SELECT key FROM pack WHERE key IN ("+placeholders(len(o.keys))+")", anys(o.keys)...)
	if err != nil {
		return err
	}
	err = each(rows, func() error {
		var key string
		err := rows.Scan(&key)
		known[key] = true
		return err
	})
	if err != nil {
		return err
	}
	var doomed []driver.Value
	for _, key := range o.keys {
		switch {
		case known[key.(string)]:
		case o.isWithin(key.(string)):
			doomed = append(doomed, key)
		default:
			o.unknown++
		}
	}
	o.keys = o.keys[:0]
	n, err := o.store.doom(ctx, o.now, doomed)
	if o.found += n; n > 0 {
		o.store.cfg.Log.Info("bytes that no mail names are removed", "objects", n, "first", doomed[0])
	}
	return err
}

// isWithin says whether the bytes of the key were made in a time that the database knows. The time stands in the key, so
// it is by the clock of this machine, like the spans.
func (o *orphans) isWithin(key string) bool {
	name := key[strings.LastIndexByte(key, '/')+1:]
	id, err := ulid.Parse(strings.TrimPrefix(name, messagePrefix))
	if err != nil {
		return false // not ours
	}
	made := id.Timestamp()
	for _, s := range o.spans {
		if !made.Before(s.from) && !made.Add(orphanMargin).After(s.to) {
			return true
		}
	}
	return false
}

func anys(values []driver.Value) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
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
			n, err := w.exec("INSERT INTO pack (key, created_at, live, emptied, doomed_at) VALUES (?,?,0,1,?) ON CONFLICT (key) DO NOTHING",
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
