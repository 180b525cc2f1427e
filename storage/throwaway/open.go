package throwaway

import (
	"context"
	"database/sql"
	"testing"
)

// LeaveOpen leaves a transaction open after a statement, with the snapshot that the statement saw, as somebody does who forgot a BEGIN,
// until release is called.
func LeaveOpen(t testing.TB, db *sql.DB, statement string) (release func()) {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(statement); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}
