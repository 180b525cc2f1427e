package storage

import (
	"database/sql/driver"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// The schema in numbered steps. A step that was released is never changed. A step is known by its number, wherever it stands
// among the others, so a number may stay unused.
//
//go:embed schema/*.sql schema/postgres/*.sql
var schemaFiles embed.FS

const createVersions = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)"

// schemaStep is one file of the schema.
//
// On PostgreSQL nodes of two versions run side by side while they are upgraded, so a step there says in its first line what it is
// to a program that does not know it:
//
//	-- expand    It adds what that program does not see: tables, indexes, columns with a default. That program goes on, and
//	             opens the database again. Every step is to be one of these, if it can.
//	-- contract  It takes away or changes what that program uses, which then refuses the database. It comes a release after
//	             the last one that needs what goes.
type schemaStep struct {
	version int64 // the number in its name
	text    string
}

// The first lines of a step of PostgreSQL.
const (
	stepExpands   = "-- expand\n"
	stepContracts = "-- contract\n"
)

// schemaSteps reads the steps in a folder in the order of their numbers.
func schemaSteps(files fs.FS, folder string) ([]schemaStep, error) {
	names, err := fs.Glob(files, folder+"/*.sql") // sorted, and the numbers have four digits each
	if err != nil {
		return nil, err
	}
	steps := make([]schemaStep, len(names))
	for i, name := range names {
		number := strings.TrimSuffix(path.Base(name), ".sql")
		version, err := strconv.ParseUint(number, 10, 16)
		if err != nil || version == 0 || number != fmt.Sprintf("%04d", version) {
			return nil, fmt.Errorf("schema step %s: its name is not a number of four digits", name)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps[i] = schemaStep{int64(version), string(text)}
	}
	return steps, nil
}

// migrate brings the database forward by the steps that it does not have yet, each in a transaction of its own. It never
// goes back: an older program does not know what a newer schema means, so a database with a step that is not among steps is
// refused. With check it changes nothing and refuses any schema but the current one.
func migrate(w *writer, steps []schemaStep, now time.Time, check bool) error {
	if !check {
		if err := w.transact(func() error { _, err := w.exec(createVersions); return err }); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
	}
	missing, err := missingSteps(w, steps)
	if err != nil {
		return err
	}
	if check && len(missing) > 0 {
		return fmt.Errorf("%w: it lacks version %d; start the server once, it brings the database forward", ErrSchema, missing[0].version)
	}
	for _, step := range missing {
		err := w.transact(func() error {
			if err := w.script(step.text); err != nil {
				return err
			}
			_, err := w.exec("INSERT INTO schema_version (version, applied_at) VALUES (?,?)", step.version, now.UnixMilli())
			return err
		})
		if err != nil {
			return fmt.Errorf("bring schema to version %d: %w", step.version, err)
		}
	}
	return nil
}

// missingSteps are those that the database does not have.
func missingSteps(w *writer, steps []schemaStep) (missing []schemaStep, err error) {
	applied := map[int64]bool{}
	err = w.query(func(row []driver.Value) error {
		version, _ := row[0].(int64)
		applied[version] = true
		return nil
	}, "SELECT version FROM schema_version")
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	for _, step := range steps {
		if !applied[step.version] {
			missing = append(missing, step)
		}
		delete(applied, step.version)
	}
	for version := range applied { // what is left
		return nil, fmt.Errorf("%w: version %d, which this program does not know; use the newer program again", ErrSchema, version)
	}
	return missing, nil
}
