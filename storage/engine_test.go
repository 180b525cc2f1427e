package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// copyOf copies what a crash at this moment would leave of a store: its folder, its bucket, and what its database has committed.
func copyOf(t *testing.T, config storage.Config, into *storage.Config) {
	t.Helper()
	if err := os.CopyFS(into.Dir, os.DirFS(config.Dir)); err != nil {
		t.Error(err)
	}
	if config.Database != "" {
		into.Database = throwaway.Copy(t, config.Database)
	}
	var err error
	if _, ok := config.Blobs.(bucket); ok {
		into.Blobs = newBucket(t)
		err = copyBlobs(t.Context(), config.Blobs, into.Blobs)
	} else {
		into.Blobs, err = storage.NewDir(filepath.Join(into.Dir, "blobs"), nil)
	}
	if err != nil {
		t.Error(err)
	}
}

func copyBlobs(ctx context.Context, from, into storage.Blobs) error {
	for object, err := range from.List(ctx, "") {
		if err != nil {
			return err
		}
		r, err := from.OpenRange(ctx, object.Key, 0, -1)
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err == nil {
			err = into.Put(ctx, object.Key, bytes.NewReader(content), int64(len(content)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plant makes one statement of the store fail from outside, without a fake, by a trigger: event is INSERT, UPDATE or DELETE, and
// condition speaks of the row as NEW or OLD. It gives what takes the trigger away again.
func plant(t testing.TB, config storage.Config, event, table, condition string) (remove func()) {
	t.Helper()
	if config.Database == "" {
		damage(t, config, fmt.Sprintf("CREATE TRIGGER planted BEFORE %s ON %s WHEN %s BEGIN SELECT RAISE(ABORT, 'planted'); END", event, table, condition))
		return func() { damage(t, config, "DROP TRIGGER planted") }
	}
	damage(t, config, fmt.Sprintf(`CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN IF %s THEN RAISE EXCEPTION 'planted'; END IF; RETURN coalesce(NEW, OLD); END $$`, condition))
	damage(t, config, fmt.Sprintf("CREATE TRIGGER planted BEFORE %s ON %s FOR EACH ROW EXECUTE FUNCTION planted()", event, table))
	// Of a table in partitions PostgreSQL takes the trigger off the partitions first, while whoever reads locks them last. So the table is
	// locked first: without that a search index that looks for messages at this moment makes a deadlock.
	return func() {
		damage(t, config, fmt.Sprintf("BEGIN; LOCK TABLE %[1]s; DROP TRIGGER planted ON %[1]s; COMMIT", table))
	}
}

// backup copies the database of a store that is closed, and gives what brings it back.
func backup(t *testing.T, config storage.Config) (restore func(*storage.Config)) {
	t.Helper()
	if config.Database != "" {
		url := throwaway.Copy(t, config.Database)
		return func(c *storage.Config) { c.Database = url }
	}
	path := filepath.Join(config.Dir, storage.DatabaseName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return func(*storage.Config) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
