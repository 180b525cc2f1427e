package inbound_test

import (
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// TestStalledContent: a peer that falls silent inside a message hears 421 4.4.2 and is cut off; whatever it sends then is
// neither content nor command. Look-alikes of the end of the data change nothing about that.
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
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			e := serve(t, func(c *inbound.Config) {
				c.DataIdleTimeout = 20 * time.Millisecond
				c.MaxMessageSize = 10_000
			})
			for _, stall := range stalls {
				p := way.connect(t, e)
				p.transaction()
				p.send(stall.command)
				switch stall.command {
				case "DATA\r\n":
					p.expect("354")
				case "RSET\r\n":
					p.expect("250")
				}
				p.send(stall.octets)
				if reply := p.reply(); reply[:9] != "421 4.4.2" {
					t.Errorf("%s: reply %q", stall.name, reply)
				}
				p.closed()
			}
			if n := len(e.spool.all()); n != 0 {
				t.Errorf("%d messages were stored", n)
			}
		})
	}
}

// TestSlowIsNotStalled: the idle timeout is not a bound on the whole message.
func TestSlowIsNotStalled(t *testing.T) {
	const idle = 200 * time.Millisecond
	e := serve(t, func(c *inbound.Config) { c.DataIdleTimeout = idle })
	p := ways[0].connect(t, e)
	p.begin()
	tick := time.NewTicker(idle / 20)
	defer tick.Stop()
	for range 40 { // twice the timeout in all
		<-tick.C
		p.send("x\r\n")
	}
	p.send(".\r\n")
	p.expect("250 2.0.0 OK queued")
}

func TestCommandTimeout(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.CommandTimeout = 20 * time.Millisecond })
	for _, begun := range []string{"", "NOO", "NOOP\r\nMA"} {
		p := e.dial(t)
		p.send(begun)
		if begun == "NOOP\r\nMA" {
			p.expect("250")
		}
		p.expect("421 4.4.2")
		p.closed()
	}
}

// TestSessionTimeout: a peer that always sends something in time is cut off at last, inside a message too.
func TestSessionTimeout(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.SessionTimeout = 100 * time.Millisecond })
	for _, data := range []bool{false, true} {
		p := ways[0].connect(t, e)
		if data {
			p.begin()
		}
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for {
				if _, err := p.conn.Write([]byte("N")); err != nil {
					return
				}
			}
		}()
		for {
			line, err := p.r.ReadString('\n')
			if err != nil {
				break // a reset may eat the reply of a peer that does not stop sending
			}
			if code := line[:9]; code != "421 4.4.2" && code != "500 5.5.2" {
				t.Errorf("reply %q", line)
			}
		}
		p.conn.Close()
		<-stop
	}
	if n := len(e.spool.all()); n != 0 {
		t.Errorf("%d messages", n)
	}
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
		p := way.connect(t, e)
		p.do("QUIT", "221")
		e.drain(t)
		if n := len(e.spool.all()); n != 0 {
			t.Errorf("%s: %d messages", way.name, n)
		}
	}
}
