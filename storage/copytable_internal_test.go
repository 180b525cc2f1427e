package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// ofBothEngines opens an empty store on each engine.
func ofBothEngines(t *testing.T) map[string]*Store {
	t.Helper()
	stores := map[string]*Store{}
	for name, config := range map[string]Config{"sqlite": {Dir: t.TempDir()}, "postgres": {Dir: t.TempDir(), Database: throwaway.Database(t)}} {
		blobs, err := NewDir(config.Dir+"/blobs", nil)
		if err != nil {
			t.Fatal(err)
		}
		config.Blobs = blobs
		s, err := Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores[name] = s
	}
	return stores
}

// TestEveryTableIsCopied: a table of either engine is copied to the other, or stands in notCopied with a reason.
func TestEveryTableIsCopied(t *testing.T) {
	stores := ofBothEngines(t)
	for _, from := range stores {
		for _, to := range stores {
			if _, err := sameTables(t.Context(), &from.read, &to.read); err != nil {
				t.Error(err)
			}
		}
	}
	known := map[string]bool{}
	for _, s := range stores {
		rows, err := s.read.QueryContext(t.Context(), s.read.form(catalog))
		if err != nil {
			t.Fatal(err)
		}
		err = each(rows, func() error {
			var table, column, kind string
			var place int
			err := rows.Scan(&table, &column, &kind, &place)
			known[table] = true
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for table := range notCopied {
		if !known[table] {
			t.Errorf("no engine has the table %s, which is left out of copies", table)
		}
	}
}

// TestCopyOfEveryColumn puts a row into every table, copies them to each engine and looks at what lies there with other eyes.
func TestCopyOfEveryColumn(t *testing.T) {
	for from, source := range ofBothEngines(t) {
		tables, err := readTables(t.Context(), &source.read)
		if err != nil {
			t.Fatal(err)
		}
		fillTables(t, source, tables)
		want := dumpTables(t, source.engine, tables)
		for to, config := range map[string]Config{"sqlite": {Dir: t.TempDir()}, "postgres": {Dir: t.TempDir(), Database: throwaway.Database(t)}} {
			if config.Blobs, err = NewDir(config.Dir+"/blobs", nil); err != nil {
				t.Fatal(err)
			}
			c, err := OpenCopy(t.Context(), CopyConfig{From: source.cfg, To: config})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Pass(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			got := dumpTables(t, c.target.engine, tables)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			for table := range want {
				if want[table] == "" || got[table] != want[table] {
					t.Errorf("%s to %s: table %s holds\n%s\nwant\n%s", from, to, table, got[table], want[table])
				}
			}
		}
	}
}

// fillTables puts a row into each table, of values that each column may have.
func fillTables(t *testing.T, s *Store, tables []*copyTable) {
	t.Helper()
	err := s.do(context.Background(), func(w *writer) error {
		for _, table := range tables {
			var row []driver.Value
			for i, c := range table.columns {
				switch c.kind {
				case "text": // an id, so that a partition has it
					row = append(row, messagePrefix+"01kav2c3d4e5f6g7h8j9k0m1n2")
				case "bigint":
					row = append(row, int64(1))
				default:
					row = append(row, []byte{0, 0xff, byte(i)})
				}
			}
			if w.postgres() && slices.Contains(partitioned, table.name) {
				day, _ := dayOf(row[table.key[0]].(string))
				if err := w.script(partitionScript(day.UTC().Truncate(24*60*60*1e9), []string{table.name})); err != nil {
					return err
				}
			}
			if _, err := w.execRows(table.put, row); err != nil {
				return fmt.Errorf("table %s: %w", table.name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dumpTables gives the rows of each table as text, columns by name.
func dumpTables(t *testing.T, e engine, tables []*copyTable) map[string]string {
	t.Helper()
	w, err := newWriter(e)
	if err != nil {
		t.Fatal(err)
	}
	dump := map[string]string{}
	for _, table := range tables {
		var names []string
		for _, c := range sortedColumns(table) {
			names = append(names, quoted(c.name))
		}
		var lines []string
		err = errors.Join(err, w.query(func(row []driver.Value) error {
			lines = append(lines, fmt.Sprintf("%q", row))
			return nil
		}, "SELECT "+strings.Join(names, ", ")+" FROM "+table.name))
		slices.Sort(lines)
		dump[table.name] = strings.Join(lines, "\n")
	}
	if err := errors.Join(err, w.close()); err != nil {
		t.Fatal(err)
	}
	return dump
}
