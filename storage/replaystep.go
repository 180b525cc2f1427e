package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"
)

// Nothing is inserted for a message that is gone, that is held, whose attachments the sweeper is at work on, or that the lane
// is owed already for the same recipients. What is missing was never owed at all.
const (
	insertReplayed = `INSERT INTO delivery (message, id, endpoint, part, recipients, due_at, attempts, replay, created_at, job, unfiltered)
		SELECT id, ?, ?, ?, ?, ?, 0, 1, ?, ?, ? FROM message AS m WHERE id = ?
		AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.message = m.id AND d.endpoint = ? AND d.part = ? AND d.recipients = ?)
		AND NOT EXISTS (SELECT 1 FROM held WHERE message = m.id)
		AND NOT EXISTS (SELECT 1 FROM summary AS s WHERE s.message = m.id AND s.attachments = 2)`
	insertMissing = insertReplayed + `
		AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.message = m.id AND d.endpoint = ? AND d.part = ?)
		AND NOT EXISTS (SELECT 1 FROM delivery_result AS r WHERE r.message = m.id AND r.endpoint = ? AND r.part = ?)`
	selectHindrance = `SELECT (SELECT count(*) FROM message WHERE id = ?), (SELECT count(*) FROM summary WHERE message = ? AND attachments = 2)`
	advanceReplay   = `UPDATE replay SET message = ?, delivery = ?, made = made + ?, owed = owed + ?, gone = gone + ?, state = ?, finished_at = ?
		WHERE id = ?`
)

// CountReplay tells what a replay would make now, and makes nothing. target is the endpoint that would get it as it is declared,
// nil where it is not; routes are those of today, for a spec with Missing.
func (s *Store) CountReplay(ctx context.Context, spec *ReplaySpec, target *Endpoint, routes *Directory) (c ReplayCount, err error) {
	now := s.cfg.Now()
	t, err := s.replayTerms(ctx, spec, (&Replay{Spec: *spec}).Target(), target, routes, now)
	if err != nil {
		return c, fmt.Errorf("count replay: %w", err)
	}
	for message, delivery := "", ""; ; {
		rows, end, err := t.page(ctx, s, message, delivery, replayPage)
		if err != nil {
			return c, fmt.Errorf("count replay: %w", err)
		}
		for i := range rows {
			if rows[i].gone {
				c.Gone++
			}
			if err := s.countDebts(ctx, t, &rows[i], &c); err != nil {
				return c, fmt.Errorf("count replay: %w", err)
			}
		}
		if end {
			return c, nil
		}
		last := rows[len(rows)-1]
		message, delivery = last.message, last.delivery
	}
}

func (s *Store) countDebts(ctx context.Context, t *replayTerms, row *replayRow, c *ReplayCount) error {
	for _, d := range row.debts {
		var owed int64
		text := "SELECT CASE WHEN EXISTS (SELECT 1 FROM delivery WHERE message = ? AND endpoint = ? AND part = ? AND recipients = ?) THEN 1 ELSE 0 END"
		args := []any{row.message, t.lane, d.part, d.recipients}
		if t.spec.Missing {
			text = `SELECT CASE WHEN EXISTS (SELECT 1 FROM delivery WHERE message = ? AND endpoint = ? AND part = ?)
				OR EXISTS (SELECT 1 FROM delivery_result WHERE message = ? AND endpoint = ? AND part = ?) THEN 1 ELSE 0 END`
			args = []any{row.message, t.lane, d.part, row.message, t.lane, d.part}
		}
		if err := s.read.QueryRowContext(ctx, text, args...).Scan(&owed); err != nil {
			return err
		}
		c.Owed += owed
		c.Made += 1 - owed
	}
	return nil
}

func (s *Store) replayTerms(ctx context.Context, spec *ReplaySpec, lane string, target *Endpoint, routes *Directory, until time.Time) (*replayTerms, error) {
	t := &replayTerms{spec: spec, lane: lane, until: until, target: target, routes: routes}
	if !spec.Missing {
		return t, nil
	}
	if routes == nil {
		return nil, fmt.Errorf("what is missing is known by the routes alone")
	}
	return t, s.read.QueryRowContext(ctx, "SELECT account FROM endpoint WHERE id = ?", spec.Endpoint).Scan(&t.account)
}

