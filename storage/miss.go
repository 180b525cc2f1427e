package storage

import (
	"context"
	"fmt"
	"time"
)

// missStep is how many deliveries one transaction finishes.
const missStep = 500

const (
	overdue      = " FROM delivery WHERE endpoint = ? AND due_at < ? ORDER BY due_at, id LIMIT ?"
	insertMissed = `INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at, job, recipients)
		SELECT message, id, endpoint, part, 'missed', ?, attempts, replay, created_at, ?, job, recipients` + overdue
	missedSummary = `INSERT INTO summary (message, finished_at, summary, attachments)
		SELECT message, ?, NULL, 1 FROM (SELECT DISTINCT message FROM (SELECT message` + overdue + `) AS late) AS messages WHERE true
		ON CONFLICT (message) DO UPDATE SET finished_at = excluded.finished_at`
	// finishMissed is all three on PostgreSQL, where an attempt may be recorded between two statements.
	finishMissed = `WITH late AS (SELECT message, id` + overdue + ` FOR UPDATE),
		gone AS (DELETE FROM delivery AS d USING late WHERE d.message = late.message AND d.id = late.id RETURNING d.*),
		finished AS (INSERT INTO summary (message, finished_at, summary, attachments) SELECT DISTINCT message, CAST(? AS BIGINT), CAST(NULL AS TEXT), 1 FROM gone
			ON CONFLICT (message) DO UPDATE SET finished_at = excluded.finished_at)
		INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at, job, recipients)
		SELECT message, id, endpoint, part, 'missed', ?, attempts, replay, created_at, ?, job, recipients FROM gone`
	deleteMissed = "DELETE FROM delivery WHERE (message, id) IN (SELECT message, id" + overdue + ")"
)

// Miss finishes, as missed, the deliveries of an endpoint that have been due since before a time. It is for shadow endpoints,
// which must hold nothing up when no attempts are made at them. An attempt that is under way is told that its delivery has
// changed.
func (s *Store) Miss(ctx context.Context, endpoint string, dueBefore time.Time, reason string) (missed int64, err error) {
	due := dueBefore.UnixMilli()
	for n := int64(missStep); n == missStep; missed += n {
		err := s.do(ctx, func(w *writer) error {
			now := s.cfg.Now().UnixMilli()
			if w.postgres() {
				var err error
				n, err = w.exec(finishMissed, endpoint, due, int64(missStep), now, reason, now)
				return err
			}
			if _, err := w.exec(insertMissed, reason, now, endpoint, due, int64(missStep)); err != nil {
				return err
			}
			if _, err := w.exec(missedSummary, now, endpoint, due, int64(missStep)); err != nil {
				return err
			}
			var err error
			n, err = w.exec(deleteMissed, endpoint, due, int64(missStep))
			return err
		})
		if err != nil {
			return missed, fmt.Errorf("finish what endpoint %s missed: %w", endpoint, err)
		}
	}
	return missed, nil
}
