package storage

import (
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"time"
)

// writer writes to the database. It belongs to one goroutine.
type writer struct {
	engine engine
	conn   connection // nil after an error that may have left it in a bad state
	// generation counts the connections made.
	generation int
	statements atomic.Int64 // run so far; for the metrics
}

func newWriter(e engine) (*writer, error) {
	w := &writer{engine: e}
	return w, w.connect()
}

func (w *writer) connect() (err error) {
	if w.conn != nil {
		return nil
	}
	if w.conn, err = w.engine.connect(); err != nil {
		w.conn = nil
		return err
	}
	w.generation++
	return nil
}

// close ends the connection; the next use makes a new one.
func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	err := w.conn.close()
	w.conn = nil
	return err
}

// transact runs do in one transaction. An error of the system below costs the connection, so that the next transaction
// starts from a clean one. After an error nothing of it is visible, unless it was the commit itself that
// failed: then the database may have kept all of it.
func (w *writer) transact(do func() error) error {
	if w.conn != nil && !w.conn.alive() {
		_ = w.close()
	}
	if err := w.connect(); err != nil {
		return err
	}
	w.statements.Add(1)
	if err := w.conn.begin(); err != nil {
		_ = w.close() // err says why
		return fmt.Errorf("begin: %w", err)
	}
	err := do()
	if err == nil {
		if _, err = w.exec("COMMIT"); err == nil {
			return nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	// SQLite has rolled back by itself after errors of the system below and then refuses this one.
	if _, rollback := w.exec("ROLLBACK"); rollback != nil || isStorageTrouble(err) {
		_ = w.close() // err says why
	}
	return err
}

// exec runs a statement and returns the number of rows it changed.
func (w *writer) exec(text string, args ...driver.Value) (int64, error) {
	w.statements.Add(1)
	return w.conn.exec(text, args)
}

// execRows runs a statement over all the rows whose values lie in args one after the other.
func (w *writer) execRows(q *rowStatement, args []driver.Value) (int64, error) {
	if len(args) == 0 {
		return 0, nil
	}
	w.statements.Add(1)
	return w.conn.execRows(q, args)
}

// later runs a statement without looking at its outcome before the next one.
func (w *writer) later(text string, args ...driver.Value) error {
	w.statements.Add(1)
	return w.conn.later(nil, text, args, nil)
}

// laterRows is execRows without looking at its outcome before the next statement.
func (w *writer) laterRows(q *rowStatement, args []driver.Value) error {
	if len(args) == 0 {
		return nil
	}
	w.statements.Add(1)
	return w.conn.later(q, "", args, nil)
}

// laterChecked is later with a look at how many rows were changed, before the commit.
func (w *writer) laterChecked(check func(changed int64) error, text string, args ...driver.Value) error {
	w.statements.Add(1)
	return w.conn.later(nil, text, args, check)
}

// query runs a statement and calls each with every row; the values are only valid during the call.
func (w *writer) query(each func(row []driver.Value) error, text string, args ...driver.Value) error {
	w.statements.Add(1)
	return w.conn.query(each, text, args)
}

// queryInt gives the integer in the first column of the only row, or 0 without one.
func (w *writer) queryInt(text string, args ...driver.Value) (n int64, err error) {
	err = w.query(func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return nil
	}, text, args...)
	return n, err
}

// queryText gives the text in the first column of the only row, or "" without one.
func (w *writer) queryText(text string, args ...driver.Value) (found string, err error) {
	err = w.query(func(row []driver.Value) error {
		found, _ = row[0].(string)
		return nil
	}, text, args...)
	return found, err
}

// script runs several statements that take no arguments.
func (w *writer) script(text string) error { return w.conn.script(text) }

// patient lets what follows on this connection to PostgreSQL take long, up to a limit. Behind a transaction pooler, where what is set would
// stay with a connection that others get, the server's own limit for this user holds.
func (w *writer) patient(limit time.Duration) error {
	if c, ok := w.conn.(*postgresConnection); ok {
		c.limit = limit
	}
	if e, ok := w.engine.(*postgresEngine); ok && e.pooled {
		return nil
	}
	if _, err := w.exec("SET statement_timeout = 0"); err != nil {
		return fmt.Errorf("let statements take long: %w", err)
	}
	return nil
}

// form chooses the engine's own form of a statement.
func (w *writer) form(f forms) string { return w.engine.form(f) }

// postgres says whether the engine is PostgreSQL, for the few places where more than a statement differs.
func (w *writer) postgres() bool {
	_, ok := w.engine.(*postgresEngine)
	return ok
}
