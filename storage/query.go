package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// defaultLimit is the number of rows of a list when the filter names none.
const defaultLimit = 100

// The states of a delivery that is not finished.
const (
	StatePending = "pending"
	StateHeld    = "held" // the message is not accepted: a session waits for the answer, or ended without one
)

// MessageFilter selects messages; zero fields select all.
type MessageFilter struct {
	Account string
	Before  string // id: only older ones, for the next page
	Limit   int    // 0: 100
}

// Messages lists messages, the newest first.
func (s *Store) Messages(ctx context.Context, f MessageFilter) ([]*Mail, error) {
	q := selection{text: selectMail}
	q.where(f.Account != "", "m.account = ?", f.Account)
	q.where(f.Before != "", "m.id < ?", f.Before)
	mails, err := listMails(s.read.QueryContext(ctx, q.text+" ORDER BY m.id DESC LIMIT ?", append(q.args, limitOr(f.Limit))...))
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	return mails, nil
}

// listMails reads the rows of [selectMail], or passes the query's error on.
func listMails(rows *sql.Rows, err error) (mails []*Mail, _ error) {
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		m, err := scanMail(rows.Scan)
		mails = append(mails, m)
		return err
	})
	return mails, err
}

// DeliveryRow is a delivery as lists show it, finished or not.
type DeliveryRow struct {
	Delivery             // DueAt is zero when it is finished
	State      string    // StatePending, StateDelivered, StateDead, StateMissed; StateHeld, StateWithdrawn or StateRefused
	Reason     string    // of the state; empty when pending or held
	FinishedAt time.Time // zero when pending, and while the message of one that was not accepted is still there
	ReplayedBy string    // id of the delivery that was made to replay this one; empty: none
}

// NotAccepted says that nobody was told 250 for the message, so that there is nothing to retry.
func (d *DeliveryRow) NotAccepted() bool {
	return d.State == StateHeld || d.State == StateWithdrawn || d.State == StateRefused
}

// DeliveryFilter selects deliveries; zero fields select all.
type DeliveryFilter struct {
	Account  string // id; empty: of every account, for the operator alone
	ID       string
	Message  string
	Endpoint string
	State    string
	// Before is a row of the page before: only what comes after it.
	Before *DeliveryRow
	Limit  int // 0: 100
}

const (
	selectPending = `SELECT message, id, endpoint, part, 'pending', '', attempts, replay, created_at, due_at, 0, '', job FROM delivery`
	selectResults = `SELECT message, id, endpoint, part, state, reason, attempts, replay, created_at, 0, finished_at, coalesce(replayed_by, ''), job
		FROM delivery_result`
	selectHeld       = `SELECT message, id, endpoint, part, state, reason, attempts, 0, created_at, 0, 0, '', '' FROM held`
	newestDeliveries = " ORDER BY message DESC, id DESC LIMIT ?"
)

// query gives the statement for a filter. The tables are read in the order of the list and merged, so a page costs its
// rows and not the table.
func (f *DeliveryFilter) query() (text string, args []any) {
	var parts []string
	if f.State == "" || f.State == StatePending {
		q := selection{text: selectPending}
		f.narrow(&q)
		parts, args = append(parts, q.text), append(args, q.args...)
	}
	if f.State == "" || f.State == StateHeld || f.State == StateWithdrawn || f.State == StateRefused {
		q := selection{text: selectHeld}
		f.narrow(&q)
		q.where(f.State != "", "state = ?", f.State)
		parts, args = append(parts, q.text), append(args, q.args...)
	}
	if f.State != StatePending && f.State != StateHeld {
		q := selection{text: selectResults}
		f.narrow(&q)
		// A literal, because an index over the dead alone answers no parameter.
		q.where(f.State == StateDead, "state = 'dead'")
		q.where(f.State != "" && f.State != StateDead, "state = ?", f.State)
		parts, args = append(parts, q.text), append(args, q.args...)
	}
	return strings.Join(parts, " UNION ALL ") + newestDeliveries, append(args, limitOr(f.Limit))
}

