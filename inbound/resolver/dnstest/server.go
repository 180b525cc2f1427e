// Package dnstest runs a DNS server on loopback for tests.
package dnstest

import (
	"testing"

	"github.com/letterhook/letterhook/inbound/resolver/nameserver"
)

// Server is the DNS server of a test.
type Server = nameserver.Server

// New starts a server and stops it at the end of the test. records are lines of a zone file with absolute names; the default
// TTL is an hour.
func New(t testing.TB, records ...string) *Server {
	t.Helper()
	s, err := nameserver.Start(records...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
