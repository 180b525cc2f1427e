package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"sync/atomic"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxRows bounds the rows of one statement.
const maxRows = 64

// rowStatement is a statement over a number of rows. It is prepared for 1, 2, 4 ... 64 rows: a row of a long statement
// costs a fraction of a statement of its own.
type rowStatement struct {
	head, row, tail string
	or              bool // rows are joined by OR instead of a comma
	columns         int  // placeholders in row
}

func (q *rowStatement) text(rows int) string {
	join := ","
	if q.or {
		join = " OR "
	}
	return q.head + strings.Repeat(q.row+join, rows-1) + q.row + q.tail
}

// writer is the one connection that writes. It belongs to one goroutine, so it goes without the pool of database/sql and
// keeps its statements prepared.
type writer struct {
	connector driver.Connector
	conn      driver.Conn // nil after an error that may have left it in a bad state
	// generation counts the connections made.
	generation int
	single     map[string]driver.Stmt
	rows       map[*rowStatement]*[7]driver.Stmt // by the logarithm of the number of rows
	args       []driver.NamedValue
	statements atomic.Int64 // run so far; for the metrics
}

func newWriter(dsn string) (*writer, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	w := &writer{connector: connector}
	return w, w.connect()
}

func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.connector.Connect(context.Background())
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	w.conn = conn
	w.generation++
	w.single = make(map[string]driver.Stmt)
	w.rows = make(map[*rowStatement]*[7]driver.Stmt)
	return nil
}

// close ends the connection; the next use makes a new one.
func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	var errs []error
	for _, s := range w.single {
		errs = append(errs, s.Close())
	}
	for _, sizes := range w.rows {
		for _, s := range sizes {
			if s != nil {
				errs = append(errs, s.Close())
			}
		}
	}
	errs = append(errs, w.conn.Close())
	w.conn = nil
	return errors.Join(errs...)
}

// transact runs do in one transaction. An error of the system below costs the connection, so that the next transaction
// starts from a clean one. After an error nothing of it is visible, unless it was the commit itself that
// failed: then the database may have kept all of it.
func (w *writer) transact(do func() error) error {
	if err := w.connect(); err != nil {
		return err
	}
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
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
	s, err := w.prepare(text)
	if err != nil {
		return 0, err
	}
	return w.run(s, args)
}

// execRows runs a statement over all the rows whose values lie in args one after the other.
func (w *writer) execRows(q *rowStatement, args []driver.Value) (changed int64, err error) {
	for len(args) > 0 {
		log := bits.Len(uint(min(len(args)/q.columns, maxRows))) - 1
		s, err := w.prepareRows(q, log)
		if err != nil {
			return changed, err
		}
		n := q.columns << log
		c, err := w.run(s, args[:n])
		if err != nil {
			return changed, err
		}
		changed += c
		args = args[n:]
	}
	return changed, nil
}

// query runs a statement and calls each with every row; the values are only valid during the call.
func (w *writer) query(each func(row []driver.Value) error, text string, args ...driver.Value) (err error) {
	s, err := w.prepare(text)
	if err != nil {
		return err
	}
	w.statements.Add(1)
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), w.named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
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

func (w *writer) run(s driver.Stmt, args []driver.Value) (int64, error) {
	w.statements.Add(1)
	// The context is never cancelled: with a cancellable one the driver starts a goroutine for every statement.
	result, err := s.(driver.StmtExecContext).ExecContext(context.Background(), w.named(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (w *writer) named(args []driver.Value) []driver.NamedValue {
	for len(w.args) < len(args) {
		w.args = append(w.args, driver.NamedValue{Ordinal: len(w.args) + 1})
	}
	for i, v := range args {
		w.args[i].Value = v
	}
	return w.args[:len(args)]
}

func (w *writer) prepare(text string) (driver.Stmt, error) {
	if s := w.single[text]; s != nil {
		return s, nil
	}
	s, err := w.conn.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.40q: %w", text, err)
	}
	w.single[text] = s
	return s, nil
}

func (w *writer) prepareRows(q *rowStatement, log int) (driver.Stmt, error) {
	sizes := w.rows[q]
	if sizes == nil {
		sizes = new([7]driver.Stmt)
		w.rows[q] = sizes
	}
	if sizes[log] == nil {
		s, err := w.conn.Prepare(q.text(1 << log))
		if err != nil {
			return nil, fmt.Errorf("prepare %.40q: %w", q.head, err)
		}
		sizes[log] = s
	}
	return sizes[log], nil
}

// isStorageTrouble tells errors of the system below (disk full, I/O, locked) from errors of a statement. Splitting a
// batch does not help against the former.
func isStorageTrouble(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return false
	}
	return true
}

// script runs several statements that take no arguments.
func (w *writer) script(text string) error {
	_, err := w.conn.(driver.ExecerContext).ExecContext(context.Background(), text, nil)
	return err
}
