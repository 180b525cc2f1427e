package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/clientlist"
	"github.com/letterhook/letterhook/inbound/greylist"
	"github.com/letterhook/letterhook/inbound/guard"
)

// leverFile is what of the levers is kept in the data folder.
const leverFile = "levers.json"

// defence wires what is done against abuse.
func (s *server) defence(ctx context.Context) (inbound.Defence, error) {
	levers, err := guard.OpenLevers(filepath.Join(s.cfg.DataDir, leverFile))
	if err != nil {
		return inbound.Defence{}, err
	}
	d := s.cfg.Defence.Inbound()
	d.Levers = levers
	if s.lists, err = clientlist.New(clientlist.Config{
		Lists: s.cfg.ClientLists(), Resolver: s.dns, Timeout: s.cfg.Defence.ListsTimeout.Std(), Log: s.log, Registerer: s.registry,
	}); err != nil {
		return inbound.Defence{}, fmt.Errorf("preparing the lists of clients: %w", err)
	}
	d.Reputation = s.lists.Check
	g := &s.cfg.Defence.Greylisting
	if s.greylist, err = greylist.New(ctx, greylist.Config{
		Store: s.store, Delay: g.Delay.Std(), Window: g.Window.Std(), Pass: g.Pass.Std(), Log: s.log,
	}); err != nil {
		return inbound.Defence{}, err
	}
	d.Greylist = s.greylist.PutOff
	return d, nil
}

// pull is what the signals do: defer all mail, or take it again and lift a drain.
func (s *server) pull(deferring bool) {
	change := guard.Change{Defer: &deferring}
	if !deferring {
		change.Drain = &deferring
	}
	if _, err := s.smtp.Pull(change); err != nil {
		s.log.Error("the levers could not be pulled", "error", err)
	}
}

// watchStrangers tests zones and keeps the greylist until ctx ends.
func (s *server) watchStrangers(ctx context.Context) error {
	var tests, keeps error
	var both sync.WaitGroup
	both.Go(func() { tests = s.lists.Run(ctx) })
	both.Go(func() { keeps = s.greylist.Run(ctx) })
	both.Wait()
	return errors.Join(tests, keeps)
}
