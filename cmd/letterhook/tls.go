package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/cmd/letterhook/identity"
)

// acmeName is the folder within the data folder of what ACME keeps.
const acmeName = "acme"

// readIdentity reads the certificates of a configuration.
func readIdentity(c *config.Config) (*identity.Files, error) {
	var pairs []identity.Pair
	for _, files := range c.TLS.Certificates {
		pairs = append(pairs, identity.Pair{CertFile: files.CertFile, KeyFile: files.KeyFile})
	}
	return identity.ReadFiles(pairs)
}

// wireIdentity prepares the certificates. The listeners are bound already; those that answer challenges are known by their
// addresses.
func (s *server) wireIdentity() error {
	if a := &s.cfg.TLS.ACME; len(a.Names) > 0 {
		roots, err := a.Roots()
		if err != nil {
			return fmt.Errorf("reading the roots of the authority: %w", err)
		}
		c := identity.ACMEConfig{
			Directory: a.Directory, Roots: roots, Email: a.Email, KeyType: identity.KeyType(a.KeyType), ReuseKey: a.ReuseKey,
			Folder: filepath.Join(s.cfg.DataDir, acmeName), Log: s.log, Registerer: s.registry,
		}
		switch {
		case s.public == nil && s.challenges == nil: // its certificates come another way
			return errors.New("tls.acme: a node without the role admin needs tls.acme.http_address to answer challenges")
		case s.public == nil:
			c.HTTP = s.challenges.Addr()
		case s.cfg.HTTP.Public.TLS && s.challenges != nil:
			c.HTTP, c.HTTPS = s.challenges.Addr(), s.public.Addr()
		case s.cfg.HTTP.Public.TLS:
			c.HTTPS = s.public.Addr()
		default:
			c.HTTP = s.public.Addr()
		}
		if s.acme, err = identity.NewACME(c); err != nil {
			return err
		}
	}
	s.identity = identity.New(s.acme, s.log)
	s.registry.MustRegister(s.identity.Collector())
	return nil
}

// askForCertificates has ACME go for the certificates that are missing; what has failed is tried at once.
func (s *server) askForCertificates() {
	if s.acme != nil {
		s.acme.Manage(s.current.ACMENames())
	}
}

// watchCertificates takes the files of certificates when they change.
func (s *server) watchCertificates(ctx context.Context) error {
	return s.identity.Watch(ctx, s.lookEvery)
}

// tlsConfig hands every handshake the certificate of its moment; nil where TLS is not spoken.
func (s *server) tlsConfig() *tls.Config {
	if !s.cfg.TLS.Speaks() {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.identity.Get}
	if s.cfg.TLS.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	return c
}

// overTLS is l, speaking TLS where it is declared so, and answering TLS-ALPN-01.
func (s *server) overTLS(l net.Listener, declared config.HTTPListener) net.Listener {
	if !declared.TLS {
		return l
	}
	c := s.tlsConfig()
	if s.acme != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return s.acme.TLSConfig(hello), nil }
	}
	return tls.NewListener(l, c)
}

// publicly is what strangers may ask a listener for beside links: policies of MTA-STS, and answers to HTTP-01.
func (s *server) publicly(links http.Handler) http.Handler {
	handler := admin.Policies(func(host string) (admin.Policy, bool) {
		policy, ok := (*s.policies.Load())[host]
		return policy, ok
	}, links)
	return s.withChallenges(handler)
}

// withChallenges answers HTTP-01 before next does.
func (s *server) withChallenges(next http.Handler) http.Handler {
	if s.acme == nil {
		return next
	}
	return s.acme.Handler(next)
}
