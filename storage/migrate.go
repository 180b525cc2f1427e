package storage

import (
	"embed"
	"fmt"
	"io/fs"
	"time"
)

// The schema in numbered steps. A step that was released is never changed.
//
//go:embed schema/*.sql
var schemaFiles embed.FS

const createVersions = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)"

// migrate brings the database forward, each step in a transaction of its own. It never goes back: an older program does
// not know what a newer schema means. With check it changes nothing and refuses any schema but the current one.
func migrate(w *writer, now time.Time, check bool) error {
	steps, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		return err
	}
	newest := int64(len(steps))
	if !check {
		if err := w.transact(func() error { _, err := w.exec(createVersions); return err }); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
	}
	version, err := w.queryInt("SELECT coalesce(max(version), 0) FROM schema_version")
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	switch {
	case version > newest:
		return fmt.Errorf("%w: version %d, but this program knows only up to %d; use the newer program again", ErrSchema, version, newest)
	case check && version < newest:
		return fmt.Errorf("%w: version %d instead of %d; start the server once, it brings the database forward", ErrSchema, version, newest)
	}
	for ; version < newest; version++ {
		text, err := schemaFiles.ReadFile(steps[version])
		if err != nil {
			return err
		}
		err = w.transact(func() error {
			if err := w.script(string(text)); err != nil {
				return err
			}
			_, err := w.exec("INSERT INTO schema_version (version, applied_at) VALUES (?,?)", version+1, now.UnixMilli())
			return err
		})
		if err != nil {
			return fmt.Errorf("bring schema to version %d: %w", version+1, err)
		}
	}
	return nil
}
