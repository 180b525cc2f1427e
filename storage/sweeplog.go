package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// pruning removes old rows of a table. They are found beside the committer, from key to key, so that a walk over a large
// table holds up no mail; the committer only deletes by key.
type pruning struct {
	find   string // takes the last key, its own arguments and a limit; gives keys in their order
	remove string // without the list of keys
	types  string // of the columns of a key, on PostgreSQL
	still  string // what must still be true of a row when it is deleted; may be empty
	key    []any  // before the first one
}

var (
	pruneAttempts = pruning{
		find: `SELECT message, delivery, n FROM attempt AS a WHERE (message, delivery, n) > (?, ?, ?) AND message < ? AND at < ?
			AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = a.message) ORDER BY message, delivery, n LIMIT ?`,
		remove: "DELETE FROM attempt WHERE (message, delivery, n) IN (VALUES %s)",
		types:  "text text bigint",
		still:  " AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = attempt.message)",
		key:    []any{"", "", 0},
	}
	pruneResults = pruning{
		find: `SELECT message, id FROM delivery_result AS r WHERE (message, id) > (?, ?) AND message < ? AND finished_at < ?
			AND NOT EXISTS (SELECT 1 FROM message WHERE id = r.message) ORDER BY message, id LIMIT ?`,
		remove: "DELETE FROM delivery_result WHERE (message, id) IN (VALUES %s)",
		types:  "text text",
		key:    []any{"", ""},
	}
	pruneDedupe = pruning{
		find:   "SELECT key FROM dedupe WHERE key > ? AND created_at <= ? ORDER BY key LIMIT ?",
		remove: "DELETE FROM dedupe WHERE key IN (VALUES %s)",
		types:  "bytea",
		still:  " AND created_at <= ?",
		key:    []any{[]byte{}},
	}
)

// removal is the statement that deletes n rows.
func (p *pruning) removal(n int) string {
	row := "(" + placeholders(len(p.key)) + ")"
	return fmt.Sprintf(p.remove, strings.TrimSuffix(strings.Repeat(row+",", n), ",")) + p.still
}

// postgresRemoval is removal on PostgreSQL, which wants to be told of what type the values are.
func (p *pruning) postgresRemoval(n int) string {
	types := strings.Fields(p.types)
	row := "(CAST(? AS " + strings.Join(types, "), CAST(? AS ") + "))"
	return fmt.Sprintf(p.remove, strings.TrimSuffix(strings.Repeat(row+",", n), ",")) + p.still
}

// prune runs a pruning to its end. args follow the key in find, and still in the removal.
func (s *Store) prune(ctx context.Context, p *pruning, args []any, still ...driver.Value) (removed int, err error) {
	after := p.key
	for {
		var keys []driver.Value
		rows, err := s.read.QueryContext(ctx, p.find, append(append(append([]any{}, after...), args...), sweepRows)...)
		if err != nil {
			return removed, err
		}
		key := make([]any, len(p.key))
		into := make([]any, len(p.key))
		for i := range key {
			into[i] = &key[i]
		}
		err = each(rows, func() error {
			err := rows.Scan(into...)
			for _, v := range key {
				keys = append(keys, v)
			}
			return err
		})
		if err != nil || len(keys) == 0 {
			return removed, err
		}
		after = key
		err = s.do(ctx, func(w *writer) error {
			rows := len(keys) / len(p.key)
			n, err := w.exec(w.form(forms{p.removal(rows), p.postgresRemoval(rows)}), append(keys, still...)...)
			removed += int(n)
			return err
		})
		if err != nil {
			return removed, err
		}
	}
}

// sweepAttempts shortens the log. The result of a message that is kept stays: it says that nothing is owed.
func (s *Store) sweepAttempts(ctx context.Context, now time.Time, age time.Duration) (removed int, err error) {
	if age <= 0 {
		return 0, nil
	}
	end := s.endOf(now, age)
	args := []any{firstMessageID(end), end.UnixMilli()}
	if removed, err = s.prune(ctx, &pruneAttempts, args); err != nil {
		return removed, err
	}
	_, err = s.prune(ctx, &pruneResults, args)
	return removed, err
}

// sweepDedupe forgets the mails whose resend need not be recognised any more.
func (s *Store) sweepDedupe(ctx context.Context, now time.Time) error {
	end := now.Add(-dedupeWindow).UnixMilli()
	_, err := s.prune(ctx, &pruneDedupe, []any{end}, end)
	return err
}
