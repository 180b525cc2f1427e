package storage

import (
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestADayIsWaitedForBriefly: a wait for a day has ended well before PostgreSQL looks whether it is a deadlock.
func TestADayIsWaitedForBriefly(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Database: throwaway.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	limit, deadlock := int64(0), int64(0)
	ms := "SELECT CAST(setting AS BIGINT) FROM pg_settings WHERE name = ?"
	err = s.emptyDays(t.Context(), []string{"message_20200101"}, time.Now(), &Swept{}, func(w *writer, _ day, _ *Swept) (err error) {
		if limit, err = w.queryInt(ms, "lock_timeout"); err == nil {
			deadlock, err = w.queryInt(ms, "deadlock_timeout")
		}
		return err
	})
	if err != nil || limit == 0 || limit > deadlock/2 {
		t.Errorf("a day is waited for %d ms, and a deadlock looked for after %d, %v", limit, deadlock, err)
	}
}
