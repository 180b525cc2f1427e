package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// Retention says how long finished things are kept. The age of a message counts from the last terminal result of its
// deliveries, or from its arrival when it has none. 0 keeps for ever.
type Retention struct {
	Messages    time.Duration // raw bytes, envelope, results
	Attachments time.Duration // in Blobs; at the latest they go with their message
	Attempts    time.Duration // the log of attempts, and the results of messages that are gone
	// Accounts are those whose messages are kept otherwise, by their ids.
	Accounts map[string]AccountRetention
}

// Swept counts what a [Store.Sweep] removed.
type Swept struct {
	Messages    int
	Attachments int
	Packs       int // segments, packs and blobs of raw bytes whose messages are all gone
	Orphans     int // the same without a row: left by a crash or a failed transaction
	Attempts    int
}

// sweepRows bounds the rows of one transaction of the sweeper, so that mail never waits long for one.
const sweepRows = 200

// Sweep removes what retention has ended. Nothing goes that a delivery still names. It works in small transactions between
// those of the mail, and may be stopped anywhere: the next sweep goes on.
func (s *Store) Sweep(ctx context.Context, r Retention) (swept Swept, err error) {
	now := s.cfg.Now()
	if err := s.sweepHeld(ctx, now, &swept); err != nil {
		return swept, fmt.Errorf("sweep held messages: %w", err)
	}
	terms := r.terms()
	for i := range terms {
		n, err := s.sweepAttachments(ctx, now, &terms[i])
		if swept.Attachments += n; err != nil {
			return swept, fmt.Errorf("sweep attachments: %w", err)
		}
	}
	if err := s.tendDays(ctx, now, r, terms, &swept); err != nil {
		return swept, fmt.Errorf("sweep whole days: %w", err)
	}
	for i := range terms {
		n, err := s.sweepMessages(ctx, now, &terms[i], &swept)
		if swept.Messages += n; err != nil {
			return swept, fmt.Errorf("sweep messages: %w", err)
		}
	}
	if age := shortest(terms); age > 0 && swept.Messages > 0 {
		if err := s.sweepIndex(ctx, now.Add(-age)); err != nil {
			return swept, fmt.Errorf("sweep the search index: %w", err)
		}
	}
	n, err := s.sweepAttempts(ctx, now, r.Attempts)
	if swept.Attempts += n; err != nil {
		return swept, fmt.Errorf("sweep attempts: %w", err)
	}
	if err := s.sweepReplays(ctx, now, r.Attempts); err != nil {
		return swept, fmt.Errorf("sweep replays: %w", err)
	}
	if err := s.sweepPacks(ctx, now, &swept); err != nil {
		return swept, fmt.Errorf("sweep packs: %w", err)
	}
	if err := s.sweepDedupe(ctx, now); err != nil {
		return swept, fmt.Errorf("sweep dedupe keys: %w", err)
	}
	return swept, s.ReadMeter(ctx)
}

// stored is a message whose attachments may lie in Blobs.
type stored struct{ id, account string }

// What summary.attachments says of a message; 0: none are in Blobs.
const (
	attachmentsStored = 1 // there may be some in Blobs
	attachmentsGoing  = 2 // the sweeper is removing them; no replay may begin
)

// sweepAttachments removes the attachments of messages that stay. It claims them first: the claim and a replay exclude each
// other, so nothing is removed that a replay has just stored.
func (s *Store) sweepAttachments(ctx context.Context, now time.Time, k *term) (removed int, err error) {
	age := s.attachmentsAge(k)
	for from := int64(0); ; {
		// Also what an earlier sweep claimed and did not come to.
		n, err := s.removeClaimed(ctx)
		if removed += n; err != nil || age <= 0 {
			return removed, err
		}
		var list []stored
		args := append([]any{from, now.Add(-age).UnixMilli()}, k.args...)
		rows, err := s.read.QueryContext(ctx, fmt.Sprintf(selectOldAttachments, k.whose), append(args, sweepRows)...)
		if err != nil {
			return removed, err
		}
		err = each(rows, func() error {
			var m stored
			err := rows.Scan(&m.id, &m.account, &from)
			list = append(list, m)
			return err
		})
		if err != nil || len(list) == 0 {
			return removed, err
		}
		if err := s.claimAttachments(ctx, list); err != nil {
			return removed, err
		}
	}
}

const (
	selectOldAttachments = `SELECT m.id, m.account, s.finished_at FROM summary AS s JOIN message AS m ON m.id = s.message
		WHERE s.attachments = 1 AND s.finished_at >= ? AND s.finished_at < ? AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.id)%s
		ORDER BY s.finished_at LIMIT ?`
	selectClaimed = `SELECT m.id, m.account FROM summary AS s JOIN message AS m ON m.id = s.message WHERE s.attachments = 2 LIMIT ?`
)

// withoutAttachments is a summary without its list of attachments.
var withoutAttachments = forms{
	sqlite:   "json_remove(summary, '$.attachments')",
	postgres: "(summary::jsonb - 'attachments')::text",
}

