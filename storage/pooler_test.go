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
	s := open(t, config)
	// Statements run beside each other until one meets another one's session: the pooler gives the connection that was freed last.
	hinted := func(run func() error) bool {
		var group sync.WaitGroup
		errs := make(chan error, 20)
		for range cap(errs) {
			group.Go(func() { errs <- run() })
		}
		group.Wait()
		close(errs)
		failed := false
		for err := range errs {
			if err == nil {
				continue
			}
			if failed = true; !strings.Contains(err.Error(), hint) {
				t.Errorf("no hint: %v", err)
			}
		}
		return failed
	}
	accepting := func() error {
		_, err := s.Accept(t.Context(), envelope("ep_1"), newBody(content(1000)))
		return err
	}
	reading := func() error {
		_, err := s.Deliveries(t.Context(), storage.DeliveryFilter{})
		return err
	}
	for what, run := range map[string]func() error{"accepting": accepting, "reading": reading} {
		for tries := 0; !hinted(run); tries++ {
			if tries == 20 {
				t.Fatalf("%s never failed, so nothing needs the parameter", what)
			}
		}
	}
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
