package inbound_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// through connects through a proxy for a client.
func (e *edge) through(t testing.TB, client string) *peer {
	t.Helper()
	p := e.connectTo(t, "proxied")
	p.send("PROXY TCP4 " + client + " 198.51.100.1 4096 25\r\n")
	return p
}

// TestProxiedSources: behind a proxy it is the client that counts, for the caps and in the log, and it counts no longer than its
// connection lasts.
func TestProxiedSources(t *testing.T) {
	var log bytes.Buffer
	e := serve(t, func(c *inbound.Config) {
		c.MaxConnectionsPerIP = 2
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	first := e.through(t, "192.0.2.1")
	first.expect("220")
	e.through(t, "192.0.2.1").expect("220")
	p := e.through(t, "192.0.2.1")
	p.expect("421 4.7.0 Too many connections from your address")
	p.closed()
	e.through(t, "192.0.2.2").expect("220")

	p = e.connectTo(t, "proxied-tls")
	p.send("PROXY TCP4 192.0.2.1 198.51.100.1 4096 465\r\n")
	p.closed() // nothing in clear where TLS is implicit

	first.do("QUIT", "221")
	first.closed()
	e.through(t, "192.0.2.1").expect("220")
	e.drain(t)
	if got := strings.Count(log.String(), "remote_ip=192.0.2.1 helo=\"\" tls=\"\" reason=connections"); got != 2 {
		t.Errorf("%d lines about the client:\n%s", got, &log)
	}
}

// TestProxyOutsideIsCut: the first connection from elsewhere is logged with its reason, and never counted as open.
func TestProxyOutsideIsCut(t *testing.T) {
	var log bytes.Buffer
	e := serve(t, func(c *inbound.Config) {
		c.MaxConnections = 1
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	for range 3 {
		p := e.connectTo(t, "elsewhere")
		p.closed()
	}
	e.dial(t).do("QUIT", "221")
	e.drain(t)
	if got := strings.Count(log.String(), "reason=proxy"); got != 3 {
		t.Errorf("%d lines:\n%s", got, &log)
	}
}

// TestSilentProxy: a header that does not come, or not whole, is waited for ten seconds, and holds no place of a client.
func TestSilentProxy(t *testing.T) {
	as := inbound.Listener{Name: "proxied", Proxies: loopback}
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4096}
	for _, header := range []string{"", "PROXY TCP4 192.0.2.1", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x0f\xff"} {
		virtuallyAs(t, as, func(c *inbound.Config) { c.MaxConnectionsPerIP = 1 }, func(t *testing.T, e *edge) {
			p := newPeer(t, e.pipes.dialFrom(from)).patient()
			began := time.Now()
			p.send(header)
			other := newPeer(t, e.pipes.dialFrom(from)).patient()
			other.send("PROXY UNKNOWN\r\n")
			other.expect("220")
			p.closed()
			if waited := time.Since(began); waited != 10*time.Second {
				t.Errorf("%q: cut off after %v", header, waited)
			}
		})
	}
}

// TestUnixSocket: a peer on a unix socket has no address, and no cap is meant for it.
func TestUnixSocket(t *testing.T) {
	e := newEdge(t, func(c *inbound.Config) { c.MaxConnectionsPerIP = 1 })
	path := filepath.Join(t.TempDir(), "lmtp.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	e.listen(t, l, inbound.Listener{Name: "lmtp", Kind: inbound.LMTP})
	for i := range 3 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, conn)
		p.expect("220 mx.example.com LMTP")
		p.do("LHLO client.example", "250-")
		p.begin()
		p.send("x\r\n.\r\n")
		p.expect(fmt.Sprintf("250 2.0.0 OK queued as msg_%d", i+1))
	}
	env := e.spool.all()[0].env
	if env.RemoteIP.IsValid() || env.RemoteAddress() != "" || !env.LMTP {
		t.Errorf("envelope %+v", env)
	}
	if got := string(inbound.TraceFields(&env, "mx.example.com", "msg_1")); !strings.Contains(got, "from client.example (unix socket)") || !strings.Contains(got, " with LMTP id ") {
		t.Errorf("trace fields %s", got)
	}
}
