package mailauth_test

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/mailauth"
	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// newChecker makes a Checker that asks the server.
func newChecker(t testing.TB, server *dnstest.Server, sealers ...string) *mailauth.Checker {
	t.Helper()
	r, err := resolver.New(resolver.Config{Servers: []string{server.Addr}, Attempts: 1, Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c, err := mailauth.New(mailauth.Config{Resolver: r, Timeout: time.Minute, TrustedSealers: sealers})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check checks a message with CR LF line ends whose envelope has a client address, a HELO argument and a reverse-path.
func check(t testing.TB, c *mailauth.Checker, ip, helo, from, message string) *inbound.AuthResults {
	t.Helper()
	return checkAt(t, c, received, ip, helo, from, message)
}

// checkAt is check of a message that came at some time.
func checkAt(t testing.TB, c *mailauth.Checker, when time.Time, ip, helo, from, message string) *inbound.AuthResults {
	t.Helper()
	at := strings.LastIndexByte(from, '@')
	env := &inbound.Envelope{Helo: helo, RemoteIP: netip.MustParseAddr(ip), ReceivedAt: when}
	if at >= 0 {
		env.ReversePath = inbound.Path{LocalPart: from[:at], Domain: from[at+1:]}
	}
	results, err := c.Check(context.Background(), env, strings.NewReader(message), int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// suite is one group of the test suite of RFC 7208.
type suite struct {
	Description string
	Tests       map[string]struct {
		Host, Helo, MailFrom string
		Result               json.RawMessage // a word or several that are all right
	}
	ZoneData map[string][]json.RawMessage
}

func TestSPFSuite(t *testing.T) {
	data, err := os.ReadFile("testdata/spf/rfc7208-tests.json")
	if err != nil {
		t.Fatal(err)
	}
	var suites []suite
	if err := json.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, s := range suites {
		server := dnstest.New(t)
		s.serve(t, server)
		for name, test := range s.Tests {
			cases++
			t.Run(s.Description+"/"+name, func(t *testing.T) {
				var words []string
				if err := json.Unmarshal(test.Result, &words); err != nil {
					words = []string{strings.Trim(string(test.Result), `"`)}
				}
				got := check(t, newChecker(t, server), test.Host, test.Helo, test.MailFrom, "").SPF
				if !slices.Contains(words, string(got.Result)) {
					t.Errorf("%s (%s), want %v", got.Result, got.Explanation, words)
				}
			})
		}
	}
	if cases != 203 {
		t.Errorf("%d cases, want 203", cases)
	}
}

// serve puts the zone data of a suite on a server. A record of type SPF stands for one of type TXT too, unless the name has
// one; TIMEOUT is an error of the server for what the name does not have.
func (s *suite) serve(t *testing.T, server *dnstest.Server) {
	for name, list := range s.ZoneData {
		var texts, spf []string
		none, records, timeout := false, 0, false
		for _, raw := range list {
			var record map[string]json.RawMessage
			if json.Unmarshal(raw, &record) != nil {
				timeout = true
				continue
			}
			records++
			for kind, value := range record {
				switch kind {
				case "SPF":
					spf = append(spf, joined(t, value))
				case "TXT":
					text := joined(t, value)
					none = none || text == "NONE"
					texts = append(texts, text)
				default:
					server.Add(addressRecord(t, name, kind, value))
				}
			}
		}
		if timeout && (none || records == 0) {
			server.Fail(name, dns.RcodeServerFailure)
		}
		if texts == nil {
			texts = spf
		}
		for _, text := range texts {
			if !none {
				server.AddTXT(name, text)
			}
		}
	}
}

func joined(t *testing.T, value json.RawMessage) string {
	var list []string
	if json.Unmarshal(value, &list) == nil {
		return strings.Join(list, "")
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return text
}

func addressRecord(t *testing.T, name, kind string, value json.RawMessage) dns.RR {
	h := dns.RR_Header{Name: dns.Fqdn(name), Class: dns.ClassINET, Ttl: 3600, Rrtype: dns.StringToType[kind]}
	var text string
	if kind == "MX" {
		var mx []any
		if err := json.Unmarshal(value, &mx); err != nil {
			t.Fatal(err)
		}
		return &dns.MX{Hdr: h, Preference: uint16(mx[0].(float64)), Mx: dns.Fqdn(mx[1].(string))}
	}
	if err := json.Unmarshal(value, &text); err != nil {
		t.Fatal(err)
	}
	switch kind {
	case "A":
		return &dns.A{Hdr: h, A: net.ParseIP(text)}
	case "AAAA":
		return &dns.AAAA{Hdr: h, AAAA: net.ParseIP(text)}
	case "PTR":
		return &dns.PTR{Hdr: h, Ptr: dns.Fqdn(text)}
	case "CNAME":
		return &dns.CNAME{Hdr: h, Target: dns.Fqdn(text)}
	}
	t.Fatalf("a record of type %s", kind)
	return nil
}
