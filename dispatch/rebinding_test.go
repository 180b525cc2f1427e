package dispatch

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// moody is a DNS server that gives one answer after the other, and the last one for ever.
type moody struct {
	resolver *net.Resolver
	asked    atomic.Int64
}

// newMoody answers the n-th question, whatever the name, with the n-th list of addresses.
func newMoody(t *testing.T, answers ...[]string) *moody {
	t.Helper()
	m := &moody{}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	server := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg)
		reply.SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			n := min(int(m.asked.Add(1)), len(answers))
			for _, address := range answers[n-1] {
				reply.Answer = append(reply.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 0}, A: net.ParseIP(address),
				})
			}
		}
		_ = w.WriteMsg(reply)
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	m.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
	return m
}

// inner is a service that no webhook may reach; it fails the test when one does. It gives the port.
func inner(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a webhook reached %s as %s", l.Addr(), r.Host)
	})}}
	srv.Start()
	t.Cleanup(srv.Close)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// A name is public when it is checked, and leads inside when it is used.
func TestRebindingAfterTheCheck(t *testing.T) {
	port := inner(t, "127.0.0.1:0")
	m := newMoody(t, []string{"93.184.216.34"}, []string{"127.0.0.1"})
	guard := Guard{Resolver: m.resolver}
	addrs, err := m.resolver.LookupNetIP(t.Context(), "ip4", "rebind.example")
	if err != nil || len(addrs) != 1 || guard.Check(netip.AddrPortFrom(addrs[0], 443), false) != nil {
		t.Fatalf("the first answer is %v, %v", addrs, err)
	}
	s := NewSender(guard, "test")
	defer s.Close()
	res := s.Send(t.Context(), postTo("http://rebind.example:"+port+"/"))
	if res.Outcome != OutcomeBlocked || res.Detail.RemoteAddr != "" || strings.Contains(res.Detail.Error, "127.0.0.1") {
		t.Errorf("%+v", res)
	}
	if n := m.asked.Load(); n != 2 {
		t.Errorf("the name was asked for %d times", n)
	}
}

// The first attempt goes where it may; then the name leads inside. 127.0.0.2 stands for the public internet.
func TestRebindingBetweenAttempts(t *testing.T) {
	outside := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip(err)
	}
	outside.Listener.Close()
	outside.Listener = l
	outside.Start()
	defer outside.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	inner(t, "127.0.0.1:"+port)
	m := newMoody(t, []string{"127.0.0.2"}, []string{"127.0.0.1"}, []string{"127.0.0.1", "127.0.0.2"})
	s := NewSender(Guard{Resolver: m.resolver, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}, "test")
	defer s.Close()
	p := postTo("http://rebind.example:" + port + "/")
	if res := s.Send(t.Context(), p); res.Outcome != OutcomeDelivered || res.Detail.RemoteAddr != l.Addr().String() || res.Detail.Times.DNS == 0 {
		t.Fatalf("the first attempt: %+v", res)
	}
	if res := s.Send(t.Context(), p); res.Outcome != OutcomeBlocked {
		t.Errorf("the second attempt: %+v", res)
	}
	// Of two addresses the one that is allowed is used, and the other never.
	if res := s.Send(t.Context(), p); res.Outcome != OutcomeDelivered || res.Detail.RemoteAddr != l.Addr().String() {
		t.Errorf("the third attempt: %+v", res)
	}
}

// Where the first address refuses, the next one is judged too.
func TestRebindingByTheSecondAddress(t *testing.T) {
	port := inner(t, "127.0.0.1:0")
	m := newMoody(t, []string{"127.0.0.3", "127.0.0.1"})
	s := NewSender(Guard{Resolver: m.resolver, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.3/32")}}, "test")
	defer s.Close()
	if res := s.Send(t.Context(), postTo("http://rebind.example:"+port+"/")); res.Outcome != OutcomeRefused && res.Outcome != OutcomeBlocked {
		t.Errorf("%+v", res)
	}
}

// An address is refused when it is dialed, in whatever way the URL spells it.
func TestDialRefusesEverySpelling(t *testing.T) {
	port := inner(t, "127.0.0.1:0")
	m := newMoody(t, []string{"127.0.0.1"})
	s := NewSender(Guard{Resolver: m.resolver}, "test")
	defer s.Close()
	for _, host := range []string{
		"127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
		"[::127.0.0.1]", "[64:ff9b::7f00:1]", "0.0.0.0", "[::]", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1",
		"0", "rebind.example", "REBIND.example.", "user:pw@127.0.0.1", "127.0.0.1%00.example", "[fe80::1%25lo]",
	} {
		if res := s.Send(t.Context(), postTo("http://"+host+":"+port+"/")); res.Status != 0 || res.Outcome == OutcomeDelivered {
			t.Errorf("%s: %+v", host, res)
		}
	}
}

// Each network of the table is refused by the dialer itself: no connection to it is begun.
func TestDialRefusesTheTable(t *testing.T) {
	s := NewSender(Guard{}, "test")
	defer s.Close()
	for _, host := range []string{
		"0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.9.9.9", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
		"192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"[::a00:1]", "[::ffff:a00:1]", "[::ffff:0:a00:1]", "[100::1]", "[5f00::1]", "[fc00::1]", "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[ff02::1]",
		"[2001::1]", "[2001:db8::1]", "[2002:a00:1::1]", "[3fff::1]", "[64:ff9b::a00:1]", "[64:ff9b:1::1]", "[4000::1]",
	} {
		res := s.Send(t.Context(), postTo("http://"+host+"/"))
		if res.Outcome != OutcomeBlocked || res.Detail.RemoteAddr != "" || strings.Contains(res.Detail.Error, host) {
			t.Errorf("%s: %+v", host, res)
		}
	}
}
