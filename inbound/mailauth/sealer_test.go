package mailauth

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// sealer forwards messages and seals them (RFC 8617 section 5.1).
type sealer struct {
	domain string
	key    ed25519.PrivateKey
	signs  string // the field that its message signature covers; empty: From
}

func newSealer(t *testing.T, server *dnstest.Server, domain string) *sealer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	server.AddTXT("arc._domainkey."+domain, "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(public))
	return &sealer{domain: domain, key: private}
}

// seal puts an ARC set on a message: instance i, with what the sealer saw.
func (s *sealer) seal(t *testing.T, i int, saw, message string) string {
	t.Helper()
	h, err := readHeader(strings.NewReader(message), int64(len(message)), nil)
	if err != nil {
		t.Fatal(err)
	}
	signs := cmp.Or(s.signs, "from")
	body := newBodyHash(relaxed, sha256.New())
	_, _ = io.WriteString(body, message[h.size:])
	results := fmt.Sprintf("ARC-Authentication-Results: i=%d; %s; %s\r\n", i, s.domain, saw)
	ams := fmt.Sprintf("ARC-Message-Signature: i=%d; a=ed25519-sha256; c=relaxed/relaxed; d=%s; s=arc; h=%s; bh=%s; b=", i,
		s.domain, signs, base64.StdEncoding.EncodeToString(body.sum()))
	signed := relaxed.appendField(nil, h.all(signs)[0])
	ams += s.sign(string(signed)+canonicalLine(ams)) + "\r\n"
	cv := "none"
	if i > 1 {
		cv = "pass"
	}
	seal := fmt.Sprintf("ARC-Seal: i=%d; a=ed25519-sha256; cv=%s; d=%s; s=arc; b=", i, cv, s.domain)
	var covered string
	for n := 1; n < i; n++ {
		for _, name := range []string{arcResultsField, arcMessageField, arcSealField} {
			fields := h.all(name)
			covered += string(relaxed.appendField(nil, fields[len(fields)-n])) // the oldest stands lowest
		}
	}
	covered += canonicalLine(results) + "\r\n" + canonicalLine(ams) + "\r\n" + canonicalLine(seal)
	return seal + s.sign(covered) + "\r\n" + ams + results + message
}

// canonicalLine is a field of one line, relaxed, without its line end.
func canonicalLine(line string) string {
	name, body, _ := strings.Cut(line, ":")
	return strings.ToLower(name) + ":" + strings.TrimSpace(body)
}

func (s *sealer) sign(covered string) string {
	hash := sha256.Sum256([]byte(covered))
	return base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, hash[:]))
}

// TestIdentity is about who may be believed, forwarded mail included.
func TestIdentity(t *testing.T) {
	const list = "From: Ann <ann@sender.example>\r\nSubject: [list] Hello\r\n\r\nHello\r\n-- \r\nfooter\r\n"
	const sawPass = "spf=pass smtp.mailfrom=ann@sender.example; dmarc=pass (p=reject) header.from=sender.example"
	server := dnstest.New(t)
	server.AddTXT("_dmarc.sender.example", "v=DMARC1; p=reject")
	server.AddTXT("sender.example", "v=spf1 ip4:192.0.2.1 -all")
	server.AddTXT("plain.example", "v=spf1 ip4:192.0.2.1 -all")
	trusted, second, stranger := newSealer(t, server, "list.example"), newSealer(t, server, "relay.example"), newSealer(t, server, "evil.example")
	author, careless := newSealer(t, server, "plain.example"), *trusted
	careless.signs = "subject"
	plainLetter := strings.ReplaceAll(list, "sender.example", "plain.example")
	for _, test := range []struct {
		name, from, message string
		want                inbound.IdentityMethod
		arc                 inbound.Result
	}{
		{"dmarc", "ann@sender.example", list, inbound.IdentityDMARC, inbound.ResultNone},
		{"spf, no policy", "ann@plain.example", plainLetter, inbound.IdentitySPF, inbound.ResultNone},
		{"dkim, no policy", "x@other.example", signDKIM(t, author, plainLetter), inbound.IdentityDKIM, inbound.ResultNone},
		{"nothing", "x@other.example", list, inbound.IdentityNone, inbound.ResultNone},
		{"trusted", "x@other.example", trusted.seal(t, 1, sawPass, list), inbound.IdentityARC, inbound.ResultPass},
		{"trusted, but it saw a failure", "x@other.example", trusted.seal(t, 1, "dmarc=fail header.from=sender.example", list), inbound.IdentityNone, inbound.ResultPass},
		{"trusted, but it saw another domain", "x@other.example", trusted.seal(t, 1, "dmarc=pass header.from=other.example", list), inbound.IdentityNone, inbound.ResultPass},
		{"trusted, quoting a stranger", "x@other.example", trusted.seal(t, 1, `spf=fail (a; dmarc=pass header.from=sender.example;) smtp.mailfrom="; dmarc=pass header.from=sender.example;"`, list), inbound.IdentityNone, inbound.ResultPass},
		{"trusted, changed behind the seal", "x@other.example", trusted.seal(t, 1, sawPass, list) + "more\r\n", inbound.IdentityNone, inbound.ResultFail},
		{"trusted, but From is anybody's", "x@other.example", careless.seal(t, 1, sawPass, list), inbound.IdentityNone, inbound.ResultPass},
		{"untrusted", "x@other.example", stranger.seal(t, 1, sawPass, list), inbound.IdentityNone, inbound.ResultPass},
		{"two trusted", "x@other.example", second.seal(t, 2, "arc=pass; dmarc=fail header.from=sender.example", trusted.seal(t, 1, sawPass, list)), inbound.IdentityARC, inbound.ResultPass},
		{"a stranger between", "x@other.example", second.seal(t, 2, "arc=pass; dmarc=fail header.from=sender.example", stranger.seal(t, 1, sawPass, list)), inbound.IdentityNone, inbound.ResultPass},
		{"a stranger behind", "x@other.example", stranger.seal(t, 2, "arc=pass", trusted.seal(t, 1, sawPass, list)), inbound.IdentityNone, inbound.ResultPass},
		{"a set removed", "x@other.example", strings.Replace(second.seal(t, 2, sawPass, trusted.seal(t, 1, sawPass, list)), "ARC-Seal: i=1", "X-Seal: i=1", 1), inbound.IdentityNone, inbound.ResultFail},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := checkTrusting(t, server, test.from, test.message, "list.example", "Relay.Example")
			if got.Identity.Method != test.want || got.Identity.Verified != (test.want != inbound.IdentityNone) || got.Identity.Reason == "" {
				t.Errorf("%+v, want %s; arc %+v", got.Identity, test.want, got.ARC)
			}
			if got.ARC.Result != test.arc {
				t.Errorf("arc=%s (%s), want %s", got.ARC.Result, got.ARC.Error, test.arc)
			}
		})
	}
}

