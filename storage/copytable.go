package storage

import (
	"bytes"
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
)

// notCopied are the tables that a copy leaves out, each with the reason. Every other table is copied, whatever it is: what a later
// step of the schema adds comes along by itself.
var notCopied = map[string]string{
	"schema_version": "each database has its own steps",
	"store":          "the copy is another store than its source",
	"change":         "counts the transactions of one PostgreSQL database",
	"node_epoch":     "epochs are given away by the database that the nodes share",
	"node":           "leases hold in the database that gave them",
	"member":         "it says who serves on this database",
	"told":           "nodes tell each other what happens now",
	"lane":           "lanes are the nodes' and made again for whatever is owed",
	// The index of searches, which lies in a file of its own on SQLite, is made again from the messages.
	"search_state":   "it says how far the index of this database goes",
	"search_segment": "part of the index of searches",
	"search_page":    "part of the index of searches",
	"search_due":     "part of the index of searches",
}

// copyTable is a table that is copied. Both databases have it, with the same columns.
type copyTable struct {
	name    string
	columns []copyColumn
	key     []int // the primary key, as places in columns
	// linked says that rows depend on other rows, by a foreign key or by a second unique index: then they are not changed one by one.
	linked  bool
	parents []string // tables that it has foreign keys to

	put, drop *rowStatement
}

type copyColumn struct {
	name string
	kind string // text, bigint or bytea
}

// catalog is what a database says of its own tables: a row for each column, in order.
var catalog = forms{
	sqlite: `SELECT m.name, c.name, lower(c.type), c.pk FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.rowid, c.cid`,
	postgres: `SELECT t.relname::text, a.attname::text, format_type(a.atttypid, NULL),
			coalesce(array_position(string_to_array(i.indkey::text, ' '), a.attnum::text), 0)::bigint
		FROM pg_class AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisprimary
		WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
		ORDER BY t.oid, a.attnum`,
}

// links are pairs of a table and one that it has a foreign key to; the second is empty for a unique index beside the primary key.
var links = forms{
	sqlite: `SELECT m.name, f."table" FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table'
		UNION SELECT m.name, '' FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS i WHERE m.type = 'table' AND i."unique" = 1 AND i.origin <> 'pk'`,
	postgres: `SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
			WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
		UNION SELECT t.relname::text, '' FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid
			WHERE i.indisunique AND NOT i.indisprimary AND t.relnamespace = current_schema()::regnamespace`,
}

// columnKinds are the three kinds of columns, by the names that the engines have for them.
var columnKinds = map[string]string{"text": "text", "integer": "bigint", "bigint": "bigint", "blob": "bytea", "bytea": "bytea"}

