package storage_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestTransactionPooler runs a store behind a pooler that gives each transaction whatever connection is free.
func TestTransactionPooler(t *testing.T) {
	config := newConfig(t, layout{postgres: true})
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
	sweep(t, s, storage.Retention{Messages: time.Nanosecond, Attempts: time.Nanosecond, Attachments: time.Nanosecond})
	checkClean(t, s)
}
