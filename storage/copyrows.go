package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	copyPage  = 500     // rows read at once
	copyBatch = 4 << 20 // octets written in one transaction, about
)

// rowWalk walks over a table by its primary key. It holds no snapshot: page by page it sees what is there then.
type rowWalk struct {
	db    *reader
	table *copyTable

	change func(row []driver.Value) // of each row that is read; nil: none
	sorted bool                     // all rows are read at once, because change alters their order
	page   [][]driver.Value
	after  []driver.Value
	ended  bool
}

// next gives the next row, or nil behind the last one.
func (w *rowWalk) next(ctx context.Context) ([]driver.Value, error) {
	if len(w.page) == 0 && !w.ended {
		if err := w.read(ctx); err != nil {
			return nil, fmt.Errorf("read table %s: %w", w.table.name, err)
		}
	}
	if len(w.page) == 0 {
		return nil, nil
	}
	row := w.page[0]
	w.page = w.page[1:]
	return row, nil
}

func (w *rowWalk) read(ctx context.Context) error {
	t := w.table
	rows, err := w.db.QueryContext(ctx, w.statement(), w.arguments()...)
	if err != nil {
		return err
	}
	w.page = nil
	err = each(rows, func() error {
		found, into := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range found {
			into[i] = &found[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := make([]driver.Value, len(found))
		for i := range found {
			if row[i], err = t.columns[i].value(found[i]); err != nil {
				return err
			}
		}
		w.page = append(w.page, row)
		return nil
	})
	if err != nil {
		return err
	}
	w.ended = w.sorted || len(w.page) < copyPage
	if len(w.page) > 0 {
		w.after = t.keyOf(w.page[len(w.page)-1])
	}
	if w.change != nil {
		for _, row := range w.page {
			w.change(row)
		}
	}
	if w.sorted {
		slices.SortFunc(w.page, t.compare)
	}
	return nil
}

// statement reads a page. That the first column of the key is not smaller follows from the rest; it lets PostgreSQL pass over
// partitions.
func (w *rowWalk) statement() string {
	t := w.table
	var columns, keys []string
	for _, c := range t.columns {
		columns = append(columns, quoted(c.name))
	}
	for _, i := range t.key {
		keys = append(keys, quoted(t.columns[i].name))
	}
	text := "SELECT " + strings.Join(columns, ", ") + " FROM " + t.name
	if w.after != nil {
		text += " WHERE " + keys[0] + " >= ? AND (" + strings.Join(keys, ", ") + ") > (" + placeholders(len(keys)) + ")"
	}
	if w.sorted {
		return text
	}
	return text + " ORDER BY " + strings.Join(keys, ", ") + fmt.Sprintf(" LIMIT %d", copyPage)
}

func (w *rowWalk) arguments() []any {
	if w.after == nil {
		return nil
	}
	return append([]any{w.after[0]}, anys(w.after)...)
}

// value makes a value one of the column's kind. SQLite may hold another kind than the column says.
func (c copyColumn) value(v driver.Value) (driver.Value, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		if c.kind == "bigint" {
			return v, nil
		}
	case string:
		switch c.kind {
		case "text":
			return v, nil
		case "bytea":
			return []byte(v), nil
		}
	case []byte:
		switch c.kind {
		case "text":
			return string(v), nil
		case "bytea":
			return append([]byte{}, v...), nil // never nil, which would be NULL
		}
	}
	return nil, fmt.Errorf("a value of column %s is a %T", c.name, v)
}

// compare orders rows by their primary key.
func (t *copyTable) compare(a, b []driver.Value) int {
	for _, i := range t.key {
		if c := compareValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// order says which of two rows comes first; nil stands behind all of them.
func (t *copyTable) order(a, b []driver.Value) int {
	switch {
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return t.compare(a, b)
}

// difference is what has to be done to a table of the target.
type difference struct {
	put    func(row []driver.Value) error // the row is missing, or another one
	drop   func(row []driver.Value) error // the source has no such row
	step   func()                         // after each row of the source; may be nil
	source int64                          // rows that the source has
}

// compareTables walks over a table of both databases at once.
func (d *difference) compareTables(ctx context.Context, t *copyTable, from, to *rowWalk) error {
	theirs, err := from.next(ctx)
	if err != nil {
		return err
	}
	ours, err := to.next(ctx)
	for err == nil && (theirs != nil || ours != nil) {
		order := t.order(theirs, ours)
		switch {
		case order > 0:
			err = d.drop(ours)
		case order < 0 || !slices.EqualFunc(theirs, ours, sameValue):
			err = d.put(theirs)
		}
		if err == nil && order <= 0 {
			d.source++
			if d.step != nil {
				d.step()
			}
			before := theirs
			if theirs, err = from.next(ctx); err == nil && theirs != nil && t.compare(before, theirs) >= 0 {
				err = fmt.Errorf("table %s: the source does not give its rows in order", t.name)
			}
		}
		if err == nil && order >= 0 {
			ours, err = to.next(ctx)
		}
	}
	return err
}

// TableCopy is what became of a table in one pass.
type TableCopy struct {
	Table   string `json:"table"`
	Rows    int64  `json:"rows"`    // in the source
	Written int64  `json:"written"` // put into the target, or put right there
	Removed int64  `json:"removed"` // that the source no longer has
}

// rowCopy writes what is different about one table.
type rowCopy struct {
	w      *writer
	table  *copyTable
	days   map[time.Time]bool // that have partitions
	report *TableCopy

	puts, drops []driver.Value
	octets      int
}

func (r *rowCopy) put(row []driver.Value) error {
	r.puts = append(r.puts, row...)
	r.report.Written++
	return r.grow(row)
}

func (r *rowCopy) drop(row []driver.Value) error {
	r.drops = append(r.drops, r.table.keyOf(row)...)
	r.report.Removed++
	return r.grow(nil)
}

func (r *rowCopy) grow(row []driver.Value) error {
	r.octets += 100
	for _, v := range row {
		switch v := v.(type) {
		case string:
			r.octets += len(v)
		case []byte:
			r.octets += len(v)
		}
	}
	if r.octets < copyBatch {
		return nil
	}
	return r.flush()
}

// flush writes what was collected in one transaction.
func (r *rowCopy) flush() error {
	if len(r.puts)+len(r.drops) == 0 {
		return nil
	}
	err := r.makeDays()
	if err == nil {
		err = r.w.transact(func() error {
			if _, err := r.w.execRows(r.table.drop, r.drops); err != nil {
				return err
			}
			_, err := r.w.execRows(r.table.put, r.puts)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("write table %s: %w", r.table.name, err)
	}
	r.puts, r.drops, r.octets = r.puts[:0], r.drops[:0], 0
	return nil
}

// makeDays makes the partitions that the rows to be put need.
func (r *rowCopy) makeDays() error {
	if !r.w.postgres() || !slices.Contains(partitioned, r.table.name) {
		return nil
	}
	for at := r.table.key[0]; at < len(r.puts); at += len(r.table.columns) {
		id, _ := r.puts[at].(string)
		made, ok := dayOf(id)
		day := made.UTC().Truncate(24 * time.Hour)
		if !ok || r.days[day] {
			continue
		}
		if err := makePartitions(r.w, day); err != nil {
			return err
		}
		r.days[day] = true
	}
	return nil
}
