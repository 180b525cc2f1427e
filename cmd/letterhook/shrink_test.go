package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestShrinkPauses: after each outcome the queue is left alone for as long as mail, or the database, needs to be spared; an old snapshot's
// end is noticed early enough to pack within five minutes.
func TestShrinkPauses(t *testing.T) {
	steps := []struct {
		outcome storage.ShrinkOutcome
		err     error
		pause   time.Duration
		log     string
	}{
		{storage.ShrinkNotDue, nil, time.Minute, ""},
		{storage.ShrinkDone, nil, 4 * time.Minute, ""},
		{storage.ShrinkLeft, nil, 3 * time.Minute, ""},
		{storage.ShrinkTooLarge, nil, time.Hour, ""}, // the store tells of it
		{storage.ShrinkFailed, errors.New("lock timeout"), 10 * time.Minute, "failed; it is tried again"},
		{storage.ShrinkUnreachable, errors.New("refused"), 3 * time.Minute, "out of reach"},
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		began, want := time.Now(), time.Minute
		n := 0
		q := queueShrinker{
			log:  slog.New(slog.NewTextHandler(&log, nil)),
			mine: func() bool { return true },
			shrink: func(context.Context) (storage.ShrinkOutcome, error) {
				if got := time.Since(began); got != want {
					t.Errorf("look %d came after %s, want %s", n, got, want)
				}
				if n == len(steps) {
					cancel()
					return storage.ShrinkUnreachable, ctx.Err()
				}
				began, want = time.Now(), steps[n].pause
				n++
				return steps[n-1].outcome, steps[n-1].err
			},
		}
		if err := q.run(ctx); err != nil {
			t.Error(err)
		}
		var lines []string
		for line := range strings.Lines(log.String()) {
			lines = append(lines, line)
		}
		for _, s := range steps {
			if s.log != "" && !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, s.log) }) {
				t.Errorf("nothing tells of %v", s.err)
			}
		}
		if len(lines) != 2 { // a stop is nothing to tell of
			t.Errorf("the log has %q", lines)
		}
	})
}

// TestShrinkIsForOneNode: who does not keep house looks every minute whether it does now.
func TestShrinkIsForOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		q := queueShrinker{
			log:  slog.New(slog.DiscardHandler),
			mine: func() bool { return time.Since(began) > 150*time.Second },
			shrink: func(context.Context) (storage.ShrinkOutcome, error) {
				if got := time.Since(began); got != 3*time.Minute {
					t.Errorf("it looked after %s", got)
				}
				cancel()
				return storage.ShrinkDone, nil
			},
		}
		if err := q.run(ctx); err != nil {
			t.Error(err)
		}
	})
}
