package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// searchIndex finds messages by terms. It is a database of its own beside the other, made of that and made again whenever it is
// missing or damaged: what is accepted and recorded costs nothing for it, and waits for nothing of it. It holds the messages up to
// a row of the table message; whoever searches looks at the later ones himself.
//
// An FTS5 table without content and positions, measured against plain tables of terms: a tenth of the size, and what it writes
// it writes in a row.
type searchIndex struct {
	path  string
	write *writer // nil beside a server; belongs to whoever has the mutex of the indexer
	read  *sql.DB
}

const searchSchema = `
	CREATE TABLE IF NOT EXISTS doc (
		n       INTEGER PRIMARY KEY,      -- row of the message in the other database
		message TEXT NOT NULL UNIQUE,
		parsed  INTEGER NOT NULL          -- 0: not yet, as far as was known
	);
	CREATE INDEX IF NOT EXISTS doc_unparsed ON doc (n) WHERE parsed = 0;
	CREATE VIRTUAL TABLE IF NOT EXISTS word USING fts5 (
		terms, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '.-_:@'"
	);
	CREATE TABLE IF NOT EXISTS reached (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL);
	INSERT INTO reached (one, n) VALUES (1, 0) ON CONFLICT DO NOTHING;`

// searchFile has a number in it: an index that an older program has made otherwise is made again.
const searchFile = "search-1.db"

// openSearchIndex opens the index in a folder, and makes it when it is missing or damaged.
func openSearchIndex(dir string) (*searchIndex, error) {
	x := &searchIndex{path: filepath.Join(dir, searchFile)}
	err := x.open()
	if err != nil {
		for _, name := range []string{x.path, x.path + "-wal", x.path + "-shm"} {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("remove a damaged search index: %w", err)
			}
		}
		err = x.open()
	}
	if err != nil {
		return nil, fmt.Errorf("open search index: %w", err)
	}
	return x, nil
}

func (x *searchIndex) open() (err error) {
	if err := makeFile(x.path); err != nil {
		return err
	}
	if x.write, err = newWriter(x.engine()); err != nil {
		return err
	}
	err = x.write.script(searchSchema)
	if err == nil {
		err = x.openRead()
	}
	if err != nil {
		return errors.Join(err, x.close())
	}
	return nil
}

// openSearchIndexBeside opens the index of a server that may run; nil: there is none.
func openSearchIndexBeside(dir string) (*searchIndex, error) {
	x := &searchIndex{path: filepath.Join(dir, searchFile)}
	if _, err := os.Stat(x.path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err := x.openRead(); err != nil {
		return nil, fmt.Errorf("open search index: %w", errors.Join(err, x.close()))
	}
	return x, nil
}

func (x *searchIndex) openRead() (err error) {
	if x.read, err = x.engine().open(); err != nil {
		return err
	}
	x.read.SetMaxOpenConns(2)
	x.read.SetMaxIdleConns(2)
	_, err = x.reached(context.Background())
	return err
}

func (x *searchIndex) engine() *sqliteEngine { return &sqliteEngine{path: x.path, derived: true} }

// openIndex opens the index of the store, which is on SQLite alone.
func (s *Store) openIndex() (err error) {
	switch {
	case s.cfg.Database != "":
	case s.cfg.Beside:
		s.index, err = openSearchIndexBeside(s.cfg.Dir)
	default:
		s.index, err = openSearchIndex(s.cfg.Dir)
	}
	return err
}

func (x *searchIndex) close() error {
	var errs []error
	if x.read != nil {
		errs = append(errs, x.read.Close())
	}
	if x.write != nil {
		errs = append(errs, x.write.close())
	}
	return errors.Join(errs...)
}

// reached is the row of the table message up to which the index holds all.
func (x *searchIndex) reached(ctx context.Context) (n int64, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT n FROM reached").Scan(&n)
	return n, err
}

// hit is a message that the index gives.
type hit struct {
	n  int64
	id string
}

// find gives messages that meet a question, the latest rows first, from before a row.
func (x *searchIndex) find(ctx context.Context, question string, before int64, limit int) (hits []hit, err error) {
	rows, err := x.read.QueryContext(ctx, `SELECT w.rowid, d.message FROM (
			SELECT rowid FROM word WHERE word MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?) AS w
		JOIN doc AS d ON d.n = w.rowid ORDER BY w.rowid DESC`, question, before, limit)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var h hit
		err := rows.Scan(&h.n, &h.id)
		hits = append(hits, h)
		return err
	})
	return hits, err
}

