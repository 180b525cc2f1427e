package dispatch

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
)

// TestDisposition is told to the endpoint whose recipient is quarantined, and to no other.
func TestDisposition(t *testing.T) {
	m := sampleMail(nil)
	for endpoint, want := range map[string]string{"ep_1": "quarantine", "ep_2": "none"} {
		a, _ := verdicts(m.Envelope.AuthResults, m.Envelope.Recipients, endpoint)
		if a.DMARC.Disposition != want {
			t.Errorf("%s: %s, want %s", endpoint, a.DMARC.Disposition, want)
		}
	}
	if a, identity := verdicts(nil, []inbound.Recipient{}, "ep_1"); a != nil || identity != nil {
		t.Errorf("not checked, and told %v, %v", a, identity)
	}
}

// TestIdentityIsOfFrom: what an event shows as From is never another address than the one that it says is verified, however the
// field is made.
func TestIdentityIsOfFrom(t *testing.T) {
	for _, test := range []struct {
		from, address string
		verified      bool
	}{
		{"Ann <ann@sender.example>", "ann@sender.example", true},
		{"Ann <Ann@Sender.Example>", "ann@sender.example", true},
		{`"ann"@sender.example`, `"ann"@sender.example`, true},
		{`Ann <"ann lee"@sender.example>`, `"ann lee"@sender.example`, true},
		{"\xc4nn <ann@sender.example>", "ann@sender.example", true},
		{"\u00c4nn <\u00e4nn@b\u00fccher.example>", "\u00e4nn@b\u00fccher.example", true},
		{"Ann <ann @ sender.example>", "ann@sender.example", true},
		{"=?utf-8?q?ann=40sender.example=2C?= <eve@evil.example>", "eve@evil.example", true},
		{"=?utf-8?q?ann=40sender.example=2C?= \xff <eve@evil.example>", "eve@evil.example", true},
		{"eve@evil.example\r\n<ann@sender.example>", "eve@evil.example", false},
		{"eve@evil.example\r\n:<ann@sender.example>", "eve@evil.example", false},
	} {
		mail := "From: " + test.from + "\r\nTo: bob@in.example\r\nSubject: x\r\n\r\nHello\r\n"
		msg, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		m := sampleMail(nil)
		m.Envelope.AuthResults.Identity = inbound.Identity{
			Address: test.address, Domain: "sender.example", Verified: true, Method: inbound.IdentityDMARC, Reason: "dkim=pass aligned with From",
		}
		data := contentOf(msg, nil, "test")
		address(data, m, "ep_1")
		got := data.Identity
		if got.DomainVerified != test.verified || (got.Method == "none") == test.verified || got.Reason == "" {
			t.Errorf("%q shows %+v, and %+v", test.from, data.From, got)
		}
	}
}