func (f *DeliveryFilter) narrow(q *selection) {
	if f.ID != "" {
		low, high, _ := messageRange(f.ID)
		q.where(true, "message > ? AND message < ? AND id = ?", low, high, f.ID)
	}
	q.where(f.Message != "", "message = ?", f.Message)
	q.where(f.Endpoint != "", "endpoint = ?", f.Endpoint)
	q.where(f.Account != "", "endpoint IN (SELECT id FROM endpoint WHERE account = ?)", f.Account)
	if b := f.Before; b != nil {
		q.where(true, "(message, id) < (?, ?)", b.Message, b.ID)
	}
}

// Deliveries lists pending and finished deliveries, those of the newest message first.
func (s *Store) Deliveries(ctx context.Context, f DeliveryFilter) ([]DeliveryRow, error) {
	text, args := f.query()
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	var ds []DeliveryRow
	err = each(rows, func() error {
		var d DeliveryRow
		var created, due, finished int64
		err := rows.Scan(&d.Message, &d.ID, &d.Endpoint, &d.Part, &d.State, &d.Reason, &d.Attempts, &d.Replay, &created, &due, &finished, &d.ReplayedBy, &d.Job)
		d.CreatedAt = time.UnixMilli(created)
		switch {
		case d.State == StatePending:
			d.DueAt = time.UnixMilli(due)
		case finished > 0:
			d.FinishedAt = time.UnixMilli(finished)
		}
		ds = append(ds, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return ds, nil
}

// Attempts lists the attempts of a message or of a delivery, by its id, in the order they were made for each delivery.
func (s *Store) Attempts(ctx context.Context, id string) ([]Attempt, error) {
	q := selection{text: "SELECT message, delivery, n, endpoint, at, duration, outcome, status, detail FROM attempt"}
	if low, high, ok := messageRange(id); ok {
		q.where(true, "message > ? AND message < ? AND delivery = ?", low, high, id)
	} else {
		q.where(true, "message = ?", id)
	}
	rows, err := s.read.QueryContext(ctx, q.text+" ORDER BY message, delivery, n", q.args...)
	if err != nil {
		return nil, fmt.Errorf("list attempts of %s: %w", id, err)
	}
	var as []Attempt
	err = each(rows, func() error {
		var a Attempt
		var at, took int64
		var detail []byte
		err := rows.Scan(&a.Message, &a.Delivery, &a.N, &a.Endpoint, &at, &took, &a.Outcome, &a.Status, &detail)
		if err != nil {
			return err
		}
		a.At, a.Duration = time.UnixMilli(at), time.Duration(took)*time.Microsecond
		as = append(as, a)
		return json.Unmarshal(detail, &as[len(as)-1].Detail)
	})
	if err != nil {
		return nil, fmt.Errorf("list attempts of %s: %w", id, err)
	}
	return as, nil
}

const selectAnswered = "SELECT 1 FROM attempt WHERE message = ? AND delivery = ? AND status = ? LIMIT 1"

// Answered says whether an attempt of a delivery was answered with a status. However many there were, it keeps none in memory.
func (s *Store) Answered(ctx context.Context, d *Delivery, status int) (bool, error) {
	var one int
	err := s.read.QueryRowContext(ctx, selectAnswered, d.Message, d.ID, status).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an answer to delivery %s: %w", d.ID, err)
	}
	return true, nil
}

// selection is a SELECT that grows conditions.
type selection struct {
	text     string
	args     []any
	narrowed bool
}

func (q *selection) where(ok bool, condition string, args ...any) {
	if !ok {
		return
	}
	if q.narrowed {
		q.text += " AND " + condition
	} else {
		q.text += " WHERE " + condition
	}
	q.narrowed = true
	q.args = append(q.args, args...)
}

func limitOr(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return n
}

// placeholders gives "?,?,?" for a list of n.
func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
