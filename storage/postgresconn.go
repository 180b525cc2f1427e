package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresConnection is a connection that writes.
type postgresConnection struct {
	engine *postgresEngine
	conn   *pgx.Conn
}

func (c *postgresConnection) alive() bool { return !c.conn.IsClosed() }

func (c *postgresConnection) sever() { _ = c.conn.PgConn().Conn().Close() }

func (c *postgresConnection) begin() error {
	_, err := c.exec("BEGIN", nil)
	return err
}

func (c *postgresConnection) close() error {
	ctx, cancel := bounded()
	defer cancel()
	if c.conn.IsClosed() {
		return nil
	}
	return c.conn.Close(ctx)
}

// bounded is for one statement. The server has a limit of its own; this one is for a server that does not answer.
func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), writeTimeout+unansweredTimeout)
}

func (c *postgresConnection) exec(text string, args []driver.Value) (int64, error) {
	return c.run(c.engine.text(text), c.arguments(args))
}

func (c *postgresConnection) execRows(q *rowStatement, args []driver.Value) (int64, error) {
	return c.run(q.postgresText(), q.arrays(args))
}

func (c *postgresConnection) run(text string, args []any) (int64, error) {
	ctx, cancel := bounded()
	defer cancel()
	tag, err := c.conn.Exec(ctx, text, args...)
	if err != nil {
		return 0, c.trouble(err)
	}
	// A transaction in which a statement has failed is committed without an error, but for its tag.
	if text == "COMMIT" && tag.String() != text {
		return 0, fmt.Errorf("the database answered %s", tag)
	}
	return tag.RowsAffected(), nil
}

func (c *postgresConnection) query(each func(row []driver.Value) error, text string, args []driver.Value) error {
	ctx, cancel := bounded()
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
		return err
	}
	return databaseError{err}
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
