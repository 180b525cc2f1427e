package inbound_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// small takes 20 octets at "small", 30 at "medium", and at other local-parts whatever the server takes; "ask..." is asked
// about.
func small(p inbound.Path) inbound.Decision {
	d := decide(p)
	switch {
	case p.LocalPart == "asksmall":
		d.MaxSize, d.Check = 20, "people"
	case p.LocalPart == "small":
		d.MaxSize = 20
	case p.LocalPart == "medium":
		d.MaxSize = 30
	case p.LocalPart == "huge":
		d.MaxSize = 1 << 40
	case strings.HasPrefix(p.LocalPart, "ask"):
		d.Check = "people"
	}
	return d
}

// TestRecipientSizeLimits plays transactions: RCPT commands and the replies, then octets of content and the reply.
func TestRecipientSizeLimits(t *testing.T) {
	const ok, tooLarge, apart = "250 2.1.5", "552 5.2.3", "452 4.5.3"
	tests := []struct {
		name    string
		size    string // parameter of MAIL
		rcpt    [][2]string
		octets  int
		verdict string
	}{
		{"exact fit", "", [][2]string{{"small", ok}}, 20, "250 2.0.0"},
		{"an octet more", "", [][2]string{{"small", ok}}, 21, tooLarge},
		{"the server's own limit", "", [][2]string{{"bob", ok}}, 41, "552 5.3.4"},
		{"a recipient that takes more than the server", "", [][2]string{{"huge", ok}}, 41, "552 5.3.4"},
		{"both limits", "", [][2]string{{"small", ok}}, 41, "552 5.3.4"},
		{"declared", " SIZE=25", [][2]string{{"small", tooLarge}, {"medium", ok}, {"bob", ok}}, 25, "250 2.0.0"},
		{"declared, all of them fit", " SIZE=15", [][2]string{{"bob", ok}, {"small", ok}, {"medium", ok}}, 15, "250 2.0.0"},
		{"declared too little", " SIZE=15", [][2]string{{"bob", ok}, {"small", ok}, {"medium", ok}}, 25, tooLarge},
		{"not declared", "", [][2]string{{"medium", ok}, {"small", apart}, {"bob", apart}, {"medium", ok}}, 25, "250 2.0.0"},
		{"nobody left", " SIZE=35", [][2]string{{"medium", tooLarge}, {"small", tooLarge}}, 0, "554 5.5.1"},
		{"one that was refused sets no limit", " SIZE=15", [][2]string{{"bob", ok}, {"asksmall", "550 5.1.1"}}, 25, "250 2.0.0"},
	}
	e := serve(t, func(c *inbound.Config) {
		c.Recipients, c.MaxMessageSize = small, 40
		c.CheckRecipient = func(context.Context, *inbound.Envelope) *inbound.Reply {
			return &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "No"}
		}
	})
	for _, chunked := range []bool{false, true} {
		for _, tt := range tests {
			p := ways[0].connect(t, e)
			p.do("MAIL FROM:<ann@sender.example>"+tt.size, "250")
			for _, rcpt := range tt.rcpt {
				p.do("RCPT TO:<"+rcpt[0]+"@in.example.com>", rcpt[1])
			}
			content := strings.Repeat("x", max(0, tt.octets-2)) + "\r\n"
			var got string
			switch {
			case tt.octets == 0:
				p.send("DATA\r\n")
				got = p.reply()
			case chunked:
				p.send("BDAT " + strconv.Itoa(len(content)) + " LAST\r\n" + content)
				got = p.reply()
			default:
				p.do("DATA", "354")
				p.send(content + ".\r\n")
				got = p.reply()
			}
			if !strings.HasPrefix(got, tt.verdict) {
				t.Errorf("%s, chunked %t: %q, want %q", tt.name, chunked, got, tt.verdict)
			}
		}
	}
}

// TestCheckRecipient asks about some recipients and shows what is asked.
func TestCheckRecipient(t *testing.T) {
	asked := make(chan inbound.Envelope, 10)
	e := serve(t, func(c *inbound.Config) {
		c.Recipients, c.MaxUnknownRecipients = small, 2
		c.CheckRecipient = func(_ context.Context, env *inbound.Envelope) *inbound.Reply {
			asked <- *env
			switch env.Recipients[0].Path.LocalPart {
			case "asklater":
				return &inbound.Reply{Code: 450, Status: [3]int{4, 2, 1}, Text: "Later"}
			case "askno":
				return &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "Nobody\r\n250 OK"}
			}
			return nil
		}
	})
	p := ways[0].connect(t, e)
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<bob@in.example.com>", "250 2.1.5")
	p.do("RCPT TO:<ask@in.example.com>", "250 2.1.5")
	p.do("RCPT TO:<ask@in.example.com>", "250 2.1.5") // known already
	p.do("RCPT TO:<asklater@in.example.com>", "450 4.2.1 Later")
	p.do("RCPT TO:<askno@in.example.com>", "550 5.1.1 Nobody??250 OK")
	p.do("DATA", "354")
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0")
	if got := describe(e.spool.all()[0]); got != "ann@sender.example -> bob@in.example.com ask@in.example.com" {
		t.Errorf("envelope %s", got)
	}
	if len(asked) != 3 {
		t.Fatalf("asked %d times", len(asked))
	}
	env := <-asked
	if len(env.Recipients) != 1 || env.Recipients[0].Path.LocalPart != "ask" || env.Recipients[0].Check != "people" ||
		env.ReversePath.LocalPart != "ann" || env.Helo != "client.example" || env.RemoteIP.String() != "127.0.0.1" || env.Listener != "mx" {
		t.Errorf("asked about %+v", env)
	}
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<askno@in.example.com>", "550 5.1.1")
	p.do("RCPT TO:<askno@in.example.com>", "421 4.7.0") // the budget of unknown recipients
	p.closed()
}

// TestCheckHoldsNobodyElse has one connection wait for an answer while another delivers a mail.
func TestCheckHoldsNobodyElse(t *testing.T) {
	answer, waiting := make(chan struct{}), make(chan struct{})
	e := serve(t, func(c *inbound.Config) {
		c.Recipients = small
		c.CheckRecipient = func(context.Context, *inbound.Envelope) *inbound.Reply {
			close(waiting)
			<-answer
			return nil
		}
	})
	slow := ways[0].connect(t, e)
	slow.do("MAIL FROM:<ann@sender.example>", "250")
	slow.send("RCPT TO:<ask@in.example.com>\r\n")
	<-waiting
	p := ways[0].connect(t, e)
	p.begin()
	p.send("x\r\n.\r\n")
	p.expect("250 2.0.0")
	close(answer)
	slow.expect("250 2.1.5")
}

// TestNobodyToAsk defers rather than to accept what a route wants to be asked about.
func TestNobodyToAsk(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.Recipients = small })
	p := ways[0].connect(t, e)
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<ask@in.example.com>", "451 4.3.0")
}
