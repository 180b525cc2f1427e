package inbound_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
)

// plain is the command that logs in by PLAIN.
func plain(user, password string) string {
	return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
}

// submit connects from an address as far as AUTH may be said.
func (e *edge) submit(t *testing.T, from string) *peer {
	t.Helper()
	p := newPeer(t, e.pipes.dialFrom(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 4096)))).patient()
	p.expect("220")
	p.do("EHLO client.example", "250-")
	p.startTLS()
	p.do("EHLO client.example", "250-")
	return p
}

// TestLoginBudget: failures count for the source, over all its connections, are forgiven one a minute, and leave other sources
// alone. A right password costs nothing, and is not looked at beyond the budget.
func TestLoginBudget(t *testing.T) {
	var asked atomic.Int64
	virtuallyAs(t, inbound.Listener{Name: "submission", Kind: inbound.Submission, TLS: inbound.TLSStartTLS}, func(c *inbound.Config) {
		c.MaxAuthFailures = 3
		c.Authenticate = func(ctx context.Context, user, password string) (bool, error) {
			asked.Add(1)
			return authenticate(ctx, user, password)
		}
	}, func(t *testing.T, e *edge) {
		for range 20 {
			e.submit(t, "192.0.2.1").do(plain("printer", "s3cret"), "235")
		}
		for range 3 {
			e.submit(t, "192.0.2.1").do(plain("printer", "guess"), "535 5.7.8")
		}
		before := asked.Load()
		p := e.submit(t, "192.0.2.1")
		p.do(plain("printer", "s3cret"), "421 4.7.0")
		p.closed()
		if n := asked.Load(); n != before {
			t.Errorf("the password was looked at beyond the budget")
		}
		e.submit(t, "192.0.2.2").do(plain("printer", "s3cret"), "235")

		time.Sleep(time.Minute - time.Second)
		e.submit(t, "192.0.2.1").do(plain("printer", "s3cret"), "421 4.7.0")
		time.Sleep(2 * time.Second)
		e.submit(t, "192.0.2.1").do(plain("printer", "guess"), "535 5.7.8")
		e.submit(t, "192.0.2.1").do(plain("printer", "s3cret"), "421 4.7.0")

		for host := range 2 { // one network with many addresses has half of what its site has
			e.submit(t, fmt.Sprintf("2001:db8:1:2::%d", host)).do(plain("printer", "guess"), "535 5.7.8")
		}
		e.submit(t, "2001:db8:1:2:ffff::1").do(plain("printer", "s3cret"), "421 4.7.0")
		e.submit(t, "2001:db8:1:3::1").do(plain("printer", "s3cret"), "235")
		e.submit(t, "2001:db8:1:3::1").do(plain("printer", "guess"), "535 5.7.8")
		e.submit(t, "2001:db8:1:4::1").do(plain("printer", "s3cret"), "421 4.7.0")
		e.submit(t, "2001:db8:2:4::1").do(plain("printer", "s3cret"), "235")
	})
}

// TestUserLoginBudget: failures count for the user too, from all sources together, whether it exists or not. Beyond the budget a right
// password from elsewhere is not looked at, and where the user has logged in before, nothing changes.
func TestUserLoginBudget(t *testing.T) {
	var asked atomic.Int64
	virtuallyAs(t, inbound.Listener{Name: "submission", Kind: inbound.Submission, TLS: inbound.TLSStartTLS}, func(c *inbound.Config) {
		c.Defence.UserLoginRate = guard.Rate{Count: 5, Per: 5 * time.Hour}
		c.Authenticate = func(ctx context.Context, user, password string) (bool, error) {
			asked.Add(1)
			return authenticate(ctx, user, password)
		}
	}, func(t *testing.T, e *edge) {
		const home = "198.51.100.1"
		e.submit(t, home).do(plain("printer", "s3cret"), "235")
		for range 4 { // a device with an old password is nobody who guesses
			e.submit(t, home).do(plain("printer", "old"), "535 5.7.8")
		}
		for _, user := range []string{"printer", "nobody"} {
			for host := range 5 {
				e.submit(t, fmt.Sprintf("192.0.2.%d", host)).do(plain(user, "guess"), "535 5.7.8")
			}
			before := asked.Load()
			p := e.submit(t, "203.0.113.1")
			p.do(plain(user, "s3cret"), "454 4.7.0")
			p.do("NOOP", "250")
			if n := asked.Load(); n != before {
				t.Errorf("a password of %s was looked at beyond the budget", user)
			}
		}
		e.submit(t, home).do(plain("printer", "old"), "535 5.7.8")
		e.submit(t, home).do(plain("printer", "s3cret"), "235")
		time.Sleep(time.Hour)
		e.submit(t, "203.0.113.2").do(plain("printer", "s3cret"), "235")
		e.submit(t, "203.0.113.2").do(plain("printer", "s3cret"), "235")
	})
}

