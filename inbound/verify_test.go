package inbound_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// verified is a server whose recipients want what their local-part begins with, and whose checks find results.
func verified(t *testing.T, results *inbound.AuthResults, err error) *edge {
	t.Helper()
	return serve(t, func(c *inbound.Config) {
		c.Recipients = func(p inbound.Path) inbound.Decision {
			d := decide(p)
			action, _, _ := strings.Cut(p.LocalPart, "-")
			d.DMARC = inbound.DMARCAction(action)
			return d
		}
		c.VerifySender = func(_ context.Context, env *inbound.Envelope, body inbound.Body) (*inbound.AuthResults, error) {
			if env.Helo != "peer.example" || body.Size() == 0 {
				t.Errorf("checked with %+v and %d octets", env, body.Size())
			}
			return results, err
		}
	})
}

// deliver sends a message to recipients at in.example.com and gives the last reply.
func (p *peer) deliver(locals ...string) string {
	p.t.Helper()
	p.send("EHLO peer.example\r\n")
	p.expect("250")
	p.send("MAIL FROM:<ann@sender.example>\r\n")
	p.expect("250")
	for _, local := range locals {
		p.send("RCPT TO:<" + local + "@in.example.com>\r\n")
		p.expect("250")
	}
	p.send("DATA\r\n")
	p.expect("354")
	p.send("From: ann@sender.example\r\n\r\nHello\r\n.\r\n")
	return p.reply()
}

func failing(policy string) *inbound.AuthResults {
	return &inbound.AuthResults{
		DMARC: inbound.DMARCResult{Result: inbound.ResultFail, Domain: "sender.example", Policy: policy},
		IPRev: inbound.IPRevResult{Result: inbound.ResultPass, Host: "mail.sender.example"},
	}
}

func TestDMARCPolicy(t *testing.T) {
	temporary, passing, sealed := failing("reject"), failing("reject"), failing("reject")
	temporary.DMARC.Result, passing.DMARC.Result = inbound.ResultTempError, inbound.ResultPass
	nobody, unusable := failing(""), failing("")
	nobody.DMARC.Result, unusable.DMARC.Result, nobody.DMARC.Domain = inbound.ResultPermError, inbound.ResultPermError, ""
	sealed.Identity = inbound.Identity{Verified: true, Method: inbound.IdentityARC}
	const refused = "550 5.7.1 Refused by the DMARC policy of sender.example"
	for _, test := range []struct {
		name        string
		results     *inbound.AuthResults
		recipients  []string
		reply       string
		quarantined string
	}{
		{"annotate", failing("reject"), []string{"annotate"}, "250 2.0.0 OK", ""},
		{"no word", failing("reject"), []string{"ann"}, "250 2.0.0 OK", ""},
		{"quarantine", failing("reject"), []string{"quarantine"}, "250 2.0.0 OK", "quarantine"},
		{"quarantine where it is asked for", failing("quarantine"), []string{"quarantine"}, "250 2.0.0 OK", "quarantine"},
		{"quarantine where nothing is asked for", failing("none"), []string{"quarantine"}, "250 2.0.0 OK", ""},
		{"reject", failing("reject"), []string{"reject"}, refused, ""},
		{"reject where quarantine is asked for", failing("quarantine"), []string{"reject"}, "250 2.0.0 OK", "reject"},
		{"reject where nothing is asked for", failing("none"), []string{"reject"}, "250 2.0.0 OK", ""},
		{"all reject", failing("reject"), []string{"reject-1", "reject-2"}, refused, ""},
		{"some reject", failing("reject"), []string{"reject-1", "annotate", "quarantine"}, "250 2.0.0 OK", "reject-1 quarantine"},
		{"temperror is no failure", temporary, []string{"reject"}, "250 2.0.0 OK", ""},
		{"two authors are no way around", nobody, []string{"reject", "quarantine", "annotate"}, "250 2.0.0 OK", "reject quarantine"},
		{"a policy that cannot be used", unusable, []string{"reject"}, "250 2.0.0 OK", ""},
		{"pass", passing, []string{"reject"}, "250 2.0.0 OK", ""},
		{"a trusted sealer vouches", sealed, []string{"reject"}, "250 2.0.0 OK", ""},
		{"not checked", nil, []string{"reject"}, "250 2.0.0 OK", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := verified(t, test.results, nil)
			if got := e.dial(t).deliver(test.recipients...); !strings.HasPrefix(got, test.reply) {
				t.Fatalf("%q, want %q", got, test.reply)
			}
			mails := e.spool.all()
			if test.reply == refused {
				if len(mails) > 0 {
					t.Errorf("refused and stored: %+v", mails)
				}
				return
			}
			var quarantined []string
			for _, r := range mails[0].env.Recipients {
				if r.Quarantined {
					quarantined = append(quarantined, r.Path.LocalPart)
				}
			}
			if got := strings.Join(quarantined, " "); got != test.quarantined {
				t.Errorf("quarantined %q, want %q", got, test.quarantined)
			}
			if env := mails[0].env; env.AuthResults != test.results || test.results != nil && env.RemoteHost != "mail.sender.example" {
				t.Errorf("envelope %+v", env)
			}
		})
	}
}

// TestVerifyTrouble is trouble of ours: the peer keeps the message.
func TestVerifyTrouble(t *testing.T) {
	e := verified(t, nil, errors.New("the temporary file is gone"))
	if got := e.dial(t).deliver("ann"); !strings.HasPrefix(got, "451 4.3.0") || strings.Contains(got, "file") {
		t.Errorf("%q", got)
	}
	if mails := e.spool.all(); len(mails) > 0 {
		t.Errorf("stored: %+v", mails)
	}
}

// TestOnlyStrangersAreVerified sends by listeners whose peers are known.
func TestOnlyStrangersAreVerified(t *testing.T) {
	e := serve(t, func(c *inbound.Config) {
		c.VerifySender = func(context.Context, *inbound.Envelope, inbound.Body) (*inbound.AuthResults, error) {
			t.Error("checked")
			return nil, nil
		}
	})
	p := e.connectTo(t, "lmtp")
	p.expect("220")
	p.send("LHLO peer.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<ann@in.example.com>\r\nDATA\r\n")
	for _, code := range []string{"250", "250", "250", "354"} {
		p.expect(code)
	}
	p.send("From: a@b.example\r\n\r\n.\r\n")
	p.expect("250")
}
