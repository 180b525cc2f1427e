package inbound_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// What was said is told with an accepted message and with a refusal, without content and without anything that would let
// somebody in.
func TestSessionIsTold(t *testing.T) {
	var mu sync.Mutex
	var refused []string
	e := serve(t, func(c *inbound.Config) {
		c.Refused = func(r *inbound.Refusal) {
			mu.Lock()
			defer mu.Unlock()
			refused = append(refused, r.Reason+" "+r.ReversePath.String()+" "+r.ForwardPath.String()+"\n"+r.Session())
		}
	})
	p := e.dial(t)
	p.do("EHLO client.example", "250")
	p.do("AUTH PLAIN c2VjcmV0", "502")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<nobody@elsewhere.example>", "550")
	p.do("RCPT TO:<bob@in.example.com>", "250")
	p.do("DATA", "354")
	p.do("Subject: content\r\n\r\ncontent\r\n.", "250")
	p.do("QUIT", "221")
	session := e.spool.mails[0].env.Session
	const greeting = "S: 220 mx.example.com ESMTP Service Ready\nC: EHLO "
	const transaction = "C: MAIL FROM:<ann@sender.example>\nS: 250 2.1.0 Sender OK\nC: RCPT TO:<nobody@elsewhere.example>\nS: 550"
	if !strings.HasPrefix(session, greeting) || !strings.Contains(session, "C: AUTH PLAIN ***\nS: 502") || !strings.Contains(session, transaction) ||
		!strings.HasSuffix(session, "C: DATA\nS: 354 Go ahead. End your data with <CR><LF>.<CR><LF>\nC: (the message, 29 octets)\n") || strings.Contains(session, "c2VjcmV0") {
		t.Errorf("session of the message:\n%s", session)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(refused) != 2 || !strings.HasPrefix(refused[0], "unsupported  \n"+greeting) ||
		!strings.HasPrefix(refused[1], "recipient ann@sender.example nobody@elsewhere.example\n"+greeting) || !strings.Contains(refused[1], transaction) {
		t.Errorf("refused: %s", strings.Join(refused, "\n---\n"))
	}
}

// A refused MAIL has a sender, and what is refused after it outside a transaction has none.
func TestRefusedSenderIsTold(t *testing.T) {
	var told []string
	e := serve(t, func(c *inbound.Config) {
		c.Refused = func(r *inbound.Refusal) { told = append(told, r.Reason+" "+r.ReversePath.String()) }
	})
	p := e.dial(t)
	p.do("EHLO client.example", "250")
	p.do("MAIL FROM:<ann@sender.example> SIZE=99999999999", "552")
	p.do("RCPT TO:<bob@in.example.com>", "503")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RSET", "250")
	p.do("RCPT TO:<bob@in.example.com>", "503")
	p.do("QUIT", "221")
	if want := []string{"size ann@sender.example", "sequence ", "sequence "}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// However much a peer says, little is kept, and the end of it.
func TestSessionIsBounded(t *testing.T) {
	var last string
	e := serve(t, func(c *inbound.Config) {
		c.Refused = func(r *inbound.Refusal) { last = r.Session() }
	})
	p := e.dial(t)
	p.do("EHLO client.example", "250")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	for range 100 {
		p.do("NOOP "+strings.Repeat("x", 60), "250")
	}
	p.do("RCPT TO:<the.last@elsewhere.example>", "550")
	p.do("QUIT", "221")
	if len(last) > 5000 || !strings.Contains(last, "...\nC: RCPT TO:<the.last@elsewhere.example>\nS: 550 ") {
		t.Errorf("%d octets:\n%s", len(last), last)
	}
}

// Of a session an account sees its own recipients alone.
func TestSessionFor(t *testing.T) {
	const session = "C: MAIL FROM:<a@b.example>\nS: 250 2.1.0 Sender OK\nC: RCPT TO:<Bob@in.example.com> NOTIFY=NEVER\nS: 250\nC: rcpt to:<other@secret.example>\nS: 550 5.1.1 No such mailbox here\n" +
		"C: RCPT TO:<bob@in.example.com.evil.example>\nS: 550\n"
	got := inbound.SessionFor(session, []inbound.Path{{LocalPart: "bob", Domain: "IN.example.com"}})
	const want = "C: MAIL FROM:<a@b.example>\nS: 250 2.1.0 Sender OK\nC: RCPT TO:<Bob@in.example.com> NOTIFY=NEVER\nS: 250\nC: RCPT TO:<another recipient>\nS: 550 5.1.1 No such mailbox here\n" +
		"C: RCPT TO:<another recipient>\nS: 550\n"
	if got != want {
		t.Errorf("%s", got)
	}
}
