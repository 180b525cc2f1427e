package resolver_test

import (
	"errors"
	"net"
	"testing"

	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// TestLookupBeyondTheStandard asks for what net.Resolver has no method for.
func TestLookupBeyondTheStandard(t *testing.T) {
	server := dnstest.New(t, "a.example. CNAME B.example.", "b.example. A 192.0.2.1",
		"_25._tcp.b.example. TLSA 3 1 1 ABCDEF", "_25._tcp.b.example. TLSA 2 0 2 00")
	r, err := resolver.New(resolver.Config{Servers: []string{server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.LookupAlias(t.Context(), "a.example"); err != nil || got != "B.example." {
		t.Errorf("alias %q, %v", got, err)
	}
	var d *net.DNSError
	if got, err := r.LookupAlias(t.Context(), "b.example"); got != "" || !errors.As(err, &d) || !d.IsNotFound {
		t.Errorf("of no alias: %q, %v", got, err)
	}
	found, err := r.LookupTLSA(t.Context(), "_25._tcp.b.example")
	want := resolver.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: "abcdef"}
	if err != nil || len(found) != 2 || found[0] != want && found[1] != want {
		t.Errorf("TLSA %+v, %v", found, err)
	}
	if _, err := r.LookupTLSA(t.Context(), "_25._tcp.a.example"); !errors.As(err, &d) || !d.IsNotFound {
		t.Errorf("of no TLSA: %v", err)
	}
}
