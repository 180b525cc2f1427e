package inbound_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// pipes is a listener without a network, so that time can be virtual: the timeouts are tested at their real length.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (l *pipes) dial() net.Conn { return l.dialFrom(nil) }

// dialFrom connects as if from an address; nil: from none.
func (l *pipes) dialFrom(addr net.Addr) net.Conn {
	client, server := net.Pipe()
	l.conns <- pipe{server, addr}
	return client
}

// pipe is the server's end of a connection.
type pipe struct {
	net.Conn

	addr net.Addr
}

func (p pipe) RemoteAddr() net.Addr {
	if p.addr == nil {
		return p.Conn.RemoteAddr()
	}
	return p.addr
}

// virtually runs a test against a server in virtual time.
func virtually(t *testing.T, change func(*inbound.Config), test func(*testing.T, *edge)) {
	virtuallyAs(t, inbound.Listener{Name: "mx", TLS: inbound.TLSStartTLS}, change, test)
}

// virtuallyAs is virtually for a listener of any kind.
func virtuallyAs(t *testing.T, as inbound.Listener, change func(*inbound.Config), test func(*testing.T, *edge)) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, change)
		e.pipes = &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		e.listen(t, e.pipes, as)
		test(t, e)
	})
}

// patient lets a peer wait for longer than any timeout.
func (p *peer) patient() *peer {
	p.conn.SetDeadline(time.Now().Add(24 * time.Hour))
	return p
}

// TestStalledContent: a peer that falls silent inside a message hears 421 4.4.2 and is cut off after five minutes;
// whatever it sends then is neither content nor command. Look-alikes of the end of the data change nothing about that.
func TestStalledContent(t *testing.T) {
	stalls := []struct{ name, command, octets string }{
		{"DATA", "DATA\r\n", "Subject: x\r\n\r\n"},
		{"DATA before the first octet", "DATA\r\n", ""},
		{"DATA after a look-alike", "DATA\r\n", "x\n.\n" + smuggled},
		{"DATA before the last LF", "DATA\r\n", "x\r\n.\r"},
		{"DATA oversize", "DATA\r\n", filler(20_000)},
		{"BDAT", "", "BDAT 1000 LAST\r\n" + smuggled},
		{"BDAT oversize", "", "BDAT 100000\r\n" + filler(20_000)},
		{"BDAT refused", "RSET\r\n", "BDAT 1000\r\n" + smuggled},
	}
	small := func(c *inbound.Config) { c.MaxMessageSize = 10_000 }
	for _, way := range ways[:2] {
		for _, stall := range stalls {
			t.Run(way.name+" "+stall.name, func(t *testing.T) {
				virtually(t, small, func(t *testing.T, e *edge) {
					p := way.connect(t, e).patient()
					p.transaction()
					p.send(stall.command)
					switch stall.command {
					case "DATA\r\n":
						p.expect("354")
					case "RSET\r\n":
						p.expect("250")
					}
					p.send(stall.octets)
					began := time.Now()
					p.expect("421 4.4.2")
					if waited := time.Since(began); waited != 5*time.Minute {
						t.Errorf("cut off after %v", waited)
					}
					if _, err := io.WriteString(p.conn, "\r\n.\r\n"+smuggled+".\r\n"); err == nil {
						t.Error("the server still reads")
					}
					p.closed()
					if n := len(e.spool.all()); n != 0 {
						t.Errorf("%d messages were stored", n)
					}
				})
			})
		}
	}
}

// TestSlowIsNotStalled: the idle timeout is not a bound on the whole message.
func TestSlowIsNotStalled(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.Defence.MinDataRate = -1 }, func(t *testing.T, e *edge) {
		p := ways[0].connect(t, e).patient()
		p.begin()
		for range 10 {
			time.Sleep(5*time.Minute - time.Second)
			p.send("x\r\n")
		}
		p.send(".\r\n")
		p.expect("250 2.0.0 OK queued")
	})
}

// TestCommandTimeout: it is for a whole command, so that trickling does not prolong it.
func TestCommandTimeout(t *testing.T) {
	for _, begun := range []string{"", "NOO", "NOOP\r\nMA"} {
		virtually(t, nil, func(t *testing.T, e *edge) {
			p := e.dial(t).patient()
			began := time.Now()
			p.send(begun)
			if begun == "NOOP\r\nMA" {
				p.expect("250")
			}
			time.Sleep(2 * time.Minute)
			if begun != "" {
				p.send("I")
			}
			p.expect("421 4.4.2")
			if waited := time.Since(began); waited != 5*time.Minute {
				t.Errorf("cut off after %v", waited)
			}
			p.closed()
		})
	}
}

// TestSessionTimeout: a peer that always sends something in time is cut off at last, inside a message too.
func TestSessionTimeout(t *testing.T) {
	for _, content := range []bool{false, true} {
		virtually(t, func(c *inbound.Config) { c.Defence.MinDataRate = -1 }, func(t *testing.T, e *edge) {
			began := time.Now()
			p := ways[0].connect(t, e).patient()
			if content {
				p.begin()
			}
			for range 14 {
				time.Sleep(4 * time.Minute)
				if p.send("NOOP\r\n"); !content {
					p.expect("250")
				}
			}
			p.expect("421 4.4.2")
			if lasted := time.Since(began); lasted != time.Hour {
				t.Errorf("the session lasted %v", lasted)
			}
			p.closed()
			if n := len(e.spool.all()); n != 0 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// TestDeafPeer: a peer that does not read our replies is cut off.
func TestDeafPeer(t *testing.T) {
	virtually(t, nil, func(t *testing.T, e *edge) {
		p := e.dial(t).patient()
		began := time.Now()
		p.send("NOOP\r\n")
		_, err := io.WriteString(p.conn, "NOOP\r\n") // a pipe takes nothing while the server waits to write
		if err == nil || time.Since(began) != 5*time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestHandshakeTimeout: a peer that falls silent inside the TLS handshake is cut off.
func TestHandshakeTimeout(t *testing.T) {
	virtually(t, nil, func(t *testing.T, e *edge) {
		p := ways[0].connect(t, e).patient()
		p.do("STARTTLS", "220")
		began := time.Now()
		p.closed()
		if waited := time.Since(began); waited != 5*time.Minute {
			t.Errorf("cut off after %v", waited)
		}
	})
}

// TestEndOfInput: a connection that ends inside a message never makes one.
func TestEndOfInput(t *testing.T) {
	for _, way := range ways {
		e := serve(t, nil)
		for _, octets := range []string{"", "x", "x\r\n", "x\r\n.", "x\r\n.\r", "x\n.\n", "x\r\n.\n"} {
			p := way.connect(t, e)
			p.begin()
			p.send(octets)
			p.conn.Close()
		}
		for _, octets := range []string{"BDAT 5 LAST\r\n1234", "BDAT 5\r\n12345"} {
			p := way.connect(t, e)
			p.transaction()
			p.send(octets)
			p.conn.Close()
		}
		e.drain(t)
		if n := len(e.spool.all()); n != 0 {
			t.Errorf("%s: %d messages", way.name, n)
		}
	}
}