// TestUserLoginTrouble: a password that could not be looked at counts as no failure.
func TestUserLoginTrouble(t *testing.T) {
	trouble := errors.New("trouble")
	virtuallyAs(t, inbound.Listener{Name: "submission", Kind: inbound.Submission, TLS: inbound.TLSStartTLS}, func(c *inbound.Config) {
		c.Defence.UserLoginRate = guard.Rate{Count: 1, Per: time.Hour}
		c.Authenticate = func(ctx context.Context, user, password string) (bool, error) {
			if password == "trouble" {
				return false, trouble
			}
			return authenticate(ctx, user, password)
		}
	}, func(t *testing.T, e *edge) {
		for range 3 {
			e.submit(t, "192.0.2.1").do(plain("printer", "trouble"), "454 4.7.0 Local trouble")
		}
		e.submit(t, "192.0.2.1").do(plain("printer", "s3cret"), "235")
	})
}

// TestLoginsAtOnce: many connections that try at the same time get no more tries together than one after the other.
func TestLoginsAtOnce(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int64
	e := serve(t, func(c *inbound.Config) {
		c.MaxAuthFailures = 3
		c.Authenticate = func(context.Context, string, string) (bool, error) {
			asked.Add(1)
			<-release
			return false, nil
		}
	})
	replies := make(chan string, 10)
	for range 10 {
		p := e.connectTo(t, "submissions")
		p.expect("220")
		p.do("EHLO client.example", "250-")
		go func() {
			p.send(plain("printer", "guess") + "\r\n")
			line, err := p.r.ReadString('\n')
			if err != nil {
				line = err.Error()
			}
			replies <- line
		}()
	}
	refused := 0
	for range 7 { // these do not wait for the three that are being looked at
		if line := <-replies; strings.HasPrefix(line, "421 4.7.0") {
			refused++
		}
	}
	close(release)
	for range 3 {
		if line := <-replies; !strings.HasPrefix(line, "535 5.7.8") {
			t.Errorf("reply %q", line)
		}
	}
	if refused != 7 || asked.Load() != 3 {
		t.Errorf("%d refused, %d looked at", refused, asked.Load())
	}
}

// TestLoginTimeout: a check of a password that does not end is trouble of ours.
func TestLoginTimeout(t *testing.T) {
	virtuallyAs(t, inbound.Listener{Name: "submission", Kind: inbound.Submission, TLS: inbound.TLSStartTLS}, func(c *inbound.Config) {
		c.Authenticate = func(ctx context.Context, _, _ string) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}
	}, func(t *testing.T, e *edge) {
		e.submit(t, "192.0.2.1").do(plain("printer", "s3cret"), "454 4.7.0 Local trouble")
	})
}

// TestSilentLogin: a peer that never answers a challenge is cut off like any other.
func TestSilentLogin(t *testing.T) {
	virtuallyAs(t, inbound.Listener{Name: "submission", Kind: inbound.Submission, TLS: inbound.TLSStartTLS}, nil, func(t *testing.T, e *edge) {
		p := e.submit(t, "192.0.2.1")
		p.do("AUTH LOGIN", "334 VXNlcm5hbWU6")
		began := time.Now()
		p.expect("421 4.4.2")
		if waited := time.Since(began); waited != 5*time.Minute {
			t.Errorf("cut off after %v", waited)
		}
		p = e.submit(t, "192.0.2.1")
		p.do("AUTH LOGIN", "334 VXNlcm5hbWU6")
		synctest.Wait()
		go e.Shutdown(context.Background())
		p.expect("421 4.3.2")
	})
}

// TestListenerFaults: what a listener lacks is said before it takes a connection.
func TestListenerFaults(t *testing.T) {
	server, err := inbound.NewServer(inbound.Config{Hostname: "mx.example.com", Recipients: decide, Spool: newSpool()})
	if err != nil {
		t.Fatal(err)
	}
	for want, as := range map[string]inbound.Listener{
		"listener a: submission needs TLS": {Name: "a", Kind: inbound.Submission},
		"listener b: it is to speak TLS":   {Name: "b", Kind: inbound.LMTP, TLS: inbound.TLSStartTLS},
		"listener c: unknown kind":         {Name: "c", Kind: 7},
	} {
		if err := server.Serve(context.Background(), nil, as); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", as, err, want)
		}
	}
	e := newEdge(t, func(c *inbound.Config) { c.Authenticate = nil })
	err = e.Serve(context.Background(), nil, inbound.Listener{Name: "d", Kind: inbound.Submission, TLS: inbound.TLSStartTLS})
	if err == nil || !strings.Contains(err.Error(), "needs Authenticate") {
		t.Errorf("without Authenticate: %v", err)
	}
}