// TestResultsOfBlanks reads what a sealer says in time that grows with its length alone.
func TestResultsOfBlanks(t *testing.T) {
	blanks := strings.Repeat(" ", maxHeader-100)
	if !sawDMARCPass([]byte(" i=1; list.example; dmarc"+blanks+"= pass header.from\t=\tsender.example"), "sender.example") {
		t.Error("not read")
	}
}

// TestLargeHeadersTakeTurns: strangers who send large headers wait for each other, and nobody else does.
func TestLargeHeadersTakeTurns(t *testing.T) {
	r, err := resolver.New(resolver.Config{Servers: []string{dnstest.New(t).Addr}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Resolver: r, Timeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	read := func(padding int) bool {
		t.Helper()
		mail := "From: ann@sender.example\r\nX: " + strings.Repeat("x", padding) + "\r\n\r\nHello\r\n"
		env := &inbound.Envelope{RemoteIP: netip.MustParseAddr("192.0.2.1"), ReceivedAt: time.Now()}
		got, err := c.Check(context.Background(), env, strings.NewReader(mail), int64(len(mail)))
		if err != nil {
			t.Fatal(err)
		}
		return got.DMARC.Domain == "sender.example"
	}
	if !read(largeHeader) || len(c.large) != 0 {
		t.Errorf("a large header is not read, or kept its turn: %d", len(c.large))
	}
	for range maxLarge {
		c.large <- struct{}{}
	}
	if read(largeHeader) {
		t.Error("one too many")
	}
	if !read(largeHeader/2) || len(c.large) != maxLarge {
		t.Errorf("a small header waits, or gave back what it did not take: %d", len(c.large))
	}
}

// signDKIM has the author sign by the hand of a library.
func signDKIM(t *testing.T, s *sealer, message string) string {
	t.Helper()
	var signed strings.Builder
	if err := dkim.Sign(&signed, strings.NewReader(message), &dkim.SignOptions{Domain: s.domain, Selector: "arc", Signer: s.key}); err != nil {
		t.Fatal(err)
	}
	return signed.String()
}

func checkTrusting(t testing.TB, server *dnstest.Server, from, message string, sealers ...string) *inbound.AuthResults {
	t.Helper()
	r, err := resolver.New(resolver.Config{Servers: []string{server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Resolver: r, TrustedSealers: sealers})
	if err != nil {
		t.Fatal(err)
	}
	local, domain, _ := strings.Cut(from, "@")
	env := &inbound.Envelope{
		ReversePath: inbound.Path{LocalPart: local, Domain: domain}, Helo: "h.example",
		RemoteIP: netip.MustParseAddr("192.0.2.1"), ReceivedAt: time.Now(),
	}
	results, err := c.Check(context.Background(), env, strings.NewReader(message), int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	return results
}
