package inbound_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
)

// arrive connects from an address, and reads nothing.
func (e *edge) arrive(t *testing.T, from string) *peer {
	t.Helper()
	return newPeer(t, e.pipes.dialFrom(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 4096)))).patient()
}

// meet connects from an address and says EHLO and MAIL.
func (e *edge) meet(t *testing.T, from string) *peer {
	t.Helper()
	p := e.arrive(t, from)
	p.expect("220")
	p.do("EHLO client.example", "250-")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	return p
}

func (p *peer) quit() {
	p.t.Helper()
	p.do("QUIT", "221")
	p.closed()
}

// mail sends a message as far as it gets and gives the last reply.
func (p *peer) mail(to string) string {
	p.t.Helper()
	p.send("RCPT TO:<" + to + ">\r\n")
	if reply := p.reply(); !strings.HasPrefix(reply, "250") {
		return reply
	}
	p.do("DATA", "354")
	p.send("Subject: x\r\n\r\nx\r\n.\r\n")
	return p.reply()
}

const (
	known   = "bob@in.example.com"
	unknown = "RCPT TO:<nobody@in.example.com>"
)

// TestConnectRate: reconnecting gives no budget back, and neither does a /48 full of networks.
func TestConnectRate(t *testing.T) {
	virtually(t, func(c *inbound.Config) {
		c.Defence.ConnectRate = guard.Rate{Count: 4, Per: time.Minute}
		c.Defence.Exempt = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	}, func(t *testing.T, e *edge) {
		pass := func(from string) { t.Helper(); e.meet(t, from).quit() }
		refused := func(from string) {
			t.Helper()
			p := e.arrive(t, from)
			p.expect("421 4.7.0 Too many connections in a short time from your network")
			p.closed()
		}
		for range 4 {
			pass("192.0.2.1")
		}
		refused("192.0.2.1")
		pass("192.0.2.2")
		time.Sleep(15 * time.Second)
		pass("192.0.2.1")
		refused("192.0.2.1")

		for range 2 {
			pass("2001:db8:1:1::1")
		}
		refused("2001:db8:1:1:ffff::2") // half for one /64
		pass("2001:db8:1:2::1")
		pass("2001:db8:1:3::1")
		refused("2001:db8:1:4::1") // and all for the /48
		pass("2001:db8:2:4::1")
		for range 20 {
			pass("198.51.100.7")
		}
	})
}

// TestConnectRateTotal: the shared budget fills up again.
func TestConnectRateTotal(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.Defence.ConnectRateTotal = guard.Rate{Count: 3, Per: time.Second} }, func(t *testing.T, e *edge) {
		for host := range 3 {
			e.meet(t, fmt.Sprintf("192.0.2.%d", host)).quit()
		}
		e.arrive(t, "192.0.2.9").expect("421 4.7.0 Too many connections in a short time, please")
		time.Sleep(time.Second)
		e.meet(t, "192.0.2.9").quit()
	})
}

// TestHarvest: who asks for many recipients that do not exist hears ever later, over all connections and TLS, and then
// learns nothing; who asks for few hears the truth at once, and others are left alone.
func TestHarvest(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.Defence.UnknownRate = guard.Rate{Count: 8, Per: 8 * time.Minute} }, func(t *testing.T, e *edge) {
		asked := func(p *peer, want time.Duration) {
			t.Helper()
			began := time.Now()
			p.do(unknown, "550 5.1.1")
			if took := time.Since(began).Round(100 * time.Millisecond); took != want {
				t.Errorf("the answer took %v, want %v", took, want)
			}
		}
		p := e.meet(t, "192.0.2.1")
		for range 4 {
			asked(p, 0)
		}
		p.quit()
		p = e.meet(t, "192.0.2.1")
		p.startTLS()
		p.do("EHLO client.example", "250-")
		p.do("MAIL FROM:<>", "250")
		for i := range 4 { // a little is forgiven while the answer is held back
			began := time.Now()
			p.do(unknown, "550 5.1.1")
			if took, least := time.Since(began), time.Duration(2*i+2)*time.Second; took < least {
				t.Errorf("answer %d took %v, want at least %v", i, took, least)
			}
		}
		p.do(unknown, "450 4.7.1 Too many unknown recipients")
		p.do("RCPT TO:<"+known+">", "450 4.7.1 Too many unknown recipients")
		p.do("RCPT TO:<postmaster@in.example.com>", "250")
		p.do("RCPT TO:<abuse@in.example.com>", "250")
		other := e.meet(t, "192.0.2.2")
		asked(other, 0)
		other.do("RCPT TO:<"+known+">", "250")
		time.Sleep(2 * time.Minute)
		p.do("RCPT TO:<"+known+">", "250")
	})
}

