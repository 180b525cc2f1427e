package dispatch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestGuardTable(t *testing.T) {
	const (
		yes     = "let through"
		private = "only with allow_private"
		no      = "refused even with allow_private"
	)
	tests := map[string][]string{
		yes: {
			"93.184.216.34:443", "8.8.8.8:80", "8.8.8.8:8443", "1.1.1.1:1024", "100.63.255.255:443", "100.128.0.1:443",
			"172.15.255.255:443", "172.32.0.1:443", "198.17.255.255:443", "[2606:2800:220:1:248:1893:25c8:1946]:443",
			"[::ffff:8.8.8.8]:443", "[64:ff9b::808:808]:443",
		},
		private: {
			"10.0.0.1:443", "10.255.255.255:80", "172.16.0.1:80", "172.31.255.255:80", "192.168.1.1:80", "100.64.0.1:80",
			"127.0.0.1:8080", "127.9.9.9:80", "[::1]:80", "[fc00::1]:80", "[fdff::1]:80", "[::ffff:10.0.0.1]:80",
			"[::ffff:127.0.0.1]:80", "[64:ff9b::a00:1]:80", "10.0.0.1:25",
		},
		no: {
			"0.0.0.0:80", "0.1.2.3:80", "169.254.1.1:80", "169.254.169.254:80", "100.100.100.200:80", "168.63.129.16:80",
			"192.0.0.1:80", "192.0.2.1:80", "192.88.99.1:80", "198.18.0.1:80", "198.19.255.255:80", "198.51.100.1:80",
			"203.0.113.9:80", "224.0.0.1:80", "239.255.255.255:80", "240.0.0.1:80", "255.255.255.255:80",
			"[::]:80", "[::2]:80", "[::a00:1]:80", "[::ffff:0:a00:1]:80", "[100::1]:80", "[64:ff9b:1::a00:1]:80", "[5f00::1]:80",
			"[fe80::1]:80", "[fe80::1%eth0]:80", "[fec0::1]:80", "[ff02::1]:80", "[2001::1]:80", "[2001:1ff::1]:80", "[2001:db8::1]:80",
			"[2002:a00:1::1]:80", "[3fff::1]:80", "[fd00:ec2::254]:80", "[fd20:ce::254]:80", "[::ffff:169.254.169.254]:80",
			"[64:ff9b::a9fe:a9fe]:80", "[4000::1]:80", "8.8.8.8:25", "8.8.8.8:22", "8.8.8.8:0",
		},
	}
	var g Guard
	for want, addrs := range tests {
		for _, a := range addrs {
			ap := netip.MustParseAddrPort(a)
			got := yes
			if err := g.Check(ap, false); err != nil {
				got = private
				var blocked *BlockedError
				if !errors.As(err, &blocked) || blocked.Reason == "" {
					t.Errorf("%s: %v is not a BlockedError with a reason", a, err)
				} else if hint := blocked.Private; hint != (g.Check(ap, true) == nil) {
					t.Errorf("%s: Private says %t", a, hint)
				}
				if g.Check(ap, true) != nil {
					got = no
				}
			}
			if got != want {
				t.Errorf("%s is %s, want %s", a, got, want)
			}
		}
	}
}

func TestGuardAllowList(t *testing.T) {
	g := Guard{
		Allow:         []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fd00::/8")},
		AllowLoopback: true,
		Refuse:        []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("[::]:2525"), netip.MustParseAddrPort("10.1.0.5:443")},
	}
	for addr, want := range map[string]bool{
		"10.1.2.3:80": true, "10.2.0.1:80": false, "169.254.1.1:80": true, "169.254.169.254:80": false, "169.254.170.2:80": false,
		"[fd12::1]:80": true, "[fd00:ec2::254]:80": false, "127.0.0.1:9000": true, "[::1]:9000": true,
		"127.0.0.1:8080": false, "127.0.0.2:8080": true, "127.0.0.1:2525": false, "[::1]:2525": false, "10.1.0.5:443": false,
		"[::ffff:127.0.0.1]:8080": false, "[::ffff:10.1.0.5]:443": false,
	} {
		if got := g.Check(netip.MustParseAddrPort(addr), false) == nil; got != want {
			t.Errorf("%s: let through %t, want %t", addr, got, want)
		}
	}
}

func TestGuardHosts(t *testing.T) {
	g := Guard{AllowHosts: []string{"hooks.corp.example", ".lan.example"}}
	for host, want := range map[string]bool{
		"hooks.corp.example": true, "HOOKS.corp.example.": true, "x.hooks.corp.example": false, "corp.example": false,
		"a.lan.example": true, "a.b.LAN.example": true, "lan.example": false, "evillan.example": false, "a.lan.example.evil": false,
	} {
		if got := g.allowsHost(host); got != want {
			t.Errorf("%s: allowed %t, want %t", host, got, want)
		}
	}
}

// The hook sees the address of the socket, however the host is spelled.
func TestGuardDials(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	var strict Guard
	loose := Guard{AllowHosts: []string{"localhost"}}
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0", "::", "2130706433", "127.1", "0x7f.1"} {
		conn, err := strict.dial(context.Background(), "tcp", net.JoinHostPort(host, port), false)
		if err == nil {
			conn.Close()
			t.Errorf("the guard let %s through", host)
		}
	}
	conn, err := loose.dial(context.Background(), "tcp", net.JoinHostPort("localhost", port), false)
	if err != nil {
		t.Fatalf("an allowed host: %v", err)
	}
	conn.Close()
	if _, err := loose.dial(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", port), false); err == nil {
		t.Error("the allowed host name let its address through as well")
	}
}

func TestCheckURL(t *testing.T) {
	for _, ok := range []string{"https://hooks.example/in?x=1", "http://127.0.0.1:3000", "https://user:pw@hooks.example/", "https://[2606::1]/", "https://1.example.2a/", "https://0x.example/", "https://8.8.8.8./", "https://xn--bcher-kva.example/"} {
		if err := CheckURL(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "hooks.example/in", "ftp://hooks.example/", "https://", "https:///x", "http://%zz/", "https://bücher.example/",
		"https://hooks.example/#x", "http://2130706433/", "http://127.1/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.0.0.0x1/", "http://0/", "http://127.1./", "http://0x/", "file:///etc/passwd", "https://hooks.example/" + strings.Repeat("x", maxURL)} {
		if CheckURL(bad) == nil {
			t.Errorf("%q is taken for a URL", bad)
		}
	}
}
