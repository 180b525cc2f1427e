package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// queueShrinker packs the queue where that is due.
type queueShrinker struct {
	log    *slog.Logger
	mine   func() bool // whether this node keeps house
	shrink func(context.Context) (storage.ShrinkOutcome, error)
}

// shrink packs the queue where that is due.
func (s *server) shrink(ctx context.Context) error {
	return queueShrinker{s.log, s.dispatcher.Housekeeps, s.store.Shrink}.run(ctx)
}

// run looks at the queue until ctx ends, with the pause that the outcome of the last look asks for.
func (q queueShrinker) run(ctx context.Context) error {
	for pause := storage.ShrinkNotDue.Pause(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		outcome := storage.ShrinkNotDue
		if q.mine() {
			outcome = q.look(ctx)
		}
		pause = outcome.Pause()
	}
}

func (q queueShrinker) look(ctx context.Context) storage.ShrinkOutcome {
	outcome, err := q.shrink(ctx)
	switch {
	case err == nil || ctx.Err() != nil:
	case outcome == storage.ShrinkUnreachable:
		q.log.Warn("the database was out of reach for a look whether the table of deliveries should be packed; the next follows", "in", outcome.Pause(), "error", err)
	default:
		q.log.Warn("looking whether the table of deliveries should be packed, or packing it, failed; it is tried again", "in", outcome.Pause(), "error", err)
	}
	return outcome
}