// TestHonestRelay: one who delivers much may be wrong now and then, for ever.
func TestHonestRelay(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.Defence.UnknownRate = guard.Rate{Count: 4, Per: time.Hour} }, func(t *testing.T, e *edge) {
		began := time.Now()
		for range 40 {
			p := e.meet(t, "192.0.2.1")
			p.do(unknown, "550 5.1.1")
			if reply := p.mail(known); !strings.HasPrefix(reply, "250") {
				t.Fatalf("refused: %s", reply)
			}
			p.quit()
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("held back for %v", took)
		}
	})
}

// TestErrorRate: faults count over all connections of a source.
func TestErrorRate(t *testing.T) {
	virtually(t, func(c *inbound.Config) { c.Defence.ErrorRate = guard.Rate{Count: 5, Per: time.Hour} }, func(t *testing.T, e *edge) {
		for range 5 {
			p := e.meet(t, "192.0.2.1")
			p.do("BOGUS", "500")
			p.quit()
		}
		p := e.meet(t, "192.0.2.1") // who makes no mistake is served
		p.do("BOGUS", "421 4.7.0 Too many errors")
		p.closed()
		e.meet(t, "192.0.2.2").do("BOGUS", "500")
	})
}

// TestMinDataRate: a message that trickles is cut off, by DATA and by chunks, and one that comes at the rate is not, nor is
// one that we are slow to read.
func TestMinDataRate(t *testing.T) {
	tricklers := map[string]func(p *peer) string{
		"DATA":  func(*peer) string { return "x" },
		"BDAT":  func(*peer) string { return "BDAT 1\r\nx" },
		"chunk": func(*peer) string { return "xx" },
	}
	for name, piece := range tricklers {
		t.Run(name, func(t *testing.T) {
			virtually(t, nil, func(t *testing.T, e *edge) {
				p := e.meet(t, "192.0.2.1")
				p.do("RCPT TO:<"+known+">", "250")
				switch name {
				case "DATA":
					p.do("DATA", "354")
				case "chunk":
					p.send("BDAT 1000000\r\n")
				}
				began := time.Now()
				for time.Since(began) < 5*time.Minute {
					p.send(piece(p))
					if name == "BDAT" {
						p.expect("250")
					}
					time.Sleep(10 * time.Second)
				}
				p.expect("421 4.4.2")
				if lasted := time.Since(began); lasted > 5*time.Minute+time.Second {
					t.Errorf("cut off after %v", lasted)
				}
				p.closed()
			})
		})
	}
	t.Run("at the rate", func(t *testing.T) {
		virtually(t, nil, func(t *testing.T, e *edge) {
			p := e.meet(t, "192.0.2.1")
			p.do("RCPT TO:<"+known+">", "250")
			p.do("DATA", "354")
			line := strings.Repeat("x", 510) + "\r\n"
			for range 120 { // 20 minutes
				p.send(strings.Repeat(line, 20))
				time.Sleep(10 * time.Second)
			}
			p.send(".\r\n")
			p.expect("250")
		})
	})
}

// TestFairShares: one source that fills what is there for all leaves room for the next one.
func TestFairShares(t *testing.T) {
	virtually(t, func(c *inbound.Config) {
		c.MemoryTotal, c.MemoryPerMessage, c.Defence.TempTotal = 40_000, 20_000, 1_000_000
	}, func(t *testing.T, e *edge) {
		greedy := make([]*peer, 0, 10)
		content := filler(200_000)
		refusals := 0
		for range 5 {
			p := e.meet(t, "192.0.2.1")
			p.do("RCPT TO:<"+known+">", "250")
			p.send(fmt.Sprintf("BDAT %d\r\n%s", len(content), content))
			if reply := p.reply(); strings.HasPrefix(reply, "452 4.3.1") {
				refusals++
			} else if !strings.HasPrefix(reply, "250") {
				t.Fatalf("reply %s", reply)
			}
			greedy = append(greedy, p)
		}
		if refusals != 3 { // it holds two messages of the four that there is room for
			t.Errorf("%d of 5 were refused", refusals)
		}
		p := e.meet(t, "192.0.2.2")
		p.do("RCPT TO:<"+known+">", "250")
		p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(content), content))
		p.expect("250 2.0.0 OK queued")
		greedy[0].do("RSET", "250")
		if reply := e.meet(t, "192.0.2.1").mail(known); !strings.HasPrefix(reply, "250") {
			t.Errorf("what was given back cannot be used: %s", reply)
		}
	})
}

