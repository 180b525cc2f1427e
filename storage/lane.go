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

// Question asks for deliveries of an endpoint that stand behind a cursor, so many at most.
type Question struct {
	Endpoint string
	After    Cursor
	Limit    int
}

// selectDueOfMany is selectDue for many endpoints on one way to the server. Their numbers tell them apart.
const selectDueOfMany = `SELECT q.n, d.* FROM unnest(?::bigint[], ?::text[], ?::bigint[], ?::text[], ?::bigint[]) AS q (n, endpoint, due_at, id, most)
	CROSS JOIN LATERAL (SELECT id, message, part, due_at, attempts, spared, replay, created_at, job, recipients, unfiltered FROM delivery
		WHERE delivery.endpoint = q.endpoint AND (delivery.due_at, delivery.id) > (q.due_at, q.id) AND delivery.due_at <= ?
		ORDER BY delivery.due_at, delivery.id LIMIT q.most) AS d`

// FetchAll is Fetch for several endpoints, in the order of the questions.
func (s *Store) FetchAll(ctx context.Context, questions []Question, dueBy time.Time) (answers [][]Delivery, err error) {
	answers = make([][]Delivery, len(questions))
	if _, ok := s.engine.(*postgresEngine); !ok || len(questions) == 1 {
		for i := range questions {
			q := &questions[i]
			if answers[i], err = s.Fetch(ctx, q.Endpoint, q.After, dueBy, q.Limit); err != nil {
				return nil, err
			}
		}
		return answers, nil
	}
	var numbers, dues, mosts []int64
	var endpoints, ids []string
	for i := range questions {
		q := &questions[i]
		numbers, endpoints, mosts = append(numbers, int64(i)), append(endpoints, q.Endpoint), append(mosts, int64(q.Limit))
		dues, ids = append(dues, q.After.millis()), append(ids, q.After.ID)
	}
	rows, err := s.read.QueryContext(ctx, selectDueOfMany, numbers, endpoints, dues, ids, mosts, dueBy.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("fetch deliveries of %d endpoints: %w", len(questions), err)
	}
	found := 0
	err = each(rows, func() error {
		var n int
		var d deliveryRow
		if err := rows.Scan(append([]any{&n}, d.fields()...)...); err != nil {
			return err
		}
		answers[n] = append(answers[n], d.delivery(questions[n].Endpoint))
		found++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("fetch deliveries of %d endpoints: %w", len(questions), err)
	}
	s.metrics.read("due", found)
	return answers, nil
}

// millis is the time of a cursor in the database.
func (c *Cursor) millis() int64 {
	if c.DueAt.IsZero() {
		return -1
	}
	return c.DueAt.UnixMilli()
}

// deliveryRow is a row of delivery as selectDue has it.
type deliveryRow struct {
	Delivery
	due, created int64
}

func (d *deliveryRow) fields() []any {
	return []any{&d.ID, &d.Message, &d.Part, &d.due, &d.Attempts, &d.Spared, &d.Replay, &d.created, &d.Job, &d.Recipients, &d.Unfiltered}
}

func (d *deliveryRow) delivery(endpoint string) Delivery {
	d.Endpoint, d.DueAt, d.CreatedAt = endpoint, time.UnixMilli(d.due), time.UnixMilli(d.created)
	return d.Delivery
}

// Fetch reads deliveries of an endpoint that stand behind the cursor and are due by a time, oldest first, without any
// lock. The cursor is a hint that saves walking the same rows again; times have a resolution of milliseconds.
func (s *Store) Fetch(ctx context.Context, endpoint string, after Cursor, dueBy time.Time, limit int) ([]Delivery, error) {
	rows, err := s.reads.fetch.query(ctx, endpoint, after.millis(), after.ID, dueBy.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("fetch deliveries of %s: %w", endpoint, err)
	}
	var ds []Delivery
	err = each(rows, func() error {
		var d deliveryRow
		if err := rows.Scan(d.fields()...); err != nil {
			return err
		}
		ds = append(ds, d.delivery(endpoint))
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
