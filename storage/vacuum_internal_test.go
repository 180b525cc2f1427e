package storage

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestVacuumMayTakeLong: neither end cuts a VACUUM short after erasing, and when the server stops it is not waited for.
func TestVacuumMayTakeLong(t *testing.T) {
	var log strings.Builder
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Database: throwaway.Database(t), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, err := newWriter(s.engine)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	stop, err := beginVacuum(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := w.conn.(*postgresConnection).bounded()
	defer cancel()
	if until, ok := ctx.Deadline(); ok && time.Until(until) < 12*time.Hour {
		t.Errorf("the client waits until %s", until)
	}
	if limit, err := w.queryText("SHOW statement_timeout"); err != nil || limit != "0" {
		t.Errorf("the server ends it after %s, %v", limit, err)
	}

	release := throwaway.LeaveOpen(t, s.read.DB, "LOCK TABLE delivery IN SHARE UPDATE EXCLUSIVE MODE")
	defer release()
	stopping, end := context.WithCancel(t.Context())
	ended := make(chan Erased, 1)
	go func() {
		var erased Erased
		s.vacuum(stopping, &erased)
		ended <- erased
	}()
	for waits := 0; waits == 0; {
		if err := s.read.DB.QueryRow("SELECT count(*) FROM pg_locks WHERE relation = 'delivery'::regclass AND NOT granted").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	end()
	erased := <-ended
	if said := log.String(); erased.Vacuumed || !strings.Contains(said, context.Canceled.Error()) || strings.Contains(said, "lock timeout") {
		t.Errorf("%+v, and the log says %q", erased, &log)
	}
}
