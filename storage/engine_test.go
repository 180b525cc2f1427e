package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// copyOf copies what a crash at this moment would leave of a store: its folder, and what its database has committed.
func copyOf(t *testing.T, config storage.Config, into *storage.Config) {
	t.Helper()
	if err := os.CopyFS(into.Dir, os.DirFS(config.Dir)); err != nil {
		t.Error(err)
	}
	if config.Database != "" {
		into.Database = throwaway.Copy(t, config.Database)
	}
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
	return func() { damage(t, config, "DROP TRIGGER planted ON "+table) }
}

// backup copies the database of a store that is closed, and gives what brings it back.
func backup(t *testing.T, config storage.Config) (restore func(*storage.Config)) {
	t.Helper()
	if config.Database != "" {
		url := throwaway.Copy(t, config.Database)
		return func(c *storage.Config) { c.Database = url }
	}
	path := filepath.Join(config.Dir, "letterhook.db")
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
