package mailauth_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// BenchmarkCheck is one message with all verdicts, DNS remembered.
func BenchmarkCheck(b *testing.B) {
	relaxed := dkim.SignOptions{
		Domain: "sender.example", HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	}
	simple := dkim.SignOptions{Domain: "sender.example"}
	for _, bench := range []struct {
		name    string
		signer  signer
		options dkim.SignOptions
		size    int
	}{
		{"unsigned/10KB", signer{}, relaxed, 10 << 10},
		{"ed25519/relaxed/10KB", newEd25519(b), relaxed, 10 << 10},
		{"rsa2048/relaxed/10KB", newRSA(b, 2048), relaxed, 10 << 10},
		{"rsa2048/simple/10KB", newRSA(b, 2048), simple, 10 << 10},
		{"rsa2048/relaxed/25MB", newRSA(b, 2048), relaxed, 25 << 20},
		{"rsa2048/simple/25MB", newRSA(b, 2048), simple, 25 << 20},
	} {
		b.Run(bench.name, func(b *testing.B) {
			server := dnstest.New(b, "1.2.0.192.in-addr.arpa. PTR mail.sender.example.", "mail.sender.example. A 192.0.2.1")
			server.AddTXT("sender.example", "v=spf1 ip4:192.0.2.0/24 -all")
			server.AddTXT("_dmarc.sender.example", "v=DMARC1; p=reject")
			message := letter + strings.Repeat("It was a dark and stormy night; the rain fell in torrents.\r\n", bench.size/60)
			if bench.signer.key != nil {
				server.AddTXT("s._domainkey.sender.example", bench.signer.record)
				message = bench.signer.sign(b, message, bench.options)
			}
			c := newChecker(b, server)
			env := &inbound.Envelope{
				ReversePath: inbound.Path{LocalPart: "ann", Domain: "sender.example"}, Helo: "mail.sender.example",
				RemoteIP: netip.MustParseAddr("192.0.2.1"), ReceivedAt: received,
			}
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				got, err := c.Check(context.Background(), env, strings.NewReader(message), int64(len(message)))
				if err != nil || got.DMARC.Result != inbound.ResultPass {
					b.Fatal(got, err)
				}
			}
		})
	}
}
