package storage

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// dedupeWindow is how long the resend of a mail whose 250 was lost is recognised.
const dedupeWindow = 24 * time.Hour

// errDoomed says that the sweeper took a pack away before its rows were written.
var errDoomed = errors.New("the pack was swept as an orphan")

// The statements of PostgreSQL that delete name their keys as arrays, which leaves it no other way than the index. In a join it would walk
// the whole of a table that was nearly empty when it made the plan, and keep to that while a snapshot fills it with dead rows.
var (
	deleteKeys = &rowStatement{
		head: "DELETE FROM dedupe WHERE key IN (", row: "?", tail: ")", types: "bytea", postgres: "DELETE FROM dedupe WHERE key = ANY (ARRAY(%s))",
	}
	deleteKeysOf = &rowStatement{
		head: "DELETE FROM dedupe WHERE key IN (SELECT dedupe FROM message WHERE id IN (", row: "?", tail: "))", types: "text",
		postgres: "DELETE FROM dedupe WHERE key = ANY (ARRAY(SELECT dedupe FROM message WHERE id IN (%s)))",
	}
	insertKeys = &rowStatement{
		head: "INSERT INTO dedupe (key, message, created_at) VALUES ", row: "(?,?,?)",
		tail: ` ON CONFLICT (key) DO UPDATE SET message = excluded.message, created_at = excluded.created_at
			WHERE dedupe.created_at <= excluded.created_at - 86400000`, types: "bytea text bigint",
	}
	insertMessages = &rowStatement{
		head: "INSERT INTO message (id, account, received_at, size, sha256, envelope, pack, \"offset\", length, key, dedupe) VALUES ",
		row:  "(?,?,?,?,?,?,?,?,?,?,?)", types: "text text bigint bigint bytea text text bigint bigint bytea bytea",
	}
	insertDeliveries = &rowStatement{
		head: "INSERT INTO delivery (message, id, endpoint, part, due_at, attempts, replay, created_at) VALUES ",
		row:  "(?,?,?,?,?,?,?,?)", types: "text text text bigint bigint bigint bigint bigint",
	}
	insertAttempts = &rowStatement{
		head: "INSERT INTO attempt (message, delivery, n, endpoint, at, duration, outcome, status, detail) VALUES ",
		row:  "(?,?,?,?,?,?,?,?,?)", types: "text text bigint text bigint bigint text bigint text",
	}
	// Only a delivery that still stands as the attempt found it gives a result. CROSS JOIN fixes the order of the loops. The one statement
	// of PostgreSQL deletes too: what another transaction has finished meanwhile is not finished twice. Its joins are joinByHash.
	insertResults = &rowStatement{
		head: `INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at, job, recipients)
			SELECT d.message, d.id, d.endpoint, d.part, v.column4, v.column5, v.column6, d.replay, d.created_at, v.column7, d.job, d.recipients FROM (VALUES `,
		row: "(?,?,?,?,?,?,?)",
		tail: `) AS v CROSS JOIN delivery AS d
			WHERE d.message = v.column1 AND d.id = v.column2 AND d.attempts = v.column3`, types: "text text bigint text text bigint bigint",
		postgres: `WITH gone AS (DELETE FROM delivery AS d USING (%s) AS v
				WHERE d.message = v.column1 AND d.id = v.column2 AND d.attempts = v.column3 AND d.message = ANY ($1::text[])
				RETURNING d.message, d.id, d.endpoint, d.part, v.column4 AS state, v.column5 AS reason, v.column6 AS attempts, d.replay,
					d.created_at, v.column7 AS finished_at, d.job, d.recipients)
			INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at, job, recipients)
			SELECT message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at, job, recipients FROM gone`,
	}
	deleteDeliveries = &rowStatement{
		head: "DELETE FROM delivery WHERE ", row: "message = ? AND id = ?", or: true, types: "text text",
	}
	// A summary stays as it is, but for one without a list of attachments: the sweeper takes the list away with the blobs.
	upsertSummaries = &rowStatement{
		head: "INSERT INTO summary (message, finished_at, summary, attachments) VALUES ", row: "(?,?,?,?)",
		tail: ` ON CONFLICT (message) DO UPDATE SET finished_at = coalesce(excluded.finished_at, summary.finished_at),
			summary = CASE WHEN json_type(summary.summary, '$.attachments') IS NULL
				THEN coalesce(excluded.summary, summary.summary) ELSE summary.summary END,
			attachments = max(summary.attachments, excluded.attachments)`, types: "text bigint text bigint",
		postgres: `INSERT INTO summary (message, finished_at, summary, attachments) %s
			ON CONFLICT (message) DO UPDATE SET finished_at = coalesce(excluded.finished_at, summary.finished_at),
			summary = CASE WHEN summary.summary::json -> 'attachments' IS NULL
				THEN coalesce(excluded.summary, summary.summary) ELSE summary.summary END,
			attachments = greatest(summary.attachments, excluded.attachments)`,
	}
	deleteParsings = &rowStatement{
		head: "DELETE FROM parsing WHERE message IN (", row: "?", tail: ")", types: "text", postgres: "DELETE FROM parsing WHERE message = ANY (ARRAY(%s))",
	}
)

