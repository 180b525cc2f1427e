package storage

import (
	"context"
	"fmt"
	"time"
)

// LaneHead tells when an endpoint with unfinished deliveries next has something to do.
type LaneHead struct {
	Endpoint string
	DueAt    time.Time // of its oldest delivery
}

// Cursor is a place in a lane, ordered by due time and id. The zero value stands before everything.
type Cursor struct {
	DueAt time.Time
	ID    string
}

// selectLanes steps from endpoint to endpoint through the index, so it costs the number of lanes and not of rows.
const selectLanes = `WITH RECURSIVE lane (endpoint) AS (
		SELECT min(endpoint) FROM delivery
		UNION ALL
		SELECT (SELECT min(endpoint) FROM delivery WHERE endpoint > lane.endpoint) FROM lane WHERE lane.endpoint IS NOT NULL)
	SELECT endpoint, (SELECT min(due_at) FROM delivery WHERE delivery.endpoint = lane.endpoint)
	FROM lane WHERE endpoint IS NOT NULL`

const selectDue = `SELECT id, message, part, due_at, attempts, spared, replay, created_at, job, recipients, unfiltered FROM delivery
	WHERE endpoint = ? AND (due_at, id) > (?, ?) AND due_at <= ? ORDER BY due_at, id LIMIT ?`

// Lanes gives the oldest due time of every endpoint that has unfinished deliveries.
func (s *Store) Lanes(ctx context.Context) ([]LaneHead, error) {
	rows, err := s.reads.lanes.query(ctx)
	if err != nil {
		return nil, fmt.Errorf("read lanes: %w", err)
	}
	var heads []LaneHead
	err = each(rows, func() error {
		var h LaneHead
		var due int64
		if err := rows.Scan(&h.Endpoint, &due); err != nil {
			return err
		}
		h.DueAt = time.UnixMilli(due)
		heads = append(heads, h)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read lanes: %w", err)
	}
	s.metrics.read("lanes", len(heads))
	return heads, nil
}

// Fetch reads deliveries of an endpoint that stand behind the cursor and are due by a time, oldest first, without any
// lock. The cursor is a hint that saves walking the same rows again; times have a resolution of milliseconds.
func (s *Store) Fetch(ctx context.Context, endpoint string, after Cursor, dueBy time.Time, limit int) ([]Delivery, error) {
	from := int64(-1)
	if !after.DueAt.IsZero() {
		from = after.DueAt.UnixMilli()
	}
	rows, err := s.reads.fetch.query(ctx, endpoint, from, after.ID, dueBy.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("fetch deliveries of %s: %w", endpoint, err)
	}
	var ds []Delivery
	err = each(rows, func() error {
		d := Delivery{Endpoint: endpoint}
		var due, created int64
		err := rows.Scan(&d.ID, &d.Message, &d.Part, &due, &d.Attempts, &d.Spared, &d.Replay, &created, &d.Job, &d.Recipients, &d.Unfiltered)
		if err != nil {
			return err
		}
		d.DueAt, d.CreatedAt = time.UnixMilli(due), time.UnixMilli(created)
		ds = append(ds, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("fetch deliveries of %s: %w", endpoint, err)
	}
	s.metrics.read("due", len(ds))
	return ds, nil
}

// ForeignChange says whether another process has written to the database since the last call. It is cheap.
func (s *Store) ForeignChange(ctx context.Context) (changed bool, err error) {
	t := &task{bare: true, done: make(chan error, 1)}
	c := s.choreCommitter()
	t.do = func(w *writer) error {
		if err := w.connect(); err != nil {
			return err
		}
		version, err := w.queryInt(w.form(forms{"PRAGMA data_version", "SELECT n FROM change"}))
		// SQLite's number is the connection's own: after a new one it says nothing, so rather look once in vain.
		changed = err == nil && (version != c.dataVersion || w.generation != c.dataGeneration) && c.dataGeneration != 0
		c.dataVersion, c.dataGeneration = version, w.generation
		return err
	}
	if err := s.enqueue(ctx, t); err != nil {
		return false, fmt.Errorf("look for foreign changes: %w", err)
	}
	return changed, nil
}
