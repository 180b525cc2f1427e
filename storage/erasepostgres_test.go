package storage_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// everyRow is every row of every table as text, as a dump of the database has it.
func everyRow(t *testing.T, config storage.Config) string {
	t.Helper()
	db := database(t, config)
	defer db.Close()
	column := func(query string) (list []string) {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var b strings.Builder
	for _, table := range column("SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace") {
		for _, row := range column(fmt.Sprintf("SELECT t::text FROM %q AS t", table)) {
			b.WriteString(row + "\n")
		}
	}
	return b.String()
}

// inFiles gives the files of the cluster in which something stands.
func inFiles(t *testing.T, config storage.Config, what []byte) (names []string) {
	t.Helper()
	db := database(t, config)
	defer db.Close()
	var dir string
	if err := db.QueryRow("SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CHECKPOINT"); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // files of a running server come and go
		}
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, what) {
			names = append(names, strings.TrimPrefix(path, dir))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestEraseIsPatientSoLong: what is erased is erased, whoever keeps the database from giving up the old rows meanwhile.
func TestEraseIsPatientSoLong(t *testing.T) {
	var log strings.Builder
	config := newConfig(t, layout{postgres: true})
	config.Log = slog.New(slog.NewTextHandler(&log, nil))
	s := open(t, config)
	victim := accept(t, s, victimEnvelope("ep_1"), newBody(content(300)))[0]
	db := database(t, config)
	defer db.Close()
	release := throwaway.LeaveOpen(t, db, "LOCK TABLE dedupe IN SHARE UPDATE EXCLUSIVE MODE")
	defer release()
	erased, err := s.Erase(t.Context(), storage.Erasure{Message: victim, Patience: time.Millisecond})
	if err != nil || erased.Messages != 1 || erased.Vacuumed {
		t.Errorf("%+v, %v", erased, err)
	}
	if m, err := s.Mail(t.Context(), victim); err != nil || !m.Erased {
		t.Errorf("%+v, %v", m, err)
	}
	if !strings.Contains(log.String(), context.DeadlineExceeded.Error()) {
		t.Errorf("the log says %q", &log)
	}
}

// TestErasedFromPostgres: what was erased is in no row any more, and with what docs/operations.md says in no file of the cluster either.
func TestErasedFromPostgres(t *testing.T) {
	config := newConfig(t, layout{keys: [][]byte{bytes.Repeat([]byte{7}, 32)}})
	config.Database = throwaway.StartPostgres(t).Database(t)
	s := open(t, config)
	noise := func() {
		for range 50 {
			accept(t, s, envelope("ep_noise"), newBody(content(500)))
		}
	}
	noise()
	victim := accept(t, s, victimEnvelope("ep_1"), newBody(content(300)))[0]
	noise()
	attempted(t, s, due(t, s, "ep_1")[0], false)
	secrets := map[string][]byte{"the key": keyOf(t, config, victim), "the sender": []byte(erasedSender), "the answer": []byte(erasedAnswer)}
	in := func(rows string, secret []byte) bool {
		return strings.Contains(rows, string(secret)) || strings.Contains(rows, hex.EncodeToString(secret))
	}
	before := everyRow(t, config)
	for name, secret := range secrets {
		if !in(before, secret) || len(inFiles(t, config, secret)) == 0 {
			t.Errorf("%s is nowhere before", name)
		}
	}
	erased, err := s.Erase(t.Context(), storage.Erasure{Message: victim})
	if err != nil || erased.Messages != 1 || !erased.Vacuumed || erased.Checkpointed {
		t.Fatalf("%+v, %v", erased, err)
	}
	if _, err := rawOf(s, victim); err == nil {
		t.Error("the raw bytes can still be read")
	}
	after := everyRow(t, config)
	for name, secret := range secrets {
		if in(after, secret) {
			t.Errorf("%s is still in a row", name)
		}
	}
	m, err := s.Mail(t.Context(), victim)
	if err != nil {
		t.Fatal(err)
	}
	day := "_" + m.ReceivedAt.UTC().Format("20060102")
	for _, statement := range []string{
		"VACUUM FULL message" + day + ", summary" + day + ", attempt" + day + ", delivery_result" + day + ", delivery, dedupe, refusal",
		"SELECT pg_switch_wal()", "CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT",
	} {
		damage(t, config, statement)
	}
	for name, secret := range secrets {
		if files := inFiles(t, config, secret); len(files) > 0 {
			t.Errorf("%s is still in %q", name, files)
		}
	}
}
