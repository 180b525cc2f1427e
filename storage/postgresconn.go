package storage

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresConnection is a connection that writes.
type postgresConnection struct {
	engine *postgresEngine
	conn   *pgx.Conn
	// waiting are statements that go with the next one.
	waiting []waiting
	checks  bool          // one of them has a check
	limit   time.Duration // of a statement; 0: writeTimeout
}

// waiting is a statement that was not sent yet.
type waiting struct {
	text  string
	args  []any
	check func(changed int64) error
}

func (c *postgresConnection) alive() bool { return !c.conn.IsClosed() }

func (c *postgresConnection) sever() { _ = c.conn.PgConn().Conn().Close() }

// begin begins a transaction each statement of which sees what was committed before it, whatever the server is set to: who has waited for a
// lock looks then at what has changed meanwhile.
func (c *postgresConnection) begin() error {
	c.waiting, c.checks = c.waiting[:0], false
	return c.later(nil, "BEGIN ISOLATION LEVEL READ COMMITTED", nil, nil)
}

func (c *postgresConnection) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout+unansweredTimeout)
	defer cancel()
	if c.conn.IsClosed() {
		return nil
	}
	return c.conn.Close(ctx)
}

// bounded is for one statement. The server has a limit of its own; this one is for a server that does not answer.
func (c *postgresConnection) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cmp.Or(c.limit, writeTimeout)+unansweredTimeout)
}

func (c *postgresConnection) exec(text string, args []driver.Value) (int64, error) {
	return c.run(c.engine.text(text), c.arguments(args))
}

func (c *postgresConnection) execRows(q *rowStatement, args []driver.Value) (int64, error) {
	return c.run(q.postgresText(), q.arrays(args))
}

func (c *postgresConnection) later(q *rowStatement, text string, args []driver.Value, check func(int64) error) error {
	w := waiting{check: check}
	if q != nil {
		w.text, w.args = q.postgresText(), q.arrays(args)
	} else {
		w.text, w.args = c.engine.text(text), c.arguments(args)
	}
	c.waiting = append(c.waiting, w)
	c.checks = c.checks || check != nil
	return nil
}

func (c *postgresConnection) run(text string, args []any) (changed int64, err error) {
	if text == "COMMIT" && c.checks {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	err = c.send(waiting{text, args, func(n int64) error { changed = n; return nil }})
	return changed, err
}

func (c *postgresConnection) flush() error {
	if len(c.waiting) == 0 {
		return nil
	}
	return c.send()
}

// send runs what waits, and then more, on one way to the server. What follows a statement that fails is not run.
func (c *postgresConnection) send(more ...waiting) (err error) {
	ctx, cancel := c.bounded()
	defer cancel()
	all := slices.Concat(c.waiting, more)
	c.waiting, c.checks = c.waiting[:0], false
	var batch pgx.Batch
	for _, w := range all {
		batch.Queue(w.text, w.args...)
	}
	results := c.conn.SendBatch(ctx, &batch)
	defer func() {
		if closed := results.Close(); err == nil {
			err = c.trouble(closed)
		}
	}()
	for _, w := range all {
		tag, err := results.Exec()
		if err != nil {
			return c.trouble(err)
		}
		// A transaction in which a statement has failed is committed without an error, but for its tag.
		if w.text == "COMMIT" && tag.String() != w.text {
			return fmt.Errorf("the database answered %s", tag)
		}
		if w.check == nil {
			continue
		}
		if err := w.check(tag.RowsAffected()); err != nil {
			return err
		}
	}
	return nil
}

func (c *postgresConnection) query(each func(row []driver.Value) error, text string, args []driver.Value) error {
	if err := c.flush(); err != nil {
		return err
	}
	ctx, cancel := c.bounded()
	defer cancel()
	rows, err := c.conn.Query(ctx, c.engine.text(text), c.arguments(args)...)
	if err != nil {
		return c.trouble(err)
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.FieldDescriptions()))
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return c.trouble(err)
		}
		for i, v := range values {
			row[i] = number(v)
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return c.trouble(rows.Err())
}

func (c *postgresConnection) script(text string) error {
	if err := c.flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	_, err := c.conn.PgConn().Exec(ctx, text).ReadAll()
	return c.trouble(err)
}

func (c *postgresConnection) arguments(args []driver.Value) []any {
	list := make([]any, len(args))
	for i, v := range args {
		list[i] = plain(v)
	}
	return list
}

// trouble marks an error that is not the server's answer to a statement: then it is the way to the server.
func (c *postgresConnection) trouble(err error) error {
	if _, ok := errors.AsType[*pgconn.PgError](err); err == nil || ok || !c.conn.IsClosed() {
		return hinted(err)
	}
	return databaseError{err}
}

// hinted says what to do where prepared statements are those of another session: a pooler of transactions gives each transaction whatever
// connection is free.
func hinted(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || e.Code != "26000" && e.Code != "42P05" { // invalid_sql_statement_name, duplicate_prepared_statement
		return err
	}
	return fmt.Errorf("%w: behind a pooler of transactions the URL of the database needs default_query_exec_mode=exec (docs/operations.md, Poolers)", err)
}

// number makes every whole number, and truth, what it is on SQLite.
func number(v any) driver.Value {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case int16:
		return int64(v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	}
	return v
}
