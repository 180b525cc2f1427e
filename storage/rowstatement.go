package storage

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// maxRows bounds the rows of one statement on SQLite.
const maxRows = 64

// rowStatement is a statement over a number of rows. On SQLite it is prepared for 1, 2, 4 ... 64 rows: a row of a long statement
// costs a fraction of a statement of its own. PostgreSQL gets all rows at once, as one array for each column, so that the
// statement is one and its plan too.
type rowStatement struct {
	head, row, tail string
	or              bool   // rows are joined by OR instead of a comma
	types           string // of the placeholders in row, on PostgreSQL, with blanks between them
	// postgres is the whole statement of that engine, where head and tail do not do; %s is where the rows stand. Their columns
	// are called column1 and so on.
	postgres string
}

// columns is the number of placeholders in row.
func (q *rowStatement) columns() int { return strings.Count(q.types, " ") + 1 }

// text is the statement of SQLite.
func (q *rowStatement) text(rows int) string {
	join := ","
	if q.or {
		join = " OR "
	}
	return q.head + strings.Repeat(q.row+join, rows-1) + q.row + q.tail
}

// postgresText is the statement of PostgreSQL.
func (q *rowStatement) postgresText() string {
	var arrays, names strings.Builder
	for i, t := range strings.Fields(q.types) {
		if i > 0 {
			arrays.WriteByte(',')
			names.WriteByte(',')
		}
		fmt.Fprintf(&arrays, "$%d::%s[]", i+1, t)
		fmt.Fprintf(&names, "column%d", i+1)
	}
	rows := "SELECT " + names.String() + " FROM unnest(" + arrays.String() + ") AS given (" + names.String() + ")"
	if q.postgres != "" {
		return fmt.Sprintf(q.postgres, rows)
	}
	return strings.TrimSuffix(q.head, "VALUES ") + rows + q.tail
}

// arrays turns rows into one array for each column, as pgx wants them.
func (q *rowStatement) arrays(args []driver.Value) []any {
	types := strings.Fields(q.types)
	arrays := make([]any, len(types))
	for i, t := range types {
		switch t {
		case "bigint":
			arrays[i] = column[int64](args[i:], len(types))
		case "bytea":
			arrays[i] = column[[]byte](args[i:], len(types))
		default:
			arrays[i] = column[string](args[i:], len(types))
		}
	}
	return arrays
}

// column takes every n-th value. It gives pointers where one of them is NULL.
func column[T any](args []driver.Value, n int) any {
	list := make([]T, 0, (len(args)+n-1)/n)
	for i := 0; i < len(args); i += n {
		v, ok := plain(args[i]).(T)
		if !ok && args[i] == nil {
			return nullable[T](args, n)
		}
		list = append(list, v)
	}
	return list
}

func nullable[T any](args []driver.Value, n int) []*T {
	list := make([]*T, 0, (len(args)+n-1)/n)
	for i := 0; i < len(args); i += n {
		var p *T
		if v, ok := plain(args[i]).(T); ok {
			p = &v
		}
		list = append(list, p)
	}
	return list
}
