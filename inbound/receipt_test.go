package inbound_test

import (
	"context"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// TestAcknowledged: the peer's next command proves that it read our 250, whatever the command is.
func TestAcknowledged(t *testing.T) {
	for _, way := range ways {
		for _, next := range []string{"RSET", "QUIT", "MAIL FROM:<a@b>", "NOOP", "EHLO again.example", "nonsense"} {
			e := serve(t, nil)
			p := way.connect(t, e)
			p.begin()
			p.send("x\r\n.\r\n")
			p.expect("250 2.0.0 OK queued as msg_1")
			if acked := e.spool.acknowledged(); len(acked) != 0 {
				t.Errorf("%s: acknowledged before the next command: %v", way.name, acked)
			}
			p.send(next + "\r\n")
			p.reply()
			if id := <-e.spool.acks; id != "msg_1" {
				t.Errorf("%s %s: acknowledged %s", way.name, next, id)
			}
		}
	}
}

// TestNotAcknowledged: neither the end of the connection nor half a command is a proof, nor is a command that was
// sent before our 250 was: a peer may pipeline behind the content (RFC 2920 section 3.1).
func TestNotAcknowledged(t *testing.T) {
	for name, behind := range map[string]string{
		"end": "", "half a command": "QUI", "pipelined QUIT": "QUIT\r\n", "pipelined group": "RSET\r\nNOOP\r\n",
	} {
		e := serve(t, nil)
		p := ways[0].connect(t, e)
		p.begin()
		p.send("x\r\n.\r\n" + behind)
		p.expect("250 2.0.0 OK queued as msg_1")
		p.conn.Close()
		e.drain(t)
		if acked := e.spool.acknowledged(); len(acked) != 0 {
			t.Errorf("%s: acknowledged %v", name, acked)
		}
	}
}

// TestNotAcknowledgedByEarlyCommand: a command that arrives while the message is being made durable was sent without
// knowing the outcome.
func TestNotAcknowledgedByEarlyCommand(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what waits in a socket")
	}
	const early = 200 // more octets than one read takes
	var p *peer
	e := serve(t, func(c *inbound.Config) {
		c.Spool.(*spool).accept = func(context.Context, *inbound.Envelope, inbound.Body) error {
			p.send(strings.Repeat("NOOP\r\n", early)) // on loopback it has arrived when send returns
			return nil
		}
	})
	p = ways[0].connect(t, e)
	p.begin()
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0 OK queued as msg_1")
	for range early {
		p.expect("250 2.0.0")
	}
	if acked := e.spool.acknowledged(); len(acked) != 0 {
		t.Errorf("acknowledged %v", acked)
	}
	p.do("NOOP", "250") // this one was sent behind the replies
	if id := <-e.spool.acks; id != "msg_1" {
		t.Errorf("acknowledged %s", id)
	}
}

// segment is a connection whose writes can be gathered into one.
type segment struct {
	net.Conn
	gathering bool
	octets    []byte
}

func (s *segment) Write(p []byte) (int, error) {
	if !s.gathering {
		return s.Conn.Write(p)
	}
	s.octets = append(s.octets, p...)
	return len(p), nil
}

// TestNotAcknowledgedByEarlyRecord: the same for a TLS record that came in one segment with the end of the content.
func TestNotAcknowledgedByEarlyRecord(t *testing.T) {
	e := serve(t, nil)
	p := e.dial(t)
	p.do("EHLO client.example", "250-mx.example.com")
	under := &segment{Conn: p.conn}
	p.conn = under
	p.startTLS()
	p.do("EHLO client.example", "250-mx.example.com")
	p.begin()
	under.gathering = true
	p.send("x\r\n.\r\n")
	p.send("NOOP\r\n")
	under.gathering = false
	if _, err := under.Write(under.octets); err != nil {
		t.Fatal(err)
	}
	p.expect("250 2.0.0 OK queued as msg_1")
	p.expect("250 2.0.0")
	if acked := e.spool.acknowledged(); len(acked) != 0 {
		t.Errorf("acknowledged %v", acked)
	}
	p.do("NOOP", "250")
	if id := <-e.spool.acks; id != "msg_1" {
		t.Errorf("acknowledged %s", id)
	}
}