const (
	// A pack that holds resends alone is empty from the beginning.
	upsertPack = `INSERT INTO pack (key, created_at, live, emptied) VALUES (?,?,?,?)
		ON CONFLICT (key) DO UPDATE SET live = pack.live + excluded.live, emptied = CASE WHEN pack.live + excluded.live = 0 THEN 1 ELSE 0 END WHERE pack.doomed_at IS NULL`
	selectKey  = "SELECT message FROM dedupe WHERE key = ?"
	beginParse = "INSERT INTO parsing (message, count) SELECT id, 1 FROM message WHERE id = ? ON CONFLICT (message) DO UPDATE SET count = parsing.count + 1 RETURNING count"
	// The last count goes with its row.
	forgetParse = "DELETE FROM parsing WHERE message = ? AND count <= 1"
	endParse    = "UPDATE parsing SET count = count - 1 WHERE message = ?"
	reschedule  = "UPDATE delivery SET attempts = attempts + 1, spared = spared + ?, due_at = ? WHERE message = ? AND id = ? AND attempts = ?"
)

// values collects the arguments of the statements of a batch; its arrays are used again.
type values struct {
	keys, messages, deliveries, results, gone, attempts, summaries, parsed, stock []driver.Value

	stocked []stocked
}

// transaction writes one batch. It holds what was learnt on the way.
type transaction struct {
	*writer
	now    time.Time
	values *values
	counts int64  // the writer of the stock
	store  string // the id of the store

	messages, duplicates, attempts int // that were written; duplicates are messages that were not
}

func (t *transaction) write(b *batch) error {
	// Keys retire before others are looked for: the peer sent the next mail after it had read our 250.
	if err := t.acks(b.acks); err != nil {
		return fmt.Errorf("retire dedupe keys: %w", err)
	}
	if err := t.accepts(b.accepts); err != nil {
		return err
	}
	if err := t.completions(b.completions); err != nil {
		return fmt.Errorf("record attempts: %w", err)
	}
	for _, message := range b.ends {
		if err := t.endParse(message); err != nil {
			return fmt.Errorf("take back parse count: %w", err)
		}
	}
	for _, p := range b.begins {
		n, err := t.queryInt(beginParse, p.message)
		if err != nil {
			return fmt.Errorf("count parse: %w", err)
		}
		p.count = int(n)
	}
	return nil
}

func (t *transaction) endParse(message string) error {
	changed, err := t.exec(forgetParse, message)
	if err == nil && changed == 0 {
		_, err = t.exec(endParse, message)
	}
	return err
}

