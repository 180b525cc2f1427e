package inbound

import (
	"net"
	"net/netip"
	"testing"
)

// from is where a connection claims to come from.
func from(addr string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)) }

// TestAddress: however an address is written, it is one.
func TestAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:25":              "192.0.2.1",
		"[::ffff:192.0.2.1]:25":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:25": "2001:db8:1:2:3:4:5:6",
		"[fe80::1%eth0]:25":         "fe80::1",
	} {
		if got := addrOf(from(addr)).String(); got != want {
			t.Errorf("%s comes from %s, want %s", addr, got, want)
		}
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	if got := addrOf(server.RemoteAddr()); got.IsValid() {
		t.Errorf("a pipe comes from %v", got)
	}
}
