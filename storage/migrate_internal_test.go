package storage

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// unusedSteps are numbers that no file has: they were kept for work that needed none, or that has not come yet.
var unusedSteps = []int64{2, 12, 14, 18, 19, 20}

func embeddedSteps(t *testing.T) []schemaStep {
	t.Helper()
	steps, err := schemaSteps(schemaFiles, "schema")
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// migrated brings the database of a folder forward by the steps.
func migrated(t *testing.T, dir string, steps []schemaStep, check bool) error {
	t.Helper()
	w, err := newWriter(&sqliteEngine{path: filepath.Join(dir, DatabaseName)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	return migrate(w, steps, time.UnixMilli(1), check)
}

// columns describes every column and index of a database, sorted: a column that came later stands behind the others.
func columns(t *testing.T, dir string) (list []string) {
	t.Helper()
	w, err := newWriter(&sqliteEngine{path: filepath.Join(dir, DatabaseName)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, query := range []string{
		`SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, '') || ' ' || c.pk
			FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'`,
		"SELECT name || ' ' || coalesce(sql, '') FROM sqlite_master WHERE type = 'index'",
		"SELECT 'version ' || version FROM schema_version",
	} {
		err := w.query(func(row []driver.Value) error {
			list = append(list, row[0].(string))
			return nil
		}, query)
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(list)
	return list
}

// TestSchemaNumbers: every number from the first to the last is a file or is known to be unused.
func TestSchemaNumbers(t *testing.T) {
	next := int64(1)
	for _, step := range embeddedSteps(t) {
		for ; next < step.version; next++ {
			if !slices.Contains(unusedSteps, next) {
				t.Errorf("there is no step %d before %d", next, step.version)
			}
		}
		if step.version != next {
			t.Errorf("step %d stands where %d was expected", step.version, next)
		}
		next = step.version + 1
	}
}

// TestBothEnginesHaveEveryStep: the first step of PostgreSQL is all of SQLite's up to its number, and from there they go together.
func TestBothEnginesHaveEveryStep(t *testing.T) {
	numbers := func(folder string) (list []int64) {
		steps, err := schemaSteps(schemaFiles, folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			list = append(list, step.version)
		}
		return list
	}
	postgres := numbers("schema/postgres")
	sqlite := slices.DeleteFunc(numbers("schema"), func(n int64) bool { return n < postgres[0] })
	if !slices.Equal(sqlite, postgres) {
		t.Errorf("SQLite has the steps %d, PostgreSQL %d", sqlite, postgres)
	}
}

func TestSchemaNames(t *testing.T) {
	files := func(names ...string) fstest.MapFS {
		m := fstest.MapFS{}
		for _, name := range names {
			m["schema/"+name] = &fstest.MapFile{Data: []byte("SELECT " + name)}
		}
		return m
	}
	for _, name := range []string{"3.sql", "00003.sql", "0000.sql", "held.sql", "0003-held.sql", "+003.sql", "99999.sql"} {
		if steps, err := schemaSteps(files("0001.sql", name), "schema"); err == nil {
			t.Errorf("%s: no error, but %v", name, steps)
		}
	}
	steps, err := schemaSteps(files("0010.sql", "0009.sql", "0001.sql"), "schema")
	if err != nil || len(steps) != 3 || steps[0].version != 1 || steps[1].version != 9 || steps[2].version != 10 {
		t.Errorf("%v, %v", steps, err)
	}
}

// TestUpgrade: whatever steps a database has, those that came later bring it to where a new one begins, also one with a number
// below the last that it has.
func TestUpgrade(t *testing.T) {
	steps := embeddedSteps(t)
	fresh := t.TempDir()
	if err := migrated(t, fresh, steps, false); err != nil {
		t.Fatal(err)
	}
	want := columns(t, fresh)
	older := map[string][]schemaStep{"empty": nil}
	for i := 1; i < len(steps); i++ {
		older["up to "+fmt.Sprint(steps[i-1].version)] = steps[:i]
		if v := steps[i].version; v == 8 || v == 11 || v == 21 { // 13 indexes the table of 8, 21 changes that of 11, 24 that of 21: no database has the one without the other
			continue
		}
		older["without "+fmt.Sprint(steps[i].version)] = slices.Concat(steps[:i], steps[i+1:])
	}
	for name, set := range older {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := migrated(t, dir, set, false); err != nil {
				t.Fatal(err)
			}
			if err := migrated(t, dir, steps, true); !errors.Is(err, ErrSchema) {
				t.Errorf("a command beside the server: %v", err)
			}
			s, err := Open(t.Context(), Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if got := columns(t, dir); !slices.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if err := migrated(t, dir, steps, true); err != nil {
				t.Errorf("a command beside the server: %v", err)
			}
		})
	}
}

// TestUnknownStepIsRefused: a database with a step that the program does not have is refused, and nothing is changed.
func TestUnknownStepIsRefused(t *testing.T) {
	steps := embeddedSteps(t)
	last := steps[len(steps)-1].version
	for _, unknown := range []int64{last + 1, 9999} {
		dir := t.TempDir()
		newer := append(slices.Clone(steps[:1]), schemaStep{unknown, "CREATE TABLE newer (id TEXT)"})
		if err := migrated(t, dir, newer, false); err != nil {
			t.Fatal(err)
		}
		before := columns(t, dir)
		if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrSchema) {
			t.Errorf("step %d: %v", unknown, err)
		}
		if after := columns(t, dir); !slices.Equal(before, after) {
			t.Errorf("step %d: %v was made of %v", unknown, after, before)
		}
	}
}

// TestStepThatFails leaves the database with the steps before it, and nothing of its own.
func TestStepThatFails(t *testing.T) {
	dir := t.TempDir()
	steps := []schemaStep{{1, "CREATE TABLE a (id TEXT)"}, {3, "CREATE TABLE b (id TEXT); CREATE TABLE a (id TEXT)"}, {4, "CREATE TABLE c (id TEXT)"}}
	if err := migrated(t, dir, steps, false); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("%v", err)
	}
	got := columns(t, dir)
	if !slices.Contains(got, "version 1") || slices.Contains(got, "version 3") || slices.ContainsFunc(got, func(c string) bool { return strings.HasPrefix(c, "b.") }) {
		t.Errorf("%v", got)
	}
	steps[1].text = "CREATE TABLE b (id TEXT)"
	if err := migrated(t, dir, steps, false); err != nil {
		t.Error(err)
	}
}
