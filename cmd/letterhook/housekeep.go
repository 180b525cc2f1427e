package main

import (
	"context"
	"time"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/storage"
)

// proofsEvery is how often it is looked whether the proofs of domains are still in DNS.
const proofsEvery = 6 * time.Hour

// watchProofs looks at the proofs of domains now and then.
func (s *server) watchProofs(ctx context.Context) error {
	return s.keepHouse(ctx, proofsEvery, func() {
		if err := api.RecheckProofs(ctx, s.apiConfig(nil)); err != nil && ctx.Err() == nil {
			s.log.Error("the proofs of domains were not looked at; it is tried again with the next round", "error", err)
		}
	})
}

// sweepEvery is the rhythm of retention.
const sweepEvery = 10 * time.Minute

// housekeep removes what retention no longer keeps.
func (s *server) housekeep(ctx context.Context) error {
	s.countStock(ctx)
	return s.keepHouse(ctx, sweepEvery, func() {
		s.countStock(ctx)
		kept := *s.retention.Load()
		kept.Accounts = s.directory.Load().Retention
		swept, err := s.store.Sweep(ctx, kept)
		if err != nil && ctx.Err() == nil {
			s.log.Error("sweeping failed; it goes on with the next round", "error", err)
		}
		if swept != (storage.Swept{}) {
			s.log.Info("swept", "messages", swept.Messages, "attachments", swept.Attachments,
				"packs", swept.Packs, "orphans", swept.Orphans, "attempts", swept.Attempts)
		}
	})
}

// keepHouse does a chore in rounds until ctx ends, in those in which no other node keeps house.
func (s *server) keepHouse(ctx context.Context, every time.Duration, chore func()) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if s.dispatcher.Housekeeps() {
				chore()
			}
		}
	}
}

// countStock has what is stored counted afresh where that is due.
func (s *server) countStock(ctx context.Context) {
	if err := s.store.CountStock(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("counting what is stored failed; it goes on with the next round", "error", err)
	}
}
