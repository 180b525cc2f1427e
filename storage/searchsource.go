package storage

import (
	"context"
	"database/sql"
	"errors"
	"math"
)

// indexed gives candidates by the index, and before them the messages that it does not have yet. They come in the order in which
// they were accepted, which is that of their ids but for mails that were accepted at the same time.
func (s *Store) indexed(ctx context.Context, q question) (candidateList, error) {
	reached, err := s.index.reached(ctx)
	if err != nil {
		return nil, err
	}
	question := q.text(" AND ", " OR ", `"`)
	row := int64(-1)
	return func(ctx context.Context, before string, limit int) ([]string, error) {
		if row < 0 {
			var err error
			if row, err = s.rowOf(ctx, before); err != nil {
				return nil, err
			}
		}
		hits, err := s.recent(ctx, reached, row, limit)
		if err == nil && len(hits) < limit {
			var older []hit
			older, err = s.index.find(ctx, question, min(row, reached+1), limit-len(hits))
			hits = append(hits, older...)
		}
		if err != nil {
			return nil, err
		}
		ids := make([]string, len(hits))
		for i, h := range hits {
			ids[i], row = h.id, h.n
		}
		return ids, nil
	}, nil
}

// recent gives messages behind a row, the latest first, from before another row.
func (s *Store) recent(ctx context.Context, after, before int64, limit int) (hits []hit, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT rowid, id FROM message WHERE rowid > ? AND rowid < ? ORDER BY rowid DESC LIMIT ?", after, before, limit)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var h hit
		err := rows.Scan(&h.n, &h.id)
		hits = append(hits, h)
		return err
	})
	return hits, err
}

// rowOf is the row of a message, or of the first one behind its place when it is gone; an empty id is behind all.
func (s *Store) rowOf(ctx context.Context, id string) (n int64, err error) {
	if id == "" {
		return math.MaxInt64, nil
	}
	err = s.read.QueryRowContext(ctx, "SELECT rowid FROM message WHERE id >= ? ORDER BY id LIMIT 1", id).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return math.MaxInt64, nil
	}
	return n, err
}
