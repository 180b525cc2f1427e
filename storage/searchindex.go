package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// searchIndex finds messages by terms. It is made of what the database has, behind everybody's back: what is accepted and recorded
// costs nothing for it, and waits for nothing of it. It holds the messages up to an id, and whoever searches looks at the later ones
// himself. Beside SQLite it is a database of its own, so that its writes and those of the mail do not wait for each other, and is made
// again whenever it is missing or damaged; on PostgreSQL it is four tables among the others, which one node at a time writes.
// docs/decisions/0042 says why it is not one of the database's own kind.
type searchIndex struct {
	engine engine
	path   string // of its own database; empty: it lies in that of the mail
	read   *reader
	write  *writer // nil beside a server; belongs to whoever has the mutex of the indexer
}

const searchSchema = `
	CREATE TABLE IF NOT EXISTS search_state (
		one     INTEGER PRIMARY KEY CHECK (one = 1),
		next    INTEGER NOT NULL,             -- number of the next segment
		reached TEXT NOT NULL,                -- id of the last message that was indexed
		holder  TEXT NOT NULL,                -- who writes the index, on PostgreSQL
		until   INTEGER NOT NULL              -- end of his turn
	);
	CREATE TABLE IF NOT EXISTS search_segment (
		n    INTEGER PRIMARY KEY,
		low  TEXT NOT NULL,                   -- id of its first message
		high TEXT NOT NULL,                   -- of its last one
		docs INTEGER NOT NULL,                -- how many messages it has numbers for
		live INTEGER NOT NULL                 -- those that retention has left
	);
	CREATE TABLE IF NOT EXISTS search_page (
		segment INTEGER NOT NULL,
		"key"   INTEGER NOT NULL,             -- the first term in it; below 0: it holds ids
		data    BLOB NOT NULL,
		PRIMARY KEY (segment, "key")
	) WITHOUT ROWID;
	CREATE TABLE IF NOT EXISTS search_due (message TEXT PRIMARY KEY) WITHOUT ROWID;
	INSERT INTO search_state (one, next, reached, holder, until) VALUES (1, 1, '', '', 0) ON CONFLICT DO NOTHING;`

// searchConnections is how many searches ask at the same time.
const searchConnections = 3

// searchFile has a number in it: an index that an older program has made otherwise is removed and made again.
const searchFile = "search-2.db"

// oldSearchFile is that of an earlier program.
const oldSearchFile = "search-1.db"

// openSearchIndex opens the index in a folder, and makes it when it is missing or damaged.
func openSearchIndex(dir string) (*searchIndex, error) {
	x := newSearchFile(dir)
	err := errors.Join(removeDatabase(filepath.Join(dir, oldSearchFile)), x.open())
	if err != nil {
		if err := removeDatabase(x.path); err != nil {
			return nil, fmt.Errorf("remove a damaged search index: %w", err)
		}
		err = x.open()
	}
	if err != nil {
		return nil, fmt.Errorf("open search index: %w", err)
	}
	return x, nil
}

func newSearchFile(dir string) *searchIndex {
	path := filepath.Join(dir, searchFile)
	e := &sqliteEngine{path: path, derived: true}
	return &searchIndex{path: path, engine: e, read: &reader{engine: e}}
}