// claimAttachments commits that the attachments of those messages go that no delivery names. From then on the summary
// lists none, so the next replay stores them again.
func (s *Store) claimAttachments(ctx context.Context, list []stored) error {
	return s.do(ctx, func(w *writer) error {
		_, err := w.exec("UPDATE summary SET attachments = 2, summary = "+w.form(withoutAttachments)+" WHERE message IN ("+
			placeholders(len(list))+`) AND attachments = 1
			AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = summary.message)`, ids(list)...)
		return err
	})
}

// removeClaimed removes all attachments that are claimed.
func (s *Store) removeClaimed(ctx context.Context) (removed int, err error) {
	for {
		list, err := s.storedList(ctx, selectClaimed, sweepRows)
		if err != nil || len(list) == 0 {
			return removed, err
		}
		for _, m := range list {
			n, err := s.removeAttachments(ctx, m)
			if removed += n; err != nil {
				return removed, err
			}
		}
		err = s.do(ctx, func(w *writer) error {
			_, err := w.exec("UPDATE summary SET attachments = 0 WHERE message IN ("+placeholders(len(list))+")", ids(list)...)
			return err
		})
		if err != nil {
			return removed, err
		}
	}
}

func (s *Store) storedList(ctx context.Context, text string, args ...any) (list []stored, err error) {
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var m stored
		err := rows.Scan(&m.id, &m.account)
		list = append(list, m)
		return err
	})
	return list, err
}

func ids(list []stored) []driver.Value {
	args := make([]driver.Value, len(list))
	for i, m := range list {
		args[i] = m.id
	}
	return args
}

func (s *Store) removeAttachments(ctx context.Context, m stored) (removed int, err error) {
	for object, err := range s.cfg.Blobs.List(ctx, AttachmentKey(m.account, m.id, "")) {
		if err != nil {
			return removed, err
		}
		if err := s.cfg.Blobs.Delete(ctx, object.Key); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// sweepMessages removes messages: their attachments first, then every row in one transaction. The key goes with the row,
// so from then on nobody can read the bytes, whenever their pack goes. Days of which nothing is stored are not looked at.
func (s *Store) sweepMessages(ctx context.Context, now time.Time, k *term, swept *Swept) (removed int, err error) {
	if k.messages <= 0 {
		return 0, nil
	}
	end := s.endOf(now, k.messages)
	days, err := s.daysStored(ctx, k, end)
	for _, at := range days {
		if err == nil {
			var n int
			n, err = s.sweepDay(ctx, at, end, k, swept)
			removed += n
		}
	}
	return removed, err
}

// old messages of a day. Nothing is finished before it has come.
const selectOld = `SELECT m.id, m.account FROM message AS m LEFT JOIN summary AS s ON s.message = m.id WHERE m.id >= ? AND m.id < ?
	AND coalesce(s.finished_at, m.received_at) < ? AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.id)
	AND NOT EXISTS (SELECT 1 FROM held WHERE message = m.id)%s ORDER BY m.id LIMIT ?`

func (s *Store) sweepDay(ctx context.Context, at, end time.Time, k *term, swept *Swept) (removed int, err error) {
	text := fmt.Sprintf(selectOld, k.whose)
	for low, high := firstMessageID(at), firstMessageID(at.Add(oneDay)); ; {
		args := append([]any{low, high, end.UnixMilli()}, k.args...)
		list, err := s.storedList(ctx, text, append(args, sweepRows)...)
		if err != nil || len(list) == 0 {
			return removed, err
		}
		low = list[len(list)-1].id + "0" // behind it, and before any other
		if err := s.claimAttachments(ctx, list); err != nil {
			return removed, err
		}
		n, err := s.removeClaimed(ctx)
		if swept.Attachments += n; err != nil {
			return removed, err
		}
		err = s.do(ctx, func(w *writer) error {
			n, err := removeMessages(w, ids(list))
			removed += n
			return err
		})
		if err != nil {
			return removed, err
		}
	}
}

// removeMessages deletes the rows of those messages that no delivery names and that are not held, and counts them out of their packs. A message
// with attachments was replayed since they were removed. The results stay in the log.
func removeMessages(w *writer, list []driver.Value) (removed int, err error) {
	var gone []driver.Value
	var out []stocked
	left := map[string]int64{}
	err = w.query(func(row []driver.Value) error {
		id, size := row[0].(string), row[3].(int64)
		gone = append(gone, id)
		left[row[1].(string)]++
		out = append(out, stockOf(row[2].(string), id, -1, -size))
		return nil
	}, "DELETE FROM message WHERE id IN ("+placeholders(len(list))+`)
		AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = message.id)
		AND NOT EXISTS (SELECT 1 FROM held WHERE held.message = message.id)
		AND NOT EXISTS (SELECT 1 FROM summary WHERE summary.message = message.id AND attachments <> 0)
		RETURNING id, pack, account, CASE WHEN length(key) > 0 THEN size ELSE 0 END`, list...)
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	if err := w.countOut(out); err != nil {
		return 0, err
	}
	for key, n := range left {
		if _, err := w.exec("UPDATE pack SET live = live - ?, emptied = CASE WHEN live = ? THEN 1 ELSE 0 END WHERE key = ?", n, n, key); err != nil {
			return 0, err
		}
	}
	for _, table := range []string{"summary", "parsing", "erasure"} {
		if _, err := w.exec("DELETE FROM "+table+" WHERE message IN ("+placeholders(len(gone))+")", gone...); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}
