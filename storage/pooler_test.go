package storage_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestPoolerHint: without the parameter in the URL statements fail behind a pooler of transactions, and the error says what to do.
func TestPoolerHint(t *testing.T) {
	const hint = "default_query_exec_mode=exec"
	config := newConfig(t, layout{postgres: true})
	config.Database = throwaway.Pooler(t, config.Database)
	hinted := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Others leave one session to all that follows, so that it is not a matter of chance who meets whose statements in it.
	other := database(t, storage.Config{Database: config.Database + "&default_query_exec_mode=exec"})
	for range throwaway.PoolerConnections - 1 {
		defer throwaway.LeaveOpen(t, other, "SELECT 1")() //nolint:revive // all are held until the test ends
	}
	s := open(t, config)
	second := config
	second.Dir = t.TempDir()
	_, err := storage.Open(t.Context(), second)
	hinted("the start of another node, which gives its statements the same names", err)
	reading := func() error {
		_, err := s.Deliveries(t.Context(), storage.DeliveryFilter{})
		return err
	}
	if err = reading(); err != nil {
		hinted("reading what was prepared twice", err)
		return
	}
	// The session becomes what one is that the pooler has just made.
	if _, err := other.ExecContext(t.Context(), "DEALLOCATE ALL"); err != nil {
		t.Fatal(err)
	}
	hinted("reading what was prepared elsewhere", reading())
}

// TestTransactionPooler runs a store behind a pooler that gives each transaction whatever connection is free.
func TestTransactionPooler(t *testing.T) {
	config := newConfig(t, layout{postgres: true})
	damage(t, config, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''15s''', current_database()); END $$")
	config.Database = throwaway.Pooler(t, config.Database) + "&default_query_exec_mode=exec"
	s := open(t, config)
	texts := make([][]byte, 40)
	ids := make([]string, len(texts))
	var group sync.WaitGroup
	for i := range texts {
		texts[i] = content(1000 + i)
		group.Go(func() {
			got, err := s.Accept(t.Context(), envelope("ep_1", "ep_2"), newBody(texts[i]))
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = got[0]
		})
	}
	group.Wait()
	for i, id := range ids {
		if id != "" && !bytes.Equal(readRaw(t, s, id), texts[i]) {
			t.Error("other bytes came back")
		}
	}
	again := accept(t, s, envelope("ep_1", "ep_2"), newBody(texts[0]))
	if again[0] != ids[0] {
		t.Errorf("the resend got %q, want %q", again, ids[0])
	}
	for _, endpoint := range []string{"ep_1", "ep_2"} {
		for i, d := range due(t, s, endpoint) {
			c := attempt(d)
			c.Summary = &storage.Summary{Subject: "nothing\x00 and \xff"}
			if i%2 == 1 {
				c.RetryAt = time.Now().Add(time.Minute)
			}
			group.Go(func() {
				if err := complete(s, c); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	if n := len(due(t, s, "ep_1")); n != 20 {
		t.Errorf("%d deliveries are left, want 20", n)
	}
	erased, err := s.Erase(t.Context(), storage.Erasure{Message: ids[1]})
	if err != nil || !erased.Vacuumed {
		t.Errorf("%+v, %v", erased, err)
	}
	checkLimit(t, config, "15s")
	sweep(t, s, storage.Retention{Messages: time.Nanosecond, Attempts: time.Nanosecond, Attachments: time.Nanosecond})
	checkClean(t, s)
}

// checkLimit looks at all connections of the pooler at once: what somebody sets on one stays with whoever gets it next.
func checkLimit(t *testing.T, config storage.Config, want string) {
	t.Helper()
	db := database(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // which ends the transactions
	for range throwaway.PoolerConnections {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		var limit string
		if err := tx.QueryRowContext(ctx, "SHOW statement_timeout").Scan(&limit); err != nil || limit != want {
			t.Errorf("a statement may take %q, %v", limit, err)
		}
	}
}
