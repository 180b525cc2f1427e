package main

import (
	"context"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// sweepEvery is the rhythm of retention.
const sweepEvery = 10 * time.Minute

// housekeep removes what retention no longer keeps.
func (s *server) housekeep(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if !s.dispatcher.Housekeeps() {
				continue // another node does
			}
			swept, err := s.store.Sweep(ctx, *s.retention.Load())
			if err != nil && ctx.Err() == nil {
				s.log.Error("sweeping failed; it goes on with the next round", "error", err)
			}
			if swept != (storage.Swept{}) {
				s.log.Info("swept", "messages", swept.Messages, "attachments", swept.Attachments,
					"packs", swept.Packs, "orphans", swept.Orphans, "attempts", swept.Attempts)
			}
		}
	}
}