// StepReplay makes at most about most deliveries of a replay that runs, all in one transaction with the place that it has come
// to, and brings r up to date. The deliveries are durable when it returns. A replay that was paused or cancelled since it was
// read makes none.
func (s *Store) StepReplay(ctx context.Context, r *Replay, target *Endpoint, routes *Directory, most int) (made int, err error) {
	t, err := s.replayTerms(ctx, &r.Spec, r.Target(), target, routes, r.CreatedAt)
	if err != nil {
		return 0, fmt.Errorf("step of replay %s: %w", r.ID, err)
	}
	rows, end, err := t.page(ctx, s, r.message, r.delivery, r.Spec.pageFor(most))
	if err != nil {
		return 0, fmt.Errorf("step of replay %s: %w", r.ID, err)
	}
	s.cfg.Step("replay-read")
	var after Replay
	err = s.do(ctx, func(w *writer) error {
		step := replayStep{writer: w, terms: t, after: *r, now: s.cfg.Now(), most: most}
		ok, err := step.current(r)
		if err != nil || !ok {
			after = step.after
			return err
		}
		if err := step.rows(rows, end); err != nil {
			return err
		}
		after, made = step.after, step.made
		s.cfg.Step("replay-written")
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("step of replay %s: %w", r.ID, err)
	}
	*r = after
	s.cfg.Step("replay-stepped")
	return made, nil
}

// replayStep is a step on its way.
type replayStep struct {
	*writer
	terms *replayTerms
	after Replay
	now   time.Time
	most  int
	made  int
	owed  int
	gone  int
}

// current says whether the replay still runs and stands where it stood.
func (t *replayStep) current(r *Replay) (ok bool, err error) {
	err = t.query(func(row []driver.Value) error {
		t.after.State = ReplayState(row[0].(string))
		ok = t.after.State == ReplayRunning && row[1] == r.message && row[2] == r.delivery
		return nil
	}, "SELECT state, message, delivery FROM replay WHERE id = ?", r.ID)
	return ok, err
}

func (t *replayStep) rows(rows []replayRow, end bool) error {
	a := &t.after
	for i := range rows {
		if t.made >= t.most {
			end = false
			break
		}
		ok, err := t.row(&rows[i])
		if err != nil {
			return err
		}
		if !ok {
			end = false
			break
		}
		a.message, a.delivery = rows[i].message, rows[i].delivery
	}
	if end {
		a.State, a.FinishedAt = ReplayMade, t.now.Truncate(time.Millisecond)
	}
	a.Made, a.Owed, a.Gone = a.Made+int64(t.made), a.Owed+int64(t.owed), a.Gone+int64(t.gone)
	_, err := t.exec(advanceReplay, a.message, a.delivery, int64(t.made), int64(t.owed), int64(t.gone), string(a.State), milli(a.FinishedAt), a.ID)
	return err
}

// row makes the deliveries of a row. It is false when the sweeper is at work on the message: then the walk waits here.
func (t *replayStep) row(row *replayRow) (ok bool, err error) {
	if row.gone {
		t.gone++
		return true, nil
	}
	if len(row.debts) == 0 {
		return true, nil
	}
	there, sweeping := int64(0), int64(0)
	err = t.query(func(r []driver.Value) error {
		there, sweeping = r[0].(int64), r[1].(int64)
		return nil
	}, selectHindrance, row.message, row.message)
	switch {
	case err != nil:
		return false, err
	case there == 0:
		t.gone++
		return true, nil
	case sweeping > 0:
		return false, nil
	}
	for _, d := range row.debts {
		if err := t.debt(row, d); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (t *replayStep) debt(row *replayRow, d replayDebt) error {
	lane, id, now := t.terms.lane, deliveryIDOf(row.message), t.now.UnixMilli()
	unfiltered := int64(0)
	if t.terms.spec.IgnoreFilters {
		unfiltered = 1
	}
	text, args := insertReplayed, []driver.Value{
		id, lane, d.part, d.recipients, now, now, t.after.ID, unfiltered, row.message, lane, d.part, d.recipients,
	}
	if t.terms.spec.Missing {
		text, args = insertMissing, append(args, lane, d.part, lane, d.part)
	}
	changed, err := t.exec(text, args...)
	if err != nil {
		return err
	}
	if changed == 0 {
		t.owed++
		return nil
	}
	t.made++
	if lane != t.terms.spec.Endpoint || t.terms.spec.Missing {
		return nil // what died at one endpoint is not made good at another
	}
	_, err = t.exec("UPDATE delivery_result SET replayed_by = ? WHERE message = ? AND id = ?", id, row.message, row.delivery)
	return err
}

// selectReplayed locks the rows: an attempt at one that is recorded meanwhile waits, and finds it gone.
var selectReplayed = forms{
	sqlite:   "SELECT message, id, attempts FROM delivery WHERE job = ? AND job <> '' LIMIT ?",
	postgres: "SELECT message, id, attempts FROM delivery WHERE job = ? AND job <> '' LIMIT ? FOR UPDATE",
}

// cancelRows bounds a step of a cancellation.
const cancelRows = 200

// cancelledReason is why a delivery is dead that was attempted before its replay was cancelled.
const cancelledReason = "the replay was cancelled"

// StepCancel takes back some of the unfinished deliveries of a replay that is being cancelled, but for those that busy says to be
// under way, and brings r up to date. Once nothing is left the replay is cancelled.
func (s *Store) StepCancel(ctx context.Context, r *Replay, busy func(delivery string) bool) error {
	err := s.do(ctx, func(w *writer) error {
		type row struct {
			message, id string
			attempts    int64
		}
		var rows []row
		err := w.query(func(v []driver.Value) error {
			rows = append(rows, row{v[0].(string), v[1].(string), v[2].(int64)})
			return nil
		}, w.form(selectReplayed), r.ID, int64(cancelRows))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			now := s.cfg.Now().Truncate(time.Millisecond)
			_, err := w.exec("UPDATE replay SET state = ?, finished_at = ? WHERE id = ?", string(ReplayCancelled), now.UnixMilli(), r.ID)
			r.State, r.FinishedAt = ReplayCancelled, now
			return err
		}
		rows = slices.DeleteFunc(rows, func(d row) bool { return busy(d.id) })
		for _, d := range rows {
			if err := takeBack(w, d.message, d.id, d.attempts, s.cfg.Now().UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cancel replay %s: %w", r.ID, err)
	}
	return nil
}

func takeBack(w *writer, message, id string, attempts, now int64) error {
	var err error
	if attempts > 0 {
		_, err = w.exec(`INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at, job, recipients)
			SELECT message, id, endpoint, part, 'dead', ?, attempts, replay, created_at, ?, job, recipients FROM delivery WHERE message = ? AND id = ?`,
			cancelledReason, now, message, id)
		if err == nil {
			_, err = w.exec("UPDATE summary SET finished_at = ? WHERE message = ?", now, message)
		}
	} else {
		_, err = w.exec("UPDATE delivery_result SET replayed_by = NULL WHERE message = ? AND replayed_by = ?", message, id)
	}
	if err != nil {
		return err
	}
	_, err = w.exec("DELETE FROM delivery WHERE message = ? AND id = ?", message, id)
	return err
}
