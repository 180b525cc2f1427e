package main

import (
	"context"
	"fmt"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/mailauth"
	"github.com/letterhook/letterhook/inbound/resolver"
)

// wireAuthentication prepares the checks of the sender, even where the configuration turns them off.
func (s *server) wireAuthentication() error {
	a := &s.cfg.Authentication
	dns, err := resolver.New(resolver.Config{Servers: a.DNSServers})
	if err != nil {
		return fmt.Errorf("preparing DNS: %w", err)
	}
	s.dns = dns
	s.checker, err = mailauth.New(mailauth.Config{
		Resolver:       dns,
		Timeout:        a.Timeout.Std(),
		TrustedSealers: a.TrustedSealers,
		Registerer:     s.registry,
	})
	if err != nil {
		return fmt.Errorf("preparing authentication: %w", err)
	}
	if a.Enabled {
		s.log.Info("senders are checked", "dns_servers", dns.Servers())
	}
	return nil
}

// verifySender checks the sender of a message, unless its client is none that is checked.
func (s *server) verifySender(ctx context.Context, env *inbound.Envelope, body inbound.Body) (*inbound.AuthResults, error) {
	if s.cfg.Authentication.Skips(env.RemoteIP) {
		return nil, nil
	}
	return s.checker.Check(ctx, env, body, body.Size())
}
