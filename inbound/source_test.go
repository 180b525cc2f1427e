package inbound

import (
	"net"
	"net/netip"
	"testing"
)

// from is a connection that claims to come from somewhere.
type from struct {
	net.Conn
	addr string
}

func (f from) RemoteAddr() net.Addr {
	ap := netip.MustParseAddrPort(f.addr)
	return net.TCPAddrFromAddrPort(ap)
}

// TestSource: one IPv4 address or one IPv6 /64 is one source, however the address is written.
func TestSource(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:25":              "192.0.2.1/32",
		"[::ffff:192.0.2.1]:25":     "192.0.2.1/32",
		"[2001:db8:1:2:3:4:5:6]:25": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:25": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:25":         "fe80::/64",
	} {
		if got := sourceOf(addrOf(from{addr: addr})).String(); got != want {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	if got := addrOf(server); got.IsValid() {
		t.Errorf("a pipe comes from %v", got)
	}
}