// entry is what the index is to hold of a message.
type entry struct {
	n      int64
	id     string
	terms  string
	parsed bool
}

var (
	upsertDocs = &rowStatement{
		head: "INSERT INTO doc (n, message, parsed) VALUES ", row: "(?,?,?)",
		tail: " ON CONFLICT (n) DO UPDATE SET message = excluded.message, parsed = excluded.parsed", types: "bigint text bigint",
	}
	insertWords = &rowStatement{head: "INSERT OR REPLACE INTO word (rowid, terms) VALUES ", row: "(?,?)", types: "bigint text"}
)

// put writes entries, and up to which row all are there; a reached of 0 leaves that as it is.
func (x *searchIndex) put(entries []entry, reached int64) error {
	var docs, words []driver.Value
	for i := range entries {
		e := &entries[i]
		parsed := int64(0)
		if e.parsed {
			parsed = 1
		}
		docs = append(docs, e.n, e.id, parsed)
		words = append(words, e.n, e.terms)
	}
	return x.write.transact(func() error {
		for i := range entries { // a row of another message, whose number was given again
			if _, err := x.write.exec("DELETE FROM doc WHERE message = ? AND n <> ?", entries[i].id, entries[i].n); err != nil {
				return err
			}
		}
		if _, err := x.write.execRows(upsertDocs, docs); err != nil {
			return err
		}
		if _, err := x.write.execRows(insertWords, words); err != nil {
			return err
		}
		if reached == 0 {
			return nil
		}
		_, err := x.write.exec("UPDATE reached SET n = ?", reached)
		return err
	})
}

// forget removes messages. reached is lowered to the last row that is left, for a row that is free may be given again.
func (x *searchIndex) forget(ids []string, last int64) error {
	return x.write.transact(func() error {
		for _, id := range ids {
			n, err := x.write.queryInt("SELECT n FROM doc WHERE message = ?", id)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			if _, err := x.write.exec("DELETE FROM word WHERE rowid = ?", n); err != nil {
				return err
			}
			if _, err := x.write.exec("DELETE FROM doc WHERE n = ?", n); err != nil {
				return err
			}
		}
		_, err := x.write.exec("UPDATE reached SET n = min(n, ?)", last)
		return err
	})
}

// blank leaves of messages no more in the index than that they are there.
func (x *searchIndex) blank(ids []string) error {
	return x.write.transact(func() error {
		for _, id := range ids {
			if _, err := x.write.exec("DELETE FROM word WHERE rowid = (SELECT n FROM doc WHERE message = ?)", id); err != nil {
				return err
			}
			if _, err := x.write.exec("UPDATE doc SET parsed = 1 WHERE message = ? AND parsed = 0", id); err != nil {
				return err
			}
		}
		return nil
	})
}

// purge writes the index anew, because what is removed from it stays in its file until then, and empties its log.
func (x *searchIndex) purge() error {
	err := x.write.transact(func() error {
		if err := x.write.secureDelete(); err != nil {
			return err
		}
		_, err := x.write.exec("INSERT INTO word (word) VALUES ('optimize')")
		return err
	})
	if err == nil {
		_, err = x.write.truncateLog() // whoever reads keeps the log for a while
	}
	return err
}

// unparsed gives those of the messages whose header the index does not know, or, without any, all of them behind a row.
func (x *searchIndex) unparsed(after int64, limit int) (hits []hit, err error) {
	err = x.write.query(func(row []driver.Value) error {
		hits = append(hits, hit{row[0].(int64), row[1].(string)})
		return nil
	}, "SELECT n, message FROM doc WHERE parsed = 0 AND n > ? ORDER BY n LIMIT ?", after, int64(limit))
	return hits, err
}

// stillUnparsed finds one message among those; 0: it is not.
func (x *searchIndex) stillUnparsed(id string) (int64, error) {
	return x.write.queryInt("SELECT n FROM doc WHERE message = ? AND parsed = 0", id)
}
