package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestIsolationOfTheServerDoesNotMatter: a database whose transactions are to see one state of everything unless they say otherwise. Mail that
// has waited for the end of a copy sees all the same that its store has gone meanwhile.
func TestIsolationOfTheServerDoesNotMatter(t *testing.T) {
	config := emptyPlace(t, layout{postgres: true})
	separator := "?"
	if strings.Contains(config.Database, "?") {
		separator = "&"
	}
	db := database(t, config)
	config.Database += separator + "default_transaction_isolation=repeatable%20read"
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("LOCK TABLE message IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() {
		_, err := s.Accept(context.Background(), envelope("ep_1"), newBody(content(20)))
		refused <- err
	}()
	for len(refused) == 0 && number(t, db, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'message'::regclass") == 0 {
	}
	if _, err := tx.Exec("UPDATE store SET id = 'moved ' || id || ' into store_x'"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, storage.ErrMoved) {
		t.Errorf("mail is taken by a store that has moved: %v", err)
	}
}
