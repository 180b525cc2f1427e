package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/url"
	"os"

	"modernc.org/sqlite" // also the driver "sqlite" for the pool of readers
)

// DatabaseName is the name of the SQLite database within a data folder, and within a backup.
const DatabaseName = "letterhook.db"

// sqliteEngine is a database in a file.
type sqliteEngine struct {
	path string
	// derived says that it is made from another database: a commit that a power cut takes back is made again.
	derived bool
}

func (e *sqliteEngine) text(statement string) string { return statement }
func (e *sqliteEngine) form(f forms) string          { return f.sqlite }
func (e *sqliteEngine) argument(v any) any           { return v }
func (e *sqliteEngine) snapshot() *sql.TxOptions     { return &sql.TxOptions{ReadOnly: true} }

func (e *sqliteEngine) open() (*sql.DB, error) { return sql.Open("sqlite", e.dsn(true)) }

// dsn names the database. synchronous(full) is the promise: a commit returns when the write-ahead log is synced.
func (e *sqliteEngine) dsn(readOnly bool) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(1)",
		"wal_autocheckpoint(2000)", "journal_size_limit(67108864)", "temp_store(memory)",
		"secure_delete(fast)", // the key of an erased message must not linger in a page
	}}
	if e.derived {
		q["_pragma"] = append(q["_pragma"], "synchronous(normal)", "cache_size(-8000)") // the last one counts
	}
	if readOnly {
		q = url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: e.path, RawQuery: q.Encode()}
	return u.String()
}

// prepare makes the file, or with beside only looks for it: else SQLite would make an empty one.
func (e *sqliteEngine) prepare(beside bool) error {
	if !beside {
		return makeFile(e.path)
	}
	_, err := os.Stat(e.path)
	return err
}

func (e *sqliteEngine) connect() (connection, error) {
	connector, err := sqlite.NewConnector(e.dsn(false))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &sqliteConnection{conn: conn, single: make(map[string]driver.Stmt), rows: make(map[*rowStatement]*[7]driver.Stmt)}, nil
}

// sqliteConnection is the one connection that writes to the file.
type sqliteConnection struct {
	conn   driver.Conn
	single map[string]driver.Stmt
	rows   map[*rowStatement]*[7]driver.Stmt // by the logarithm of the number of rows
	args   []driver.NamedValue
}

func (c *sqliteConnection) alive() bool { return true }

func (c *sqliteConnection) sever() {} // a file does not keep anybody waiting

func (c *sqliteConnection) begin() error {
	_, err := c.exec("BEGIN IMMEDIATE", nil)
	return err
}

func (c *sqliteConnection) close() error {
	var errs []error
	for _, s := range c.single {
		errs = append(errs, s.Close())
	}
	for _, sizes := range c.rows {
		for _, s := range sizes {
			if s != nil {
				errs = append(errs, s.Close())
			}
		}
	}
	return errors.Join(append(errs, c.conn.Close())...)
}

func (c *sqliteConnection) exec(text string, args []driver.Value) (int64, error) {
	s, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	return c.run(s, args)
}

func (c *sqliteConnection) execRows(q *rowStatement, args []driver.Value) (changed int64, err error) {
	for columns := q.columns(); len(args) > 0; {
		log := bits.Len(uint(min(len(args)/columns, maxRows))) - 1
		s, err := c.prepareRows(q, log)
		if err != nil {
			return changed, err
		}
		n := columns << log
		ran, err := c.run(s, args[:n])
		if err != nil {
			return changed, err
		}
		changed += ran
		args = args[n:]
	}
	return changed, nil
}

// later has nothing to save: the database is in this process.
func (c *sqliteConnection) later(q *rowStatement, text string, args []driver.Value, check func(changed int64) error) (err error) {
	var changed int64
	if q != nil {
		changed, err = c.execRows(q, args)
	} else {
		changed, err = c.exec(text, args)
	}
	if err == nil && check != nil {
		err = check(changed)
	}
	return err
}

func (c *sqliteConnection) flush() error { return nil }

func (c *sqliteConnection) query(each func(row []driver.Value) error, text string, args []driver.Value) (err error) {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.named(args))
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

func (c *sqliteConnection) script(text string) error {
	_, err := c.conn.(driver.ExecerContext).ExecContext(context.Background(), text, nil)
	return err
}

func (c *sqliteConnection) run(s driver.Stmt, args []driver.Value) (int64, error) {
	// The context is never cancelled: with a cancellable one the driver starts a goroutine for every statement.
	result, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.named(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c *sqliteConnection) named(args []driver.Value) []driver.NamedValue {
	for len(c.args) < len(args) {
		c.args = append(c.args, driver.NamedValue{Ordinal: len(c.args) + 1})
	}
	for i, v := range args {
		c.args[i].Value = v
	}
	return c.args[:len(args)]
}

func (c *sqliteConnection) prepare(text string) (driver.Stmt, error) {
	if s := c.single[text]; s != nil {
		return s, nil
	}
	s, err := c.conn.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.40q: %w", text, err)
	}
	c.single[text] = s
	return s, nil
}

func (c *sqliteConnection) prepareRows(q *rowStatement, log int) (driver.Stmt, error) {
	sizes := c.rows[q]
	if sizes == nil {
		sizes = new([7]driver.Stmt)
		c.rows[q] = sizes
	}
	if sizes[log] == nil {
		s, err := c.conn.Prepare(q.text(1 << log))
		if err != nil {
			return nil, fmt.Errorf("prepare %.40q: %w", q.head, err)
		}
		sizes[log] = s
	}
	return sizes[log], nil
}
