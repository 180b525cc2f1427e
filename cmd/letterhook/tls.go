package main

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

// readIdentity reads the certificates of a configuration; nil without any.
func readIdentity(c *config.Config) (*tls.Config, error) {
	if len(c.TLS.Certificates) == 0 {
		return nil, nil
	}
	identity := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS.MinVersion == "1.3" {
		identity.MinVersion = tls.VersionTLS13
	}
	for _, files := range c.TLS.Certificates {
		certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("loading the certificate: %w", err)
		}
		identity.Certificates = append(identity.Certificates, certificate)
	}
	return identity, nil
}

// tlsConfig hands every handshake the certificates of its moment; nil without any.
func (s *server) tlsConfig() *tls.Config {
	if s.identity.Load() == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.identity.Load(), nil },
	}
}

// overTLS is l, speaking TLS where it is declared so.
func (s *server) overTLS(l net.Listener, declared config.HTTPListener) net.Listener {
	if !declared.TLS {
		return l
	}
	return tls.NewListener(l, s.tlsConfig())
}
