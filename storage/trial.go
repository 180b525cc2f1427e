package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgconn"
)

// What [TryBlobs] tries. Mail needs the first two.
const (
	TriedRead   = "read"
	TriedWrite  = "write"
	TriedList   = "list"
	TriedDelete = "delete"
)

// TrialError is why something of a trial failed.
type TrialError struct {
	Tried string // TriedRead, TriedWrite, TriedList or TriedDelete

	err error
}

// Error implements error, with all that the SDK of the bucket says.
func (e *TrialError) Error() string { return e.err.Error() }

// Unwrap gives the reason.
func (e *TrialError) Unwrap() error { return e.err }

// Plain is the reason for people, see [BucketError.Plain].
func (e *TrialError) Plain() string {
	if b, ok := errors.AsType[*BucketError](e.err); ok {
		return b.Plain()
	}
	return e.err.Error()
}

// TryBlobs does with blobs what a store needs of them, but for taking them as its own: it reads whose they are, lists, writes a small
// object and deletes it. The faults are what failed, all of it as far as one does not follow from another. owner is the store that they
// belong to; empty: nobody's yet, or it could not be read. store is the one that they should belong to; empty: it is not known. Blobs of
// another one are not written to, and err Is [ErrForeign].
func TryBlobs(ctx context.Context, blobs Blobs, store string) (owner string, faults []*TrialError, err error) {
	s := &Store{cfg: Config{Blobs: blobs}, id: store}
	owner, err = s.readOwner(ctx)
	unread := err != nil && !errors.Is(err, ErrNotFound)
	if unread {
		faults = append(faults, &TrialError{TriedRead, err})
		if failed, ok := errors.AsType[*BucketError](err); ok && failed.Permission == "" {
			return "", faults, nil // nothing else would fare better
		}
	}
	for _, err := range blobs.List(ctx, ownerKey) {
		if err != nil {
			faults = append(faults, &TrialError{TriedList, err})
		}
		break
	}
	switch {
	case unread:
		return "", faults, nil
	case owner != "" && store != "" && owner != store:
		return owner, faults, s.foreign(owner)
	}
	kept, err := writeProbe(ctx, blobs)
	if err != nil {
		faults = append(faults, &TrialError{TriedWrite, err})
	}
	if kept != nil {
		faults = append(faults, &TrialError{TriedDelete, kept})
	}
	return owner, faults, nil
}

// StoreID is the id of the store that a server with this configuration would open, which its blobs are marked with; empty: there is
// none yet. It changes nothing, not even a file beside a SQLite database, and a server may run. Of cfg it needs Dir or Database.
func StoreID(ctx context.Context, cfg Config) (id string, err error) {
	if cfg.Database != "" {
		id, err = postgresStoreID(cfg.Database)
	} else {
		id, err = sqliteStoreID(ctx, filepath.Join(cfg.Dir, DatabaseName))
	}
	if err != nil {
		return "", fmt.Errorf("read the id of the store: %w", err)
	}
	if _, target, copying := parseMark(copyMark, id); copying {
		return target, nil
	}
	if source, _, moved := parseMark(movedMark, id); moved {
		return source, nil
	}
	return id, nil
}

func postgresStoreID(databaseURL string) (id string, err error) {
	e, err := newPostgresEngine(databaseURL)
	if err != nil {
		return "", err
	}
	conn, err := e.connect()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.close()) }()
	err = conn.query(func(row []driver.Value) error {
		id, _ = row[0].(string)
		return nil
	}, "SELECT id FROM store", nil)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42P01" { // undefined_table
		return "", nil
	}
	return id, err
}

func sqliteStoreID(ctx context.Context, path string) (id string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return "", err
	}
	// Whoever opens a database that keeps a write-ahead log makes the two files of that, as their owner. Without a log nobody has the
	// database open, and with one the index of the log is there too and only read.
	q := url.Values{"mode": {"ro"}, "readonly_shm": {"1"}, "_pragma": {"busy_timeout(5000)"}}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		q.Set("immutable", "1")
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tables := 0
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'store'").Scan(&tables)
	if err != nil || tables == 0 { // a first start that came to nothing
		return "", err
	}
	if err = db.QueryRowContext(ctx, "SELECT id FROM store").Scan(&id); errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}
