package storage

import (
	"context"
	"database/sql/driver"
	"time"
)

// held messages whose time is over: those that were refused, and those whose sender did not come again.
const selectExpired = `SELECT m.id, m.account FROM held AS h JOIN message AS m ON m.id = h.message
	WHERE h.expires_at <= ? ORDER BY h.expires_at, h.message LIMIT ?`

// sweepHeld removes held messages whose time is over, with their bytes. What became of them stays in the log. Their dedupe
// keys go first: from then on no session can take one up while it is taken away.
func (s *Store) sweepHeld(ctx context.Context, now time.Time, swept *Swept) error {
	for {
		list, err := s.storedList(ctx, selectExpired, now.UnixMilli(), sweepRows)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := s.claimHeld(ctx, now, ids(list)); err != nil {
			return err
		}
		n, err := s.removeClaimed(ctx)
		if swept.Attachments += n; err != nil {
			return err
		}
		err = s.do(ctx, func(w *writer) error {
			n, err := removeHeld(w, now, ids(list))
			swept.Messages += n
			return err
		})
		if err == nil {
			err = s.forgetGone(ctx, list)
		}
		if err != nil {
			return err
		}
	}
}

// claimHeld commits that those of the messages go whose time is still over.
func (s *Store) claimHeld(ctx context.Context, now time.Time, list []driver.Value) error {
	expired := "(SELECT message FROM held WHERE message IN (" + placeholders(len(list)) + ") AND expires_at <= ?)"
	args := append(append([]driver.Value{}, list...), now.UnixMilli())
	return s.do(ctx, func(w *writer) error {
		if w.postgres() { // a session that takes one of them up meanwhile waits, or is waited for and seen below
			if _, err := w.exec("SELECT message FROM held WHERE message IN ("+placeholders(len(list))+") ORDER BY message FOR UPDATE", list...); err != nil {
				return err
			}
		}
		_, err := w.exec("DELETE FROM dedupe WHERE key IN (SELECT dedupe FROM message WHERE id IN "+expired+
			") AND message IN "+expired, append(args, args...)...)
		if err == nil {
			_, err = w.exec("UPDATE summary SET attachments = 2 WHERE message IN "+expired+" AND attachments = 1", args...)
		}
		return err
	})
}

// removeHeld deletes the rows of claimed messages and leaves a result of each in the log.
func removeHeld(w *writer, now time.Time, list []driver.Value) (removed int, err error) {
	of := " FROM held WHERE message IN (" + placeholders(len(list)) + ") AND expires_at <= ?"
	args := append(append([]driver.Value{}, list...), now.UnixMilli())
	_, err = w.exec(`INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at)
		SELECT message, id, endpoint, part, CASE state WHEN 'held' THEN 'withdrawn' ELSE state END,
			CASE state WHEN 'held' THEN 'the session ended without an answer and the sender did not come again' ELSE reason END,
			attempts, 0, created_at, ?`+of, append([]driver.Value{now.UnixMilli()}, args...)...)
	if err != nil {
		return 0, err
	}
	var gone []driver.Value
	err = w.query(func(row []driver.Value) error {
		gone = append(gone, row[0])
		return nil
	}, "DELETE"+of+" RETURNING message", args...)
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	return removeMessages(w, gone)
}
