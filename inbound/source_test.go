package inbound

import (
	"net"
	"net/netip"
	"testing"
)

// from is where a connection claims to come from.
func from(addr string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)) }

// TestSource: one IPv4 address or one IPv6 /64 is one source, however the address is written.
func TestSource(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:25":              "192.0.2.1/32",
		"[::ffff:192.0.2.1]:25":     "192.0.2.1/32",
		"[2001:db8:1:2:3:4:5:6]:25": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:25": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:25":         "fe80::/64",
	} {
		if got := sourceOf(addrOf(from(addr))).String(); got != want {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	if got := addrOf(server.RemoteAddr()); got.IsValid() {
		t.Errorf("a pipe comes from %v", got)
	}
}