// readTables gives the tables of a database, but for those that are not copied, parents before those that point at them.
func readTables(ctx context.Context, db *reader) ([]*copyTable, error) {
	rows, err := db.QueryContext(ctx, db.form(catalog))
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	var tables []*copyTable
	err = each(rows, func() error {
		var table, column, kind string
		var place int
		if err := rows.Scan(&table, &column, &kind, &place); err != nil {
			return err
		}
		if _, left := notCopied[table]; left {
			return nil
		}
		if len(tables) == 0 || tables[len(tables)-1].name != table {
			tables = append(tables, &copyTable{name: table})
		}
		return tables[len(tables)-1].add(column, kind, place)
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	if err := readLinks(ctx, db, tables); err != nil {
		return nil, err
	}
	for _, t := range tables {
		if len(t.key) == 0 {
			return nil, fmt.Errorf("table %s has no primary key and cannot be copied", t.name)
		}
		t.prepare()
	}
	return parentsFirst(tables), nil
}

// add adds a column; place is where it stands in the primary key, counted from 1, or 0.
func (t *copyTable) add(name, kind string, place int) error {
	known := columnKinds[kind]
	if known == "" {
		return fmt.Errorf("column %s of table %s is of the type %s, which cannot be copied", name, t.name, kind)
	}
	t.columns = append(t.columns, copyColumn{name, known})
	if place > 0 {
		for len(t.key) < place {
			t.key = append(t.key, 0)
		}
		t.key[place-1] = len(t.columns) - 1
	}
	return nil
}

func readLinks(ctx context.Context, db *reader, tables []*copyTable) error {
	rows, err := db.QueryContext(ctx, db.form(links))
	if err != nil {
		return fmt.Errorf("read the links of tables: %w", err)
	}
	pointedAt := map[string]bool{}
	err = each(rows, func() error {
		var from, to string
		err := rows.Scan(&from, &to)
		for _, t := range tables {
			if t.name != from {
				continue
			}
			t.linked = true
			if to != "" {
				t.parents = append(t.parents, to)
				pointedAt[to] = true
			}
		}
		return err
	})
	for _, t := range tables {
		t.linked = t.linked || pointedAt[t.name]
	}
	return err
}

// parentsFirst orders tables such that each comes behind those that it points at.
func parentsFirst(tables []*copyTable) (ordered []*copyTable) {
	done := map[string]bool{}
	var add func(t *copyTable)
	add = func(t *copyTable) {
		if done[t.name] {
			return
		}
		done[t.name] = true
		for _, p := range tables {
			if slices.Contains(t.parents, p.name) {
				add(p)
			}
		}
		ordered = append(ordered, t)
	}
	for _, t := range tables {
		add(t)
	}
	return ordered
}

func quoted(name string) string { return `"` + name + `"` }

// prepare writes the statements that put and drop rows.
func (t *copyTable) prepare() {
	var names, keys, marks, types, same, given, set []string
	for i, c := range t.columns {
		names, marks, types = append(names, quoted(c.name)), append(marks, "?"), append(types, c.kind)
		if !slices.Contains(t.key, i) {
			set = append(set, quoted(c.name)+" = excluded."+quoted(c.name))
		}
	}
	var keyTypes []string
	for n, i := range t.key {
		name := quoted(t.columns[i].name)
		keys, keyTypes = append(keys, name), append(keyTypes, t.columns[i].kind)
		same, given = append(same, name+" = ?"), append(given, fmt.Sprintf("t.%s = v.column%d", name, n+1))
	}
	conflict := " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO "
	if len(set) == 0 {
		conflict += "NOTHING"
	} else {
		conflict += "UPDATE SET " + strings.Join(set, ", ")
	}
	t.put = &rowStatement{
		head: "INSERT INTO " + t.name + " (" + strings.Join(names, ", ") + ") VALUES ",
		row:  "(" + strings.Join(marks, ",") + ")", tail: conflict, types: strings.Join(types, " "),
	}
	t.drop = &rowStatement{
		head: "DELETE FROM " + t.name + " WHERE ", row: strings.Join(same, " AND "), or: true, types: strings.Join(keyTypes, " "),
		postgres: "DELETE FROM " + t.name + " AS t USING (%s) AS v WHERE " + strings.Join(given, " AND "),
	}
}

// keyOf is the primary key of a row.
func (t *copyTable) keyOf(row []driver.Value) []driver.Value {
	key := make([]driver.Value, len(t.key))
	for i, place := range t.key {
		key[i] = row[place]
	}
	return key
}

// like says whether another database has the table with the same columns; what differs is the error.
func (t *copyTable) like(other *copyTable) error {
	if !slices.Equal(t.columns, other.columns) && !slices.Equal(sortedColumns(t), sortedColumns(other)) {
		return fmt.Errorf("table %s has other columns there: %v and %v", t.name, sortedColumns(t), sortedColumns(other))
	}
	return nil
}

func sortedColumns(t *copyTable) []copyColumn {
	return slices.SortedFunc(slices.Values(t.columns), func(a, b copyColumn) int { return cmp.Compare(a.name, b.name) })
}

// sameTables gives the tables that both databases have, and an error when one has a table that the other lacks: nothing is left
// behind in silence.
func sameTables(ctx context.Context, from, to *reader) ([]*copyTable, error) {
	source, err := readTables(ctx, from)
	if err != nil {
		return nil, err
	}
	target, err := readTables(ctx, to)
	if err != nil {
		return nil, err
	}
	byName := func(list []*copyTable, name string) *copyTable {
		i := slices.IndexFunc(list, func(t *copyTable) bool { return t.name == name })
		if i < 0 {
			return nil
		}
		return list[i]
	}
	for _, t := range target {
		if byName(source, t.name) == nil {
			return nil, fmt.Errorf("the source has no table %s", t.name)
		}
	}
	for _, t := range source {
		other := byName(target, t.name)
		if other == nil {
			return nil, fmt.Errorf("the target has no table %s", t.name)
		}
		if err := t.like(other); err != nil {
			return nil, err
		}
		t.linked = t.linked || other.linked
	}
	return source, nil
}

// compareValues orders values of a primary key as both engines do: octet by octet.
func compareValues(a, b driver.Value) int {
	switch a := a.(type) {
	case int64:
		b, _ := b.(int64)
		return cmp.Compare(a, b)
	case []byte:
		b, _ := b.([]byte)
		return bytes.Compare(a, b)
	case string:
		b, _ := b.(string)
		return strings.Compare(a, b)
	}
	return 0
}

// sameValue says whether two values of any column are one.
func sameValue(a, b driver.Value) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return compareValues(a, b) == 0
}
