package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// attackers open connections from many loopback addresses and do harm with them until their context ends.
type attackers struct {
	addr  string
	pace  <-chan time.Time // of new connections, below what the server takes from all
	group sync.WaitGroup

	idle, slow     atomic.Int64 // connections held now
	refused        atomic.Int64 // connections that were not greeted with 220
	cut            atomic.Int64 // slow ones that the server ended
	unknown        atomic.Int64 // answers 550: the attacker learnt something
	putOff         atomic.Int64 // answers 450: it did not
	ended, noPlace atomic.Int64 // answers 421 in a session, and in place of a greeting
	known          atomic.Int64 // answers 250 to a recipient
}

// attackSource is the n-th address that attacks come from; kind keeps those of different attacks apart.
func attackSource(kind, n int) net.IP { return net.IPv4(127, byte(kind), byte(n/250), byte(n%250+1)) }

// open connects from an address and reads the greeting; nil: it was refused.
func (a *attackers) open(ctx context.Context, source net.IP) (net.Conn, *bufio.Reader) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}, Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", a.addr)
	if err != nil {
		a.refused.Add(1)
		return nil, nil
	}
	r := bufio.NewReaderSize(conn, 512)
	if conn.SetDeadline(time.Now().Add(time.Hour)) != nil || !strings.HasPrefix(line(r), "220") {
		a.refused.Add(1)
		conn.Close()
		return nil, nil
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return conn, r
}

// line reads the last line of a reply; empty: there is none.
func line(r *bufio.Reader) string {
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return ""
		}
		if len(text) < 4 || text[3] != '-' {
			return text
		}
	}
}

// ask sends a command and reads the reply.
func ask(conn net.Conn, r *bufio.Reader, command string) string {
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return ""
	}
	return line(r)
}

// startIdle holds connections that say EHLO and nothing more, so many from each address, and one too many from each.
func (a *attackers) startIdle(ctx context.Context, total, perSource int) {
	for n := range (total + perSource - 1) / perSource {
		for range perSource + 1 {
			if !a.wait(ctx) {
				return
			}
			conn, r := a.open(ctx, attackSource(1, n))
			if conn == nil || !strings.HasPrefix(ask(conn, r, "EHLO idle.example"), "250") {
				continue
			}
			a.idle.Add(1)
			a.group.Go(func() {
				_ = line(r) // until somebody closes it
				a.idle.Add(-1)
			})
		}
	}
}

// startSlow holds connections that send the beginning of a message and then an octet a second.
func (a *attackers) startSlow(ctx context.Context, total, perSource, octets int, to string) {
	begin := strings.Repeat("x", 76) + "\r\n"
	for n := range total {
		if !a.wait(ctx) {
			return
		}
		a.group.Go(func() {
			conn, r := a.open(ctx, attackSource(2, n/perSource))
			if conn == nil {
				return
			}
			defer conn.Close()
			ask(conn, r, "EHLO slow.example")
			ask(conn, r, "MAIL FROM:<slow@attack.example>")
			ask(conn, r, "RCPT TO:<"+to+">")
			if !strings.HasPrefix(ask(conn, r, "DATA"), "354") {
				return
			}
			a.slow.Add(1)
			defer a.slow.Add(-1)
			if _, err := conn.Write([]byte(strings.Repeat(begin, octets/len(begin)))); err != nil {
				return
			}
			for sleepUntil(ctx, time.Now().Add(time.Second)) {
				if _, err := conn.Write([]byte("x")); err != nil {
					a.cut.Add(1)
					return
				}
			}
		})
	}
}

// startFlood asks for recipients that do not exist, over and over, at so many commands a second each.
func (a *attackers) startFlood(ctx context.Context, total, perSource int, pause time.Duration, domain string) {
	for n := range total {
		a.group.Go(func() {
			guess := 0
			for ctx.Err() == nil {
				conn, r := a.open(ctx, attackSource(3, n/perSource))
				if conn == nil {
					a.noPlace.Add(1)
				} else {
					a.harvest(ctx, conn, r, n, &guess, pause, domain)
				}
				sleepUntil(ctx, time.Now().Add(pause))
			}
		})
	}
}

// harvest is one session of guesses.
func (a *attackers) harvest(ctx context.Context, conn net.Conn, r *bufio.Reader, n int, guess *int, pause time.Duration, domain string) {
	defer conn.Close()
	ask(conn, r, "EHLO flood.example")
	ask(conn, r, "MAIL FROM:<>")
	for sleepUntil(ctx, time.Now().Add(pause)) {
		*guess++
		switch reply := ask(conn, r, fmt.Sprintf("RCPT TO:<guess-%d-%d@%s>", n, *guess, domain)); {
		case strings.HasPrefix(reply, "550"):
			a.unknown.Add(1)
		case strings.HasPrefix(reply, "450"):
			a.putOff.Add(1)
		case strings.HasPrefix(reply, "250"):
			a.known.Add(1)
		default: // 421, or gone
			a.ended.Add(1)
			return
		}
	}
}

// wait is for the next place in the pace of new connections.
func (a *attackers) wait(ctx context.Context) bool {
	select {
	case <-a.pace:
		return true
	case <-ctx.Done():
		return false
	}
}

// errAttack is what cannot be attacked.
var errAttack = errors.New("an attack is on a server that the bench has started itself")