func (t *transaction) acks(r retired) error {
	v := t.values
	v.keys = v.keys[:0]
	for i := range r.keys {
		v.keys = append(v.keys, r.keys[i][:])
	}
	if err := t.laterRows(deleteKeys, v.keys); err != nil {
		return err
	}
	v.keys = v.keys[:0]
	for _, id := range r.ids {
		v.keys = append(v.keys, id)
	}
	return t.laterRows(deleteKeysOf, v.keys)
}

func (t *transaction) accepts(as []*acceptance) error {
	if len(as) == 0 {
		return nil
	}
	if err := t.dedupe(as); err != nil {
		return fmt.Errorf("insert dedupe keys: %w", err)
	}
	if err := t.packs(as); err != nil {
		return fmt.Errorf("insert pack: %w", err)
	}
	v := t.values
	v.messages, v.deliveries, v.stocked = v.messages[:0], v.deliveries[:0], v.stocked[:0]
	for _, a := range as {
		for _, m := range a.messages {
			if m.id != m.mail.ID {
				t.duplicates++
				if m.hold != nil {
					if err := t.takeUp(m); err != nil {
						return err
					}
				}
				continue
			}
			if m.hold != nil {
				if err := t.hold(m.hold); err != nil {
					return err
				}
			}
			v.messages = m.appendRow(v.messages)
			v.stocked = append(v.stocked, stockOf(m.mail.Account, m.mail.ID, 1, m.mail.Size))
			t.messages++
			for i := range m.deliveries {
				d := &m.deliveries[i]
				v.deliveries = append(v.deliveries, d.Message, d.ID, d.Endpoint, int64(d.Part), d.DueAt.UnixMilli(), int64(0), int64(0), d.CreatedAt.UnixMilli())
			}
		}
	}
	if err := errors.Join(t.laterRows(insertMessages, v.messages), t.stays()); err != nil {
		return fmt.Errorf("insert message: %w", err)
	}
	if err := t.laterRows(insertDeliveries, v.deliveries); err != nil {
		return fmt.Errorf("insert delivery: %w", err)
	}
	v.stock = appendStock(v.stock[:0], v.stocked, t.counts)
	if err := t.laterRows(upsertStock, v.stock); err != nil {
		return fmt.Errorf("count what is stored: %w", err)
	}
	return nil
}

