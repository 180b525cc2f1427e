package inbound_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// TestBudgets: each budget ends the connection, and TLS gives none of them back.
func TestBudgets(t *testing.T) {
	tests := []struct {
		name   string
		change func(*inbound.Config)
		send   string // sent three times
		reply  string // of the first three
		last   string
	}{
		{"errors", func(c *inbound.Config) { c.MaxErrors = 3 }, "BOGUS", "500 5.5.1", "421 4.7.0"},
		{"faulty MAIL", func(c *inbound.Config) { c.MaxErrors = 3 }, "MAIL FROM:<a>", "501 5.1.7", "421 4.7.0"},
		{"commands", func(c *inbound.Config) { c.MaxCommands = 7 }, "NOOP", "250", "421 4.7.0"}, // EHLO, STARTTLS, EHLO, MAIL
		{"recipients", func(c *inbound.Config) { c.MaxUnknownRecipients = 3 }, "RCPT TO:<nobody@in.example.com>", "550 5.1.1", "421 4.7.0"},
		{"recipients, temporary", func(c *inbound.Config) { c.MaxUnknownRecipients = 3 }, "RCPT TO:<later@in.example.com>", "451 4.7.1", "451 4.7.1"},
		{"no limit", func(c *inbound.Config) { c.MaxErrors = -1 }, "BOGUS", "500 5.5.1", "500 5.5.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := serve(t, test.change)
			p := ways[0].connect(t, e)
			p.startTLS()
			p.do("EHLO client.example", "250-")
			if strings.HasPrefix(test.send, "MAIL") {
				p.do("NOOP", "250")
			} else {
				p.do("MAIL FROM:<a@b>", "250")
			}
			for range 3 {
				p.do(test.send, test.reply)
			}
			p.do(test.send, test.last)
			if strings.HasPrefix(test.last, "421") {
				p.closed()
			}
		})
	}
}

// TestBudgetsSurviveTLS spends half of the errors in clear.
func TestBudgetsSurviveTLS(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.MaxErrors = 3 })
	p := ways[0].connect(t, e)
	p.do("BOGUS", "500")
	p.do("BOGUS", "500")
	p.startTLS()
	p.do("BOGUS", "500")
	p.do("BOGUS", "421 4.7.0")
	p.closed()
}

func TestMessageBudget(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.MaxMessages = 2; c.MaxCommands = 6 })
	p := ways[0].connect(t, e)
	for range 2 { // the budget of commands begins anew with each message
		p.begin()
		p.send("x\r\n.\r\n")
		p.expect("250 2.0.0 OK")
	}
	p.do("MAIL FROM:<a@b>", "421 4.7.0")
	p.closed()
}

func TestRecipientLimit(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.MaxRecipients = 3 })
	p := ways[0].connect(t, e)
	p.do("MAIL FROM:<a@b>", "250")
	for i := range 3 {
		p.do(fmt.Sprintf("RCPT TO:<r%d@in.example.com>", i), "250 2.1.5")
		p.do(fmt.Sprintf("RCPT TO:<r%d@IN.EXAMPLE.COM>", i), "250 2.1.5") // collapses
	}
	p.do("RCPT TO:<r3@in.example.com>", "452 4.5.3")
	p.do("RCPT TO:<r2@in.example.com>", "250 2.1.5")
	p.do("DATA", "354")
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0 OK queued as msg_1")
	if got, want := describe(e.spool.all()[0]), "a@b -> r0@in.example.com r1@in.example.com r2@in.example.com"; got != want {
		t.Errorf("envelope %q, want %q", got, want)
	}
}

func TestCommandLength(t *testing.T) {
	e := serve(t, nil)
	p := ways[0].connect(t, e)
	p.do("NOOP "+strings.Repeat("x", 4096-7), "250")
	p.do("NOOP "+strings.Repeat("x", 4096-6), "500 5.5.2")
	p.do("NOOP", "250")
	p.send("NOOP " + strings.Repeat("x", 100_000)) // no end in sight
	p.expect("500 5.5.2")
	p.closed()
}

// TestConnectionCaps: a connection too many is told so, and a place that gets free is used again.
func TestConnectionCaps(t *testing.T) {
	caps := map[string]func(*inbound.Config){
		"global": func(c *inbound.Config) { c.MaxConnections = 2 },
		"per IP": func(c *inbound.Config) { c.MaxConnectionsPerIP = 2 },
	}
	for name, change := range caps {
		t.Run(name, func(t *testing.T) {
			e := serve(t, change)
			first, second := e.dial(t), e.dial(t)
			third := e.connect(t)
			third.expect("421 4.7.0 Too many connections")
			third.closed()
			conn, err := net.Dial("tcp", e.addrTLS)
			if err != nil {
				t.Fatal(err)
			}
			newPeer(t, conn).closed() // nothing in clear on a listener with implicit TLS
			second.do("QUIT", "221")
			second.closed()
			e.dial(t)
			first.do("NOOP", "250")
		})
	}
}

// TestPanics: no panic of a callback leaves its connection, and none of its text reaches the peer.
func TestPanics(t *testing.T) {
	var log bytes.Buffer
	bad := func(c *inbound.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.DiskFull = func() bool { panic("secret in DiskFull") }
	}
	e := serve(t, bad)
	p := ways[0].connect(t, e)
	p.do("MAIL FROM:<a@b>", "421 4.3.0 Local trouble")
	p.closed()

	e = serve(t, func(c *inbound.Config) {
		c.Spool.(*spool).accept = func(context.Context, *inbound.Envelope, inbound.Body) error { panic("secret in Accept") }
	})
	p = ways[0].connect(t, e)
	p.do("MAIL FROM:<a@b>", "250")
	p.do("RCPT TO:<panic@in.example.com>", "421 4.3.0 Local trouble")
	p.closed()
	for _, content := range []string{"DATA\r\n", "BDAT 3 LAST\r\nabc"} {
		p = ways[0].connect(t, e)
		p.transaction()
		p.send(content)
		if content == "DATA\r\n" {
			p.expect("354")
			p.send("x\r\n.\r\nNOOP\r\n")
		}
		p.expect("421 4.3.0 Local trouble")
		p.closed()
	}
	e.dial(t).do("NOOP", "250")
	if !strings.Contains(log.String(), "secret in DiskFull") || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("the log does not name the panic: %s", log.String())
	}
}