// TestAcknowledgedByContent: after a pipelined MAIL RCPT DATA it is the content that proves it, for the peer sends
// that in answer to the 354 behind the 250.
func TestAcknowledgedByContent(t *testing.T) {
	e := serve(t, nil)
	p := ways[0].connect(t, e)
	p.begin()
	const next = "MAIL FROM:<a@b>\r\nRCPT TO:<bob@in.example.com>\r\nDATA\r\n"
	p.send("one\r\n.\r\n" + next)
	for _, reply := range []string{"250 2.0.0 OK", "250 2.1.0", "250 2.1.5", "354"} {
		p.expect(reply)
	}
	if acked := e.spool.acknowledged(); len(acked) != 0 {
		t.Errorf("acknowledged by what was sent before: %v", acked)
	}
	p.send("two\r\n.\r\n")
	p.expect("250 2.0.0 OK queued as msg_2")
	if id := <-e.spool.acks; id != "msg_1" {
		t.Errorf("acknowledged %s", id)
	}
	p.do("QUIT", "221")
	if id := <-e.spool.acks; id != "msg_2" {
		t.Errorf("acknowledged %s", id)
	}
}

// TestTwinsInOnePipeline: two identical mails that come by BDAT in one write are two messages. A third one, sent by
// another connection before the peer has shown that it knows, is a resend.
func TestTwinsInOnePipeline(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.Spool.(*spool).resends = true })
	p := ways[0].connect(t, e)
	const twin = "MAIL FROM:<a@b>\r\nRCPT TO:<bob@in.example.com>\r\nBDAT 4 LAST\r\nsame"
	p.send(twin + twin)
	for _, id := range []string{"msg_1", "msg_2"} {
		p.expect("250 2.1.0")
		p.expect("250 2.1.5")
		p.expect("250 2.0.0 OK queued as " + id)
	}
	other := ways[0].connect(t, e)
	other.transaction()
	other.send("BDAT 4 LAST\r\nsame")
	other.expect("250 2.0.0 OK queued as msg_2")
	p.do("QUIT", "221")
	if got := []string{<-e.spool.acks, <-e.spool.acks}; !slices.Equal(got, []string{"msg_1", "msg_2"}) {
		t.Errorf("acknowledged %v", got)
	}
}

// TestSteps: the named steps of a message, in order, and "replied" only when the 250 is out.
func TestSteps(t *testing.T) {
	steps := make(chan string, 100)
	e := serve(t, func(c *inbound.Config) { c.Step = func(name string) { steps <- name } })
	p := ways[0].connect(t, e)
	p.begin()
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0 OK")
	var got []string
	for range 4 {
		got = append(got, <-steps)
	}
	if want := []string{"rcpt", "data-read", "accepted", "replied"}; !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
}

// TestEnvelope: what the session said, sanitised.
func TestEnvelope(t *testing.T) {
	e := serve(t, nil)
	p := e.dial(t)
	p.do("EHLO a\xffb<c>;\"d "+strings.Repeat("e", 300), "250-")
	p.do("MAIL FROM:<\"odd one\"@sender.example>", "250")
	p.do("RCPT TO:<reply+k3y@in.example.com>", "250")
	p.do("DATA", "354")
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0 OK")
	env := e.spool.all()[0].env
	if env.Helo != `a?b<c>;"d` {
		t.Errorf("HELO %q", env.Helo)
	}
	if env.ReversePath != (inbound.Path{LocalPart: "odd one", Domain: "sender.example"}) {
		t.Errorf("reverse-path %+q", env.ReversePath)
	}
	if r := env.Recipients[0]; r.Account != "acc_1" || !slices.Equal(r.Endpoints, []string{"ep_1"}) || r.Path.LocalPart != "reply+k3y" {
		t.Errorf("recipient %+v", r)
	}
	if env.RemoteIP.String() != "127.0.0.1" || env.TLS != nil || env.Listener != "mx" || env.SMTPUTF8 {
		t.Errorf("envelope %+v", env)
	}
	if env.ReceivedAt.IsZero() || env.ReceivedAt.Location().String() != "UTC" {
		t.Errorf("received at %v", env.ReceivedAt)
	}
}