// dedupe inserts the keys of the messages and sets the id that each is answered with: its own, or that of the first time.
func (t *transaction) dedupe(as []*acceptance) error {
	v := t.values
	v.keys = v.keys[:0]
	n := int64(0)
	for _, a := range as {
		for _, m := range a.messages {
			m.id = m.mail.ID
			v.keys = append(v.keys, m.dedupe[:], m.mail.ID, t.now.UnixMilli())
			n++
		}
	}
	changed, err := t.insertKeys(v.keys)
	if err != nil || changed == n {
		return err
	}
	for _, a := range as {
		for _, m := range a.messages {
			if m.id, err = t.firstWith(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// packs counts the new messages in their packs. A pack that the sweeper has doomed takes no more.
func (t *transaction) packs(as []*acceptance) error {
	live := make(map[string]int64, 1)
	for _, a := range as {
		for _, m := range a.messages {
			n := int64(1)
			if m.id != m.mail.ID {
				n = 0
			}
			live[m.mail.raw.pack] += n
		}
	}
	for key, n := range live {
		err := t.laterChecked(func(changed int64) error {
			if changed == 0 {
				return fmt.Errorf("%s: %w", key, errDoomed)
			}
			return nil
		}, upsertPack, key, t.now.UnixMilli(), n, max(1-n, 0))
		if err != nil {
			return err
		}
	}
	return nil
}

// completions records attempts. The common case, every one the last of its delivery and none stale, goes in statements over
// many rows; whatever is not so is undone and goes one by one.
func (t *transaction) completions(cs []*completing) error {
	cs, err := t.fence(cs)
	if err != nil {
		return err
	}
	for start := 0; start < len(cs); {
		if cs[start].settles {
			if err := t.settle(cs[start]); err != nil {
				return err
			}
			start++
			continue
		}
		end := start
		for end < len(cs) && cs[end].RetryAt.IsZero() && !cs[end].settles {
			end++
		}
		if run := cs[start:end]; len(run) > 0 {
			if err := t.finishAll(run); err != nil {
				return err
			}
			start = end
			continue
		}
		if err := t.completeOne(cs[start]); err != nil {
			return err
		}
		start++
	}
	return nil
}

func (t *transaction) finishAll(cs []*completing) error {
	if len(cs) == 1 {
		return t.completeOne(cs[0])
	}
	if err := t.later("SAVEPOINT finish"); err != nil {
		return err
	}
	ok, err := t.finish(cs)
	if err != nil {
		return err
	}
	if ok {
		return t.later("RELEASE finish")
	}
	if _, err := t.exec("ROLLBACK TO finish"); err != nil {
		return err
	}
	if _, err := t.exec("RELEASE finish"); err != nil {
		return err
	}
	for _, c := range cs {
		if err := t.completeOne(c); err != nil {
			return err
		}
	}
	return nil
}

// completeOne records one attempt, or sets ErrStale.
func (t *transaction) completeOne(c *completing) error {
	c.err = nil
	a := &c.Attempt
	if c.RetryAt.IsZero() {
		ok, err := t.finish([]*completing{c})
		if !ok {
			c.err = ErrStale
		}
		return err
	}
	spared := int64(0)
	if c.Spared {
		spared = 1
	}
	changed, err := t.exec(reschedule, spared, c.RetryAt.UnixMilli(), a.Message, a.Delivery, int64(a.N-1))
	if err != nil {
		return err
	}
	if changed == 0 {
		c.err = ErrStale
		return nil
	}
	return t.record([]*completing{c})
}

// finish moves deliveries to their results. It is false when one of them is stale; what was written is then incomplete.
func (t *transaction) finish(cs []*completing) (bool, error) {
	at := t.now.UnixMilli()
	v := t.values
	v.results, v.gone = v.results[:0], v.gone[:0]
	for _, c := range cs {
		a := &c.Attempt
		c.err = nil
		v.results = append(v.results, a.Message, a.Delivery, int64(a.N-1), c.State, c.Reason, c.made(), at)
		v.gone = append(v.gone, a.Message, a.Delivery)
	}
	changed, err := t.execRows(insertResults, v.results)
	if err != nil || changed != int64(len(cs)) {
		return false, err
	}
	if !t.postgres() {
		if _, err := t.execRows(deleteDeliveries, v.gone); err != nil {
			return false, err
		}
	}
	return true, t.record(cs)
}

// record inserts the attempts and what they say about the messages.
func (t *transaction) record(cs []*completing) error {
	v := t.values
	v.attempts, v.summaries, v.parsed = v.attempts[:0], v.summaries[:0], v.parsed[:0]
	for _, c := range cs {
		a := &c.Attempt
		if !c.Unattempted {
			t.attempts++
			v.attempts = append(v.attempts, a.Message, a.Delivery, int64(a.N), a.Endpoint, a.At.UnixMilli(), a.Duration.Microseconds(),
				a.Outcome, int64(a.Status), c.detail)
		}
		var finished driver.Value
		if c.finishes() {
			finished = t.now.UnixMilli()
		}
		v.summaries = appendSummary(v.summaries, a.Message, finished, c.summary, c.attachments)
		if c.Parsed {
			v.parsed = append(v.parsed, a.Message)
		}
	}
	if err := t.laterRows(insertAttempts, v.attempts); err != nil {
		return err
	}
	if err := t.laterRows(upsertSummaries, v.summaries); err != nil {
		return err
	}
	return t.laterRows(deleteParsings, v.parsed)
}