// TestHostileTLS: a handshake that fails ends the connection, and no command in clear is run after it.
func TestHostileTLS(t *testing.T) {
	e := serve(t, nil)
	p := ways[0].connect(t, e)
	p.do("STARTTLS", "220")
	p.send("EHLO client.example\r\nMAIL FROM:<a@b>\r\n")
	if rest, _ := io.ReadAll(p.r); bytes.Contains(rest, []byte("250")) {
		t.Errorf("a command was run in clear: %q", rest)
	}
	conn, err := net.Dial("tcp", e.addrTLS)
	if err != nil {
		t.Fatal(err)
	}
	p = newPeer(t, conn)
	p.send("EHLO client.example\r\nMAIL FROM:<a@b>\r\n")
	if rest, _ := io.ReadAll(p.r); bytes.Contains(rest, []byte("220")) {
		t.Errorf("a greeting in clear: %q", rest)
	}
}

// TestStartTLSForgets: nothing said in clear is valid under TLS (RFC 3207 section 4.2).
func TestStartTLSForgets(t *testing.T) {
	e := serve(t, nil)
	p := ways[0].connect(t, e)
	p.transaction()
	p.startTLS()
	p.do("RCPT TO:<bob@in.example.com>", "503 5.5.1 Say MAIL first")
	p.do("DATA", "503 5.5.1")

	p = ways[0].connect(t, e)
	p.transaction()
	p.send("BDAT 5\r\nclear")
	p.expect("250")
	p.startTLS()
	p.do("MAIL FROM:<a@b>", "503 5.5.1")
	p.do("RCPT TO:<bob@in.example.com>", "503 5.5.1")
	if reply := p.do("EHLO inside.example", "250-"); strings.Contains(reply, "STARTTLS") {
		t.Errorf("STARTTLS is offered inside TLS: %s", reply)
	}
	p.do("STARTTLS", "503 5.5.1")
	p.do("RCPT TO:<bob@in.example.com>", "503 5.5.1")
	p.begin()
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0 OK")
	mail := e.spool.all()[0]
	if mail.body != "x\r\n" || mail.env.Helo != "inside.example" {
		t.Errorf("stored %q from %q", mail.body, mail.env.Helo)
	}
	if mail.env.TLS == nil || mail.env.TLS.Version != "TLS 1.3" || mail.env.TLS.ServerName != "mx.example.com" {
		t.Errorf("TLS %+v", mail.env.TLS)
	}
}

// TestSmallChunks: chunks with next to nothing in them are commands.
func TestSmallChunks(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.MaxCommands = 10 })
	p := ways[0].connect(t, e)
	p.transaction() // three commands with EHLO
	large := strings.Repeat("x", 510) + "\r\n"
	for range 20 {
		p.send("BDAT 512\r\n" + large)
		p.expect("250 2.0.0 512")
	}
	for range 7 {
		p.do("BDAT 0", "250 2.0.0 0")
	}
	p.do("BDAT 0", "421 4.7.0")
	p.closed()
}

// TestNoTLS: without a certificate STARTTLS is neither offered nor run.
func TestNoTLS(t *testing.T) {
	sp := newSpool()
	server, err := inbound.NewServer(inbound.Config{Hostname: "mx.example.com", Recipients: decide, Spool: sp})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []inbound.TLSMode{inbound.TLSStartTLS, inbound.TLSImplicit} {
		if err := server.Serve(context.Background(), l, inbound.Listener{Name: "mx", TLS: mode}); err == nil {
			t.Errorf("TLS mode %v without a certificate was served", mode)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx, l, inbound.Listener{Name: "mx"}) }()
	e := &edge{Server: server, spool: sp, addr: l.Addr().String()}
	p := e.dial(t)
	if reply := p.do("EHLO client.example", "250-"); strings.Contains(reply, "STARTTLS") {
		t.Errorf("offered: %s", reply)
	}
	p.do("STARTTLS", "502 5.5.1")
	cancel() // ends Serve, not the connection
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	p.do("QUIT", "221")
	p.closed()
	e.drain(t)
	if err := server.Serve(context.Background(), l, inbound.Listener{Name: "mx"}); err != inbound.ErrServerClosed {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// TestListenerWithoutTLS: a certificate for other listeners changes nothing for one that is to speak no TLS.
func TestListenerWithoutTLS(t *testing.T) {
	e := newEdge(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.listen(t, l, inbound.Listener{Name: "inside"})
	e.addr = l.Addr().String()
	p := e.dial(t)
	if reply := p.do("EHLO client.example", "250-"); strings.Contains(reply, "STARTTLS") {
		t.Errorf("offered: %s", reply)
	}
	p.do("STARTTLS", "502 5.5.1")
	p.begin()
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0 OK")
}

func TestConfigFaults(t *testing.T) {
	_, err := inbound.NewServer(inbound.Config{Hostname: "mx_example", MaxMessageSize: -1})
	for _, want := range []string{"hostname", "Recipients", "Spool", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the fault %q is not reported: %v", want, err)
		}
	}
}