func removeDatabase(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (x *searchIndex) open() (err error) {
	if err := makeFile(x.path); err != nil {
		return err
	}
	if x.write, err = newWriter(x.engine); err != nil {
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
	x := newSearchFile(dir)
	if _, err := os.Stat(x.path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err := x.openRead(); err != nil {
		return nil, fmt.Errorf("open search index: %w", errors.Join(err, x.close()))
	}
	return x, nil
}

func (x *searchIndex) openRead() (err error) {
	if x.read.DB, err = x.engine.open(); err != nil {
		return err
	}
	x.read.SetMaxOpenConns(searchConnections)
	x.read.SetMaxIdleConns(searchConnections)
	_, err = x.standing(context.Background())
	return err
}

// openIndex opens the index of the store.
func (s *Store) openIndex() (err error) {
	switch {
	case s.cfg.Database != "":
		e := s.engine.(*postgresEngine)
		s.index = &searchIndex{engine: e, read: &reader{engine: e}}
		if s.index.read.DB, err = e.openSearch(); err != nil {
			return err
		}
		s.index.read.SetMaxOpenConns(searchConnections)
		s.index.read.SetMaxIdleConns(searchConnections)
		if !s.cfg.Beside {
			s.index.write = &writer{engine: s.engine}
		}
	case s.cfg.Beside:
		s.index, err = openSearchIndexBeside(s.cfg.Dir)
	default:
		s.index, err = openSearchIndex(s.cfg.Dir)
	}
	return err
}

func (x *searchIndex) close() error {
	var errs []error
	if x.read.DB != nil {
		errs = append(errs, x.read.Close())
	}
	if x.write != nil {
		errs = append(errs, x.write.close())
	}
	return errors.Join(errs...)
}

// standing is how far the index is.
type standing struct {
	next     int64
	reached  string
	holder   string
	segments []segment // in the order in which they were made
}

const (
	selectStanding = "SELECT next, reached, holder FROM search_state WHERE one = 1"
	selectSegments = "SELECT n, low, high, docs, live FROM search_segment ORDER BY n"
)

// standing reads it: what the segments hold goes as far as reached at least.
func (x *searchIndex) standing(ctx context.Context) (st standing, err error) {
	if err := x.read.QueryRowContext(ctx, selectStanding).Scan(&st.next, &st.reached, &st.holder); err != nil {
		return st, err
	}
	rows, err := x.read.QueryContext(ctx, selectSegments)
	if err != nil {
		return st, err
	}
	err = each(rows, func() error {
		var g segment
		err := rows.Scan(&g.n, &g.low, &g.high, &g.docs, &g.live)
		st.segments = append(st.segments, g)
		return err
	})
	return st, err
}

// change runs a transaction that changes the index. Nobody else changes it meanwhile.
func (x *searchIndex) change(do func(w *writer, st *standing) error) error {
	return x.write.transact(func() error {
		var st standing
		w := x.write
		err := w.query(func(row []driver.Value) error {
			st.next, st.reached, st.holder = row[0].(int64), row[1].(string), row[2].(string)
			return nil
		}, selectStanding+w.form(forms{"", " FOR UPDATE"}))
		if err != nil {
			return err
		}
		err = w.query(func(row []driver.Value) error {
			st.segments = append(st.segments, segment{row[0].(int64), row[1].(string), row[2].(string), row[3].(int64), row[4].(int64)})
			return nil
		}, selectSegments)
		if err != nil {
			return err
		}
		return do(w, &st)
	})
}

var (
	insertSegment = "INSERT INTO search_segment (n, low, high, docs, live) VALUES (?, ?, ?, ?, ?)"
	upsertPages   = &rowStatement{
		head: `INSERT INTO search_page (segment, "key", data) VALUES `, row: "(?,?,?)",
		tail: ` ON CONFLICT (segment, "key") DO UPDATE SET data = excluded.data`, types: "bigint bigint bytea",
	}
	insertDue = &rowStatement{head: "INSERT INTO search_due (message) VALUES ", row: "(?)", tail: " ON CONFLICT DO NOTHING", types: "text"}
)

// pageRows bounds the pages of one statement.
const pageRows = 512

// insert writes a segment with the next number.
func (x *searchIndex) insert(w *writer, st *standing, g segment, pages []searchPage) error {
	g.n = st.next
	st.next++
	if _, err := w.exec(insertSegment, g.n, g.low, g.high, g.docs, g.live); err != nil {
		return err
	}
	if err := x.writePages(w, g.n, pages); err != nil {
		return err
	}
	_, err := w.exec("UPDATE search_state SET next = ?, reached = ? WHERE one = 1", st.next, st.reached)
	return err
}

func (x *searchIndex) writePages(w *writer, n int64, pages []searchPage) error {
	for chunk := range slices.Chunk(pages, pageRows) {
		rows := make([]driver.Value, 0, 3*len(chunk))
		for _, p := range chunk {
			rows = append(rows, n, p.key, p.data)
		}
		if _, err := w.execRows(upsertPages, rows); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a segment.
func (x *searchIndex) remove(w *writer, n int64) error {
	_, err := w.exec("DELETE FROM search_page WHERE segment = ?", n)
	if err == nil {
		_, err = w.exec("DELETE FROM search_segment WHERE n = ?", n)
	}
	return err
}

// load reads a segment whole, or its ids alone.
func (x *searchIndex) load(w *writer, g segment, idsAlone bool) (*loaded, error) {
	l := &loaded{segment: g}
	text := `SELECT "key", data FROM search_page WHERE segment = ?`
	if idsAlone {
		text += ` AND "key" < 0`
	}
	err := w.query(func(row []driver.Value) error {
		data, _ := row[1].([]byte)
		return l.take(searchPage{row[0].(int64), slices.Clone(data)})
	}, text+` ORDER BY "key"`, g.n)
	if err != nil {
		return nil, fmt.Errorf("read segment %d: %w", g.n, err)
	}
	return l, nil
}
