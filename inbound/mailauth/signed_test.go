package mailauth_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// signer is a domain that signs, by the hand of a library that is not ours.
type signer struct {
	key    crypto.Signer
	record string
}

func newEd25519(t testing.TB) signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{private, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}
}

func newRSA(t testing.TB, bits int) signer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return signer{private, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)}
}

// sign puts a signature on a message.
func (s signer) sign(t testing.TB, message string, o dkim.SignOptions) string {
	t.Helper()
	o.Signer = s.key
	if o.Selector == "" {
		o.Selector = "s"
	}
	var signed bytes.Buffer
	if err := dkim.Sign(&signed, strings.NewReader(message), &o); err != nil {
		t.Fatal(err)
	}
	return signed.String()
}

const letter = "From: Ann <ann@sender.example>\r\nTo: bob@in.example.com\r\nSubject: Hello\r\n\r\nHello,  Bob. \r\n\r\n"

// received is when check says that the mail came: now, for that is when the library signs.
var received = time.Now()

func TestDKIM(t *testing.T) {
	s, other := newEd25519(t), newEd25519(t)
	relaxed := dkim.SignOptions{Domain: "sender.example", HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed}
	simple := dkim.SignOptions{Domain: "sender.example"}
	expired, expires := relaxed, relaxed
	expired.Expiration, expires.Expiration = received.Add(-time.Hour), received.Add(time.Hour)
	without := relaxed
	without.HeaderKeys = []string{"From", "Subject"}
	for _, test := range []struct {
		name, record, message string
		want                  inbound.Result
	}{
		{"relaxed", s.record, s.sign(t, letter, relaxed), inbound.ResultPass},
		{"simple", s.record, s.sign(t, letter, simple), inbound.ResultPass},
		{"white space changed, relaxed", s.record, strings.Replace(s.sign(t, letter, relaxed), "Hello,  Bob. ", "Hello,\tBob.", 1), inbound.ResultPass},
		{"white space changed, simple", s.record, strings.Replace(s.sign(t, letter, simple), "Hello,  Bob. ", "Hello, Bob.", 1), inbound.ResultFail},
		{"body changed", s.record, s.sign(t, letter, relaxed) + "more\r\n", inbound.ResultFail},
		{"subject changed", s.record, strings.Replace(s.sign(t, letter, relaxed), "Subject: Hello", "Subject: Hallo", 1), inbound.ResultFail},
		{"a field not signed changed", s.record, strings.Replace(s.sign(t, letter, without), "To: bob", "To: eve", 1), inbound.ResultPass},
		{"a second From above", s.record, "From: eve@sender.example\r\n" + s.sign(t, letter, relaxed), inbound.ResultPass},
		{"of another key", other.record, s.sign(t, letter, relaxed), inbound.ResultFail},
		{"revoked", "v=DKIM1; k=ed25519; p=", s.sign(t, letter, relaxed), inbound.ResultPermError},
		{"no key", "", s.sign(t, letter, relaxed), inbound.ResultPermError},
		{"not for mail", s.record + "; s=tlsrpt", s.sign(t, letter, relaxed), inbound.ResultPermError},
		{"for any service", s.record + "; s=x:*", s.sign(t, letter, relaxed), inbound.ResultPass},
		{"not for SHA-256", s.record + "; h=sha1", s.sign(t, letter, relaxed), inbound.ResultPermError},
		{"unknown version of the key", strings.Replace(s.record, "DKIM1", "DKIM2", 1), s.sign(t, letter, relaxed), inbound.ResultPermError},
		{"expired", s.record, s.sign(t, letter, expired), inbound.ResultPermError},
		{"not expired", s.record, s.sign(t, letter, expires), inbound.ResultPass},
		{"weak hash", s.record, strings.Replace(s.sign(t, letter, relaxed), "ed25519-sha256", "rsa-sha1", 1), inbound.ResultPermError},
		{"bare LF is not CR LF", s.record, strings.Replace(s.sign(t, letter, simple), "Bob. \r\n", "Bob. \n", 1), inbound.ResultFail},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := dnstest.New(t)
			if test.record != "" {
				server.AddTXT("s._domainkey.sender.example", test.record)
			}
			got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", test.message).DKIM
			if len(got) != 1 || got[0].Result != test.want || got[0].Domain != "sender.example" || got[0].Selector != "s" {
				t.Errorf("%+v, want %s", got, test.want)
			}
			if len(got) == 1 && (got[0].Error == "") != (test.want == inbound.ResultPass) {
				t.Errorf("error %q with %s", got[0].Error, got[0].Result)
			}
		})
	}
}

// TestRSABits is RFC 8301 section 3.2.
func TestRSABits(t *testing.T) {
	server := dnstest.New(t)
	for bits, want := range map[int]inbound.Result{1024: inbound.ResultPass, 2048: inbound.ResultPass} {
		s := newRSA(t, bits)
		server.AddTXT(fmt.Sprintf("s%d._domainkey.sender.example", bits), s.record)
		message := s.sign(t, letter, dkim.SignOptions{Domain: "sender.example", Selector: fmt.Sprintf("s%d", bits)})
		if got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", message).DKIM; words(got) != string(want) {
			t.Errorf("%d bits: %+v, want %s", bits, got, want)
		}
	}
}

// TestManySignatures checks that only so many are looked at, the topmost.
func TestManySignatures(t *testing.T) {
	s := newEd25519(t)
	server := dnstest.New(t)
	message := letter
	for i := range 14 {
		selector := fmt.Sprintf("s%d", i)
		server.AddTXT(selector+"._domainkey.sender.example", s.record)
		message = s.sign(t, message, dkim.SignOptions{Domain: "sender.example", Selector: selector, HeaderKeys: []string{"From"}})
	}
	got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", message).DKIM
	if words(got) != strings.TrimSpace(strings.Repeat("pass ", 10)) || got[0].Selector != "s13" {
		t.Errorf("%+v", got)
	}
	if n := server.Asked("s3._domainkey.sender.example", "TXT"); n != 0 {
		t.Errorf("the key of the eleventh signature was asked for")
	}
}

// TestTempErrorIsNotFail takes DNS away: nothing may fail then, and nothing pass. A server that refuses to answer says as little
// as one that is broken (RFC 7208 section 4.4).
func TestTempErrorIsNotFail(t *testing.T) {
	for _, code := range []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeNotImplemented} {
		t.Run(dns.RcodeToString[code], func(t *testing.T) { tempErrorIsNotFail(t, code) })
	}
}

func tempErrorIsNotFail(t *testing.T, code int) {
	s := newEd25519(t)
	server := dnstest.New(t)
	for _, name := range []string{"sender.example", "s._domainkey.sender.example", "_dmarc.sender.example", "1.2.0.192.in-addr.arpa"} {
		server.Fail(name, code)
	}
	message := s.sign(t, letter, dkim.SignOptions{Domain: "sender.example"})
	got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "ann@sender.example", message)
	for method, result := range map[string]inbound.Result{
		"spf": got.SPF.Result, "dkim": got.DKIM[0].Result, "dmarc": got.DMARC.Result, "iprev": got.IPRev.Result,
	} {
		if result != inbound.ResultTempError {
			t.Errorf("%s=%s, want temperror", method, result)
		}
	}
	if got.Identity.Verified {
		t.Errorf("verified: %+v", got.Identity)
	}
}
