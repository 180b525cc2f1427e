package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestServerEndsWhenItsPlaceIsTaken: a server was stopped for so long that another has come, which cannot read what lies in its folder. When
// it goes on it learns of that, ends with the reason, and is not listed any more.
func TestServerEndsWhenItsPlaceIsTaken(t *testing.T) {
	url := throwaway.StartPostgres(t).Database(t)
	s := serveFile(t, strings.ReplaceAll(strings.ReplaceAll(limitsFile, "DATABASE", fmt.Sprintf(", database: %q", url)), "URL", "http://127.0.0.1:1/"))
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), `INSERT INTO member
		SELECT 'mbr_other', '', 'other', version, roles, started_at, seen_at + 3600000, 0, alone, reasons, warnings FROM member`); err != nil {
		t.Fatal(err)
	}
	var ended error
	for waiting := true; waiting; {
		select {
		case ended = <-s.done:
			waiting = false
		default: // it may just have said something
			if _, err := db.Exec(t.Context(), "UPDATE member SET seen_at = started_at - 20000 WHERE name <> 'other'"); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.done <- nil // for the end of the test
	if !errors.Is(ended, storage.ErrAlone) || !strings.Contains(ended.Error(), "other serves on this database") {
		t.Errorf("it ended with %v", ended)
	}
	left := ""
	if err := db.QueryRow(t.Context(), "SELECT string_agg(name, ' ') FROM member").Scan(&left); err != nil || left != "other" {
		t.Errorf("%q serve, %v", left, err)
	}
}
