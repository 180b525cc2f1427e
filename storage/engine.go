package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// An engine is the database below a [Store]: [sqliteEngine] or [postgresEngine].
//
// Statements are written once, with ? for their arguments, and run word for word on both: TEXT, BIGINT and BLOB columns, ids and
// JSON as text, truth as 0 and 1, times as milliseconds. To keep to what both take: qualify the old row in ON CONFLICT (live =
// pack.live + excluded.live), give every subquery in FROM a name, and write CASE for the larger of two values. Where one form does
// not do for both, the statement is a [forms]; a statement over many rows is a [rowStatement], which PostgreSQL gets as arrays.
//
// A new step of the schema is two files of the same number, schema/NNNN.sql for SQLite and schema/postgres/NNNN.sql. The latter
// begins with a line that says what becomes of programs that do not know it and run beside it, see [schemaStep].
type engine interface {
	// connect makes the connection of a committer.
	connect() (connection, error)
	// open makes the pool of readers. Nothing need be reachable yet.
	open() (*sql.DB, error)
	// text is a statement as the engine wants it.
	text(statement string) string
	// form chooses the engine's own form.
	form(f forms) string
	// snapshot is for a transaction that reads several tables as they stood at one time.
	snapshot() *sql.TxOptions
	// argument makes of an argument what the engine's driver takes.
	argument(v any) any
}

// forms is a statement, or a part of one, that the engines want written differently.
type forms struct{ sqlite, postgres string }

// connection is one connection to the database. It belongs to one goroutine, goes without the pool of database/sql and keeps its
// statements prepared.
type connection interface {
	// exec runs a statement and returns the number of rows it changed.
	exec(text string, args []driver.Value) (int64, error)
	// execRows runs a statement over all the rows whose values lie in args one after the other.
	execRows(q *rowStatement, args []driver.Value) (int64, error)
	// later is exec or execRows for a statement whose outcome is known soon enough when another one runs, or the transaction is
	// committed: over a network that saves a way there and back. check, which may be nil, gets the number of rows changed; its error
	// is that of the transaction.
	later(q *rowStatement, text string, args []driver.Value, check func(changed int64) error) error
	// flush runs what later left.
	flush() error
	// query runs a statement and calls each with every row; the values are only valid during the call.
	query(each func(row []driver.Value) error, text string, args []driver.Value) error
	// script runs several statements that take no arguments.
	script(text string) error
	begin() error
	// alive is false when the connection is of no more use.
	alive() bool
	// sever ends what the connection is waiting for. Unlike all else it may be called meanwhile.
	sever()
	close() error
}

// errDatabase marks what a database that cannot be reached, or went away, made fail.
type databaseError struct{ error }

func (e databaseError) Unwrap() error { return e.error }

// isStorageTrouble tells errors of the system below (disk full, I/O, locked, out of reach) from errors of a statement.
// Splitting a batch does not help against the former.
func isStorageTrouble(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
			return false
		}
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return !isStatementError(e.Code)
	}
	_, ok := errors.AsType[databaseError](err)
	return ok
}

// isStatementError says whether a SQLSTATE speaks of the statement or its rows: their classes are cardinality, data, constraint,
// syntax and what a trigger raises.
func isStatementError(state string) bool {
	for _, class := range []string{"21", "22", "23", "42", "44", "P0"} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	return false
}

// isConflict says that a transaction gave way to another one and may be run again.
func isConflict(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01") // serialization_failure, deadlock_detected
}

// isBusy says that somebody else had a lock for too long.
func isBusy(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "55P03" // lock_not_available
}

// reader is the pool of connections that read.
type reader struct {
	*sql.DB
	engine engine
}

// QueryContext is that of sql.DB, for a statement of both engines.
func (r *reader) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	rows, err := r.DB.QueryContext(ctx, r.engine.text(text), r.arguments(args)...)
	return rows, hinted(err)
}

// QueryRowContext is that of sql.DB, for a statement of both engines.
func (r *reader) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	return r.DB.QueryRowContext(ctx, r.engine.text(text), r.arguments(args)...)
}

func (r *reader) arguments(args []any) []any {
	for i, a := range args {
		args[i] = r.engine.argument(a)
	}
	return args
}

// form chooses the engine's own form of a statement.
func (r *reader) form(f forms) string { return r.engine.form(f) }
