package resolver_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

func newResolver(t *testing.T, servers ...string) *resolver.Resolver {
	t.Helper()
	r, err := resolver.New(resolver.Config{Servers: servers, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func kind(err error) string {
	var d *net.DNSError
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &d):
		return "no DNSError: " + err.Error()
	case d.IsNotFound:
		return "not found"
	case d.IsTimeout || d.IsTemporary:
		return "temporary"
	}
	return "permanent"
}

func TestLookups(t *testing.T) {
	server := dnstest.New(t, "a.example. A 192.0.2.1", "a.example. AAAA 2001:db8::1", "alias.example. CNAME a.example.",
		"six.example. AAAA 2001:db8::6", "m.example. MX 20 b.example.", "m.example. MX 10 a.example.", "null.example. MX 0 .",
		"1.2.0.192.in-addr.arpa. PTR a.example.", "deep.below.example. A 192.0.2.7", "loop.example. CNAME loop.example.")
	server.AddTXT("t.example", strings.Repeat("x", 300)+"\\\"\x00\xff")
	server.AddTXT("large.example", strings.Repeat("y", 4000))
	server.AddTXT("a b.example", "blank")
	server.Fail("broken.example", dns.RcodeServerFailure)
	server.Fail("refused.example", dns.RcodeRefused)
	r, ctx := newResolver(t, server.Addr), context.Background()
	text := func(name string) func() ([]string, error) {
		return func() ([]string, error) { return r.LookupTXT(ctx, name) }
	}
	address := func(name string) func() ([]string, error) {
		return func() (all []string, err error) {
			list, err := r.LookupIPAddr(ctx, name)
			for _, a := range list {
				all = append(all, a.String())
			}
			return all, err
		}
	}
	exchangers := func(name string) func() ([]string, error) {
		return func() (all []string, err error) {
			list, err := r.LookupMX(ctx, name)
			for _, mx := range list {
				all = append(all, mx.Host)
			}
			return all, err
		}
	}
	for _, test := range []struct {
		name   string
		lookup func() ([]string, error)
		want   []string
		err    string
	}{
		{"addresses", address("A.example"), []string{"192.0.2.1", "2001:db8::1"}, "ok"},
		{"one kind of address", address("six.example."), []string{"2001:db8::6"}, "ok"},
		{"through an alias", address("alias.example"), []string{"192.0.2.1", "2001:db8::1"}, "ok"},
		{"an alias of itself", address("loop.example"), nil, "not found"},
		{"no such name", address("no.example"), nil, "not found"},
		{"no such records", text("below.example"), nil, "not found"},
		{"server failure", address("broken.example"), nil, "temporary"},
		{"refused", text("refused.example"), nil, "temporary"},
		{"long text, odd octets", text("t.example"), []string{strings.Repeat("x", 300) + "\\\"\x00\xff"}, "ok"},
		{"over TCP", text("large.example"), []string{strings.Repeat("y", 4000)}, "ok"},
		{"odd name", text("a b.example"), []string{"blank"}, "ok"},
		{"exchangers", exchangers("m.example"), []string{"a.example.", "b.example."}, "ok"},
		{"null MX", exchangers("null.example"), []string{"."}, "ok"},
		{"reverse", func() ([]string, error) { return r.LookupAddr(ctx, "192.0.2.1") }, []string{"a.example."}, "ok"},
		{"no address", func() ([]string, error) { return r.LookupAddr(ctx, "x") }, nil, "permanent"},
		{"empty label", text("a..example"), nil, "not found"},
		{"long label", text(strings.Repeat("l", 64) + ".example"), nil, "not found"},
		{"long name", text(strings.Repeat("l.", 130) + "example"), nil, "not found"},
		{"empty", text(""), nil, "not found"},
	} {
		for range 2 { // from the server and from memory
			got, err := test.lookup()
			if !slices.Equal(got, test.want) || kind(err) != test.err {
				t.Errorf("%s: %.60q, %v; want %.60q, %s", test.name, got, err, test.want, test.err)
			}
		}
	}
	for name, want := range map[string]int{"a.example": 1, "no.example": 1, "large.example": 0, "broken.example": 2} {
		qtype := "A"
		if want == 0 {
			qtype, want = "TXT", 1
		}
		if n := server.Asked(name, qtype); n != want {
			t.Errorf("%s was asked for %d times, want %d", name, n, want)
		}
	}
}

// TestNextServer has a first server that is broken, and one that is not there.
func TestNextServer(t *testing.T) {
	broken, good := dnstest.New(t), dnstest.New(t, "a.example. A 192.0.2.1")
	broken.Fail("a.example", dns.RcodeServerFailure)
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for _, first := range []string{broken.Addr, gone.LocalAddr().String()} {
		if got, err := newResolver(t, first, good.Addr).LookupIPAddr(context.Background(), "a.example"); err != nil || len(got) != 1 {
			t.Errorf("behind %s: %v, %v", first, got, err)
		}
	}
}

// TestAskedOnce has many callers who want the same at once.
func TestAskedOnce(t *testing.T) {
	server := dnstest.New(t, "a.example. 0 TXT hello")
	r := newResolver(t, server.Addr)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range 50 {
		all.Go(func() {
			<-begin
			if got, err := r.LookupTXT(context.Background(), "a.example"); err != nil || len(got) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	close(begin)
	all.Wait()
	before := server.Asked("a.example", "TXT")
	if _, err := r.LookupTXT(context.Background(), "a.example"); err != nil {
		t.Fatal(err)
	}
	if server.Asked("a.example", "TXT") != before+1 {
		t.Error("an answer with a TTL of 0 was remembered")
	}
}

// TestCallerLeaves ends one caller's context: the error is one of DNS, and temporary.
func TestCallerLeaves(t *testing.T) {
	server := dnstest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newResolver(t, server.Addr).LookupTXT(ctx, "a.example"); kind(err) != "temporary" {
		t.Error(err)
	}
}

// TestServers takes addresses alone: a name would need a resolver.
func TestServers(t *testing.T) {
	r := newResolver(t, "192.0.2.1", "2001:db8::1", "[2001:db8::2]:5353")
	if got, want := r.Servers(), []string{"192.0.2.1:53", "[2001:db8::1]:53", "[2001:db8::2]:5353"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := resolver.New(resolver.Config{Servers: []string{"dns.example"}}); err == nil {
		t.Error("a name was taken for a server")
	}
	if system := newResolver(t).Servers(); len(system) == 0 {
		t.Error("no server of the system")
	}
}

// TestExpired asks again for what must not be remembered, and for what does not exist too.
func TestExpired(t *testing.T) {
	server := dnstest.New(t, "a.example. A 192.0.2.1")
	server.Expire()
	r := newResolver(t, server.Addr)
	for range 3 {
		if _, err := r.LookupTXT(context.Background(), "a.example"); kind(err) != "not found" {
			t.Errorf("%v", err)
		}
		if _, err := r.LookupIPAddr(context.Background(), "a.example"); err != nil {
			t.Error(err)
		}
	}
	if a, txt := server.Asked("a.example", "A"), server.Asked("a.example", "TXT"); a != 3 || txt != 3 {
		t.Errorf("asked %d times for A and %d times for TXT, want 3 each", a, txt)
	}
}
