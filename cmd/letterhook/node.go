package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// ledger is where nodes that share a database agree whose each lane is; nil: this one is alone.
func (s *server) ledger() dispatch.Ledger {
	if !s.store.Shared() {
		return nil
	}
	return s.store
}

// nodeName is the name of this node, for people.
func (s *server) nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = s.cfg.Hostname
	}
	return cmp.Or(s.cfg.Node, fmt.Sprintf("%s/%d", host, os.Getpid()))
}

// enrol enters this process among those that share the database, before it does anything. Where it cannot work beside one of them it
// does not start.
func (s *server) enrol(ctx context.Context) error {
	s.self = storage.Member{Name: s.nodeName(), Version: version(), StartedAt: time.Now(), Reasons: []string{"starting"}}
	for _, role := range []config.Role{config.RoleSMTP, config.RoleDispatch, config.RoleAdmin} {
		if s.cfg.Has(role) {
			s.self.Roles = append(s.self.Roles, string(role))
		}
	}
	if !s.store.Shared() {
		return nil
	}
	return s.store.Enrol(ctx, &s.self)
}

// sayTimeout bounds how long the database is waited for.
const sayTimeout = 5 * time.Second

// present tells the other nodes of this one until ctx ends, and then that it is gone. When one has come meanwhile that this one cannot work
// beside, or everything was moved to another place, it ends with an error.
func (s *server) present(ctx context.Context) error {
	if !s.store.Shared() {
		return nil
	}
	ticker := time.NewTicker(storage.MemberEvery)
	defer ticker.Stop()
	for {
		self := s.member()
		saying, cancel := context.WithTimeout(ctx, sayTimeout)
		err := s.store.Say(saying, &self)
		cancel()
		if errors.Is(err, storage.ErrAlone) || errors.Is(err, storage.ErrMoved) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("other nodes could not be told of this one; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			s.depart(context.WithoutCancel(ctx))
			return nil
		case <-ticker.C:
		}
	}
}

// ready is why no mail is taken now, or nil.
func (s *server) ready() error {
	switch {
	case s.stopping.Load():
		return errors.New("stopping")
	case s.store.DiskFull():
		return errors.New("the disk is nearly full")
	case s.smtp.Levers().Drain.On:
		return errors.New("drained by a lever")
	case s.smtp.Levers().Defer.On:
		return errors.New("all mail is deferred by a lever")
	}
	return s.store.AcceptTrouble()
}

// depart tells the other nodes that this one ends.
func (s *server) depart(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sayTimeout)
	defer cancel()
	if err := s.store.Depart(ctx, s.self.ID); err != nil {
		s.log.Warn("other nodes could not be told that this one ends", "error", err)
	}
}

// member is what this process has to tell of itself now.
func (s *server) member() storage.Member {
	m := s.self
	m.Reasons, m.Warnings, m.Epoch = []string{}, append([]string{}, s.identity.Warnings()...), s.dispatcher.Tenancy().Epoch
	if err := s.ready(); err != nil {
		m.Reasons = append(m.Reasons, err.Error())
	}
	return m
}

// nodes lists the processes that serve on the database. What this one says of itself is fresh.
func (s *server) nodes(ctx context.Context) ([]api.Node, error) {
	self := s.member()
	if !s.store.Shared() {
		return []api.Node{showNode(&self, true)}, nil
	}
	members, err := s.store.Members(ctx)
	if err != nil {
		return nil, err
	}
	nodes := make([]api.Node, len(members))
	for i := range members {
		m := &members[i]
		here := m.ID == self.ID
		if here {
			m.Reasons, m.Warnings = self.Reasons, self.Warnings
		}
		nodes[i] = showNode(m, here)
	}
	return nodes, nil
}

func showNode(m *storage.Member, here bool) api.Node {
	n := api.Node{
		Name: m.Name, Here: here, Version: m.Version, Roles: m.Roles, StartedAt: m.StartedAt.UTC(), SilentSeconds: m.Silent.Seconds(),
		Reasons: append([]string{}, m.Reasons...), Warnings: append([]string{}, m.Warnings...),
	}
	if m.IsSilent() {
		n.Reasons = append([]string{"nothing is heard of it"}, n.Reasons...) // what it said last may be over
	}
	n.Ready = len(n.Reasons) == 0
	if m.Epoch != 0 {
		n.Lease = &api.Lease{Epoch: m.Epoch, Seconds: m.LeaseLeft.Seconds(), Lanes: m.Lanes, KeepsHouse: m.KeepsHouse}
	}
	return n
}

// addressOf is empty for a listener that there is not.
func addressOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}