// TestReputationAtRecipient: what a list says is told at RCPT, and postmaster and abuse are open to all.
func TestReputationAtRecipient(t *testing.T) {
	asked, greylisted := 0, 0
	virtually(t, func(c *inbound.Config) {
		c.Recipients = func(p inbound.Path) inbound.Decision {
			d := decide(p)
			d.Greylist = p.LocalPart == "grey"
			return d
		}
		c.Defence.Greylist = func(env *inbound.Envelope) bool {
			greylisted++
			return env.Recipients[0].Path.LocalPart == "grey" && env.ReversePath.LocalPart == "ann"
		}
		c.Defence.Reputation = func(_ context.Context, client netip.Addr) *inbound.Reputation {
			asked++
			r := &inbound.Reputation{Listings: []inbound.Listing{{List: "bad.example", Kind: "block", Code: "127.0.0.2"}}}
			switch client.String() {
			case "192.0.2.1":
				r.Refuse = &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: "Listed by bad.example"}
			case "192.0.2.2":
				r.Allowed = true
			case "192.0.2.3":
				return nil
			}
			return r
		}
	}, func(t *testing.T, e *edge) {
		p := e.meet(t, "192.0.2.1")
		p.do(unknown, "550 5.1.1") // not worth a question
		if asked != 0 {
			t.Error("asked about a client without a recipient")
		}
		p.do("RCPT TO:<"+known+">", "550 5.7.1 Listed by bad.example")
		p.do("RCPT TO:<postmaster@in.example.com>", "250")
		p.do("RCPT TO:<Abuse@in.example.com>", "250")
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		p = e.meet(t, "192.0.2.2")
		if reply := p.mail("grey@in.example.com"); !strings.HasPrefix(reply, "250") || greylisted != 0 {
			t.Errorf("an allowed client was greylisted: %s", reply)
		}
		p = e.meet(t, "192.0.2.3")
		p.do("RCPT TO:<grey@in.example.com>", "451 4.7.1 Greylisted")
		if reply := p.mail(known); !strings.HasPrefix(reply, "250") || greylisted != 1 {
			t.Errorf("%s, greylisting was asked %d times", reply, greylisted)
		}
	})
}

// TestLevers: each lever works on the next command or connection, is lifted again, and a block ends by itself.
func TestLevers(t *testing.T) {
	virtually(t, nil, func(t *testing.T, e *edge) {
		pull := func(c guard.Change) {
			t.Helper()
			if _, err := e.Pull(c); err != nil {
				t.Fatal(err)
			}
		}
		on, off := new(bool), new(bool)
		*on = true

		idle, busy := e.arrive(t, "192.0.2.1"), e.meet(t, "192.0.2.1")
		idle.expect("220")
		synctest.Wait()
		pull(guard.Change{Drain: on})
		idle.expect("421 4.3.2 Taking no mail")
		idle.closed()
		if reply := busy.mail(known); !strings.HasPrefix(reply, "250") {
			t.Errorf("a transaction under way was cut: %s", reply)
		}
		busy.expect("421 4.3.2")
		e.arrive(t, "192.0.2.2").expect("421 4.3.2")
		pull(guard.Change{Drain: off})
		e.meet(t, "192.0.2.2").quit()

		pull(guard.Change{Defer: on})
		p := e.arrive(t, "192.0.2.3")
		p.expect("220")
		p.do("EHLO client.example", "250-")
		p.do("MAIL FROM:<a@b>", "451 4.3.2")
		pull(guard.Change{Defer: off})
		p.do("MAIL FROM:<a@b>", "250")

		network := netip.MustParsePrefix("192.0.2.0/30")
		pull(guard.Change{Block: &guard.Block{Network: network, Until: time.Now().Add(time.Hour)}})
		e.arrive(t, "192.0.2.1").expect("421 4.7.1 Your network is blocked")
		e.meet(t, "192.0.2.9").quit()
		time.Sleep(time.Hour)
		e.meet(t, "192.0.2.1").quit()

		pull(guard.Change{Block: &guard.Block{Sender: "@Sender.example"}})
		pull(guard.Change{Block: &guard.Block{Sender: "eve@other.example"}})
		p = e.arrive(t, "192.0.2.1")
		p.expect("220")
		p.do("EHLO client.example", "250-")
		p.do("MAIL FROM:<ann@SENDER.example>", "550 5.7.1 This sender is blocked")
		p.do("MAIL FROM:<Eve@other.example>", "550 5.7.1")
		p.do("MAIL FROM:<bob@other.example>", "250")
		pull(guard.Change{Unblock: &guard.Block{Sender: "sender.example"}})
		p.do("RSET", "250")
		p.do("MAIL FROM:<ann@sender.example>", "250")
		if blocks := e.Levers().Blocks; len(blocks) != 1 {
			t.Errorf("blocks %+v", blocks)
		}
	})
}
