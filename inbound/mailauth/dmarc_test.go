package mailauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// TestDMARC has the policy records of names below ".example", a From domain, a domain that signs (and one whose SPF
// passes), and what comes of it. sender.example and its kin are domains that can be registered; hosting.co.uk shows the
// Public Suffix List.
func TestDMARC(t *testing.T) {
	for _, test := range []struct {
		name, records, from, signs, spf string
		want                            string // result policy spf_aligned dkim_aligned
	}{
		{"no record", "", "sender.example", "sender.example", "", "none  false false"},
		{"signed by the author", "sender.example p=reject", "sender.example", "sender.example", "", "pass reject false true"},
		{"SPF of the author", "sender.example p=reject", "sender.example", "", "sender.example", "pass reject true false"},
		{"both", "sender.example p=reject", "sender.example", "sender.example", "sender.example", "pass reject true true"},
		{"neither", "sender.example p=reject", "sender.example", "", "", "fail reject false false"},
		{"signed by another", "sender.example p=quarantine", "sender.example", "other.example", "other.example", "fail quarantine false false"},
		{"relaxed, by a subdomain", "sender.example p=reject", "sender.example", "mail.sender.example", "", "pass reject false true"},
		{"relaxed, by the parent", "sender.example p=reject", "mail.sender.example", "sender.example", "", "pass reject false true"},
		{"strict DKIM", "sender.example p=reject; adkim=s", "sender.example", "mail.sender.example", "", "fail reject false false"},
		{"strict SPF", "sender.example p=reject; aspf=s", "sender.example", "", "mail.sender.example", "fail reject false false"},
		{"strict and the same", "sender.example p=reject; adkim=s; aspf=s", "sender.example", "sender.example", "sender.example", "pass reject true true"},
		{"policy of the organisation", "sender.example p=reject", "a.b.sender.example", "", "", "fail reject false false"},
		{"sp", "sender.example p=reject; sp=quarantine", "a.sender.example", "", "", "fail quarantine false false"},
		{"sp is not for the domain itself", "sender.example p=reject; sp=none", "sender.example", "", "", "fail reject false false"},
		{"np, and it does not exist", "sender.example p=none; sp=quarantine; np=reject", "a.sender.example", "", "", "fail reject false false"},
		{"np, and it exists", "sender.example p=none; sp=quarantine; np=reject", "real.sender.example", "", "", "fail quarantine false false"},
		{"np without sp", "sender.example p=none; np=reject", "real.sender.example", "", "", "fail none false false"},
		{"own record before the organisation's", "sender.example p=reject|a.sender.example p=none", "a.sender.example", "", "", "fail none false false"},
		{"t=y of reject", "sender.example p=reject; t=y", "sender.example", "", "", "fail quarantine false false"},
		{"t=y of quarantine", "sender.example p=quarantine; t=y", "sender.example", "", "", "fail none false false"},
		{"t=n", "sender.example p=reject; t=n", "sender.example", "", "", "fail reject false false"},
		{"pct=0 is t=y", "sender.example p=reject; pct=0", "sender.example", "", "", "fail quarantine false false"},
		{"pct is history", "sender.example p=reject; pct=20", "sender.example", "", "", "fail reject false false"},
		{"no p", "sender.example rua=mailto:a@b.example", "sender.example", "", "", "fail none false false"},
		{"malformed p with rua", "sender.example p=refuse; rua=mailto:a@b.example", "sender.example", "", "", "fail none false false"},
		{"malformed p without rua", "sender.example p=refuse", "sender.example", "", "", "permerror  false false"},
		{"unknown tags", "sender.example p=reject; zz=1; rubbish; ri=9", "sender.example", "", "", "fail reject false false"},
		{"capitals", "sender.example P=none; p=REJECT ; ADKIM=s", "sender.example", "", "", "fail reject false false"},
		{"two records are none", "sender.example p=reject|sender.example p=none", "sender.example", "", "", "none  false false"},
		{"psd=n makes an organisation", "sender.example p=reject|dept.sender.example p=none; psd=n", "a.dept.sender.example", "sender.example", "", "fail none false false"},
		{"psd=n, within it", "sender.example p=reject|dept.sender.example p=none; psd=n", "a.dept.sender.example", "b.dept.sender.example", "", "pass none false true"},
		{"psd=y, policy of the suffix", "gov.example p=reject; psd=y", "agency.gov.example", "", "", "fail reject false false"},
		{"psd=y, siblings are strangers", "gov.example p=reject; psd=y", "a.gov.example", "b.gov.example", "", "fail reject false false"},
		{"psd=y, one organisation", "gov.example p=reject; psd=y", "a.gov.example", "mail.a.gov.example", "", "pass reject false true"},
		{"the list knows a suffix that is silent", "github.io p=quarantine", "ann.github.io", "eve.github.io", "", "fail quarantine false false"},
		{"the list does not part a suffix from itself", "github.io p=quarantine", "github.io", "github.io", "", "pass quarantine false true"},
		{"many labels", "sender.example p=reject", "a.b.c.d.e.f.g.h.i.j.sender.example", "sender.example", "", "pass reject false true"},
		{"the fewest labels make the organisation", "sender.example p=none|a.sender.example p=reject", "b.a.sender.example", "sender.example", "", "pass none false true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := dnstest.New(t, "real.sender.example. A 192.0.2.9")
			for record := range strings.SplitSeq(test.records, "|") {
				if domain, text, ok := strings.Cut(record, " "); ok {
					server.AddTXT("_dmarc."+domain, "v=DMARC1; "+text)
				}
			}
			message := strings.Replace(letter, "ann@sender.example", "ann@"+test.from, 1)
			if test.signs != "" {
				s := newEd25519(t)
				server.AddTXT("s._domainkey."+test.signs, s.record)
				message = s.sign(t, message, dkim.SignOptions{Domain: test.signs})
			}
			sender := "bounce@unrelated.example"
			if test.spf != "" {
				server.AddTXT(test.spf, "v=spf1 ip4:192.0.2.1 -all")
				sender = "bounce@" + test.spf
			}
			d := check(t, newChecker(t, server), "192.0.2.1", "h.example", sender, message).DMARC
			got := fmt.Sprint(d.Result, " ", d.Policy, " ", d.SPFAligned, " ", d.DKIMAligned)
			if got != test.want || d.Domain != test.from {
				t.Errorf("%s, want %s: %+v", got, test.want, d)
			}
		})
	}
}

// TestTreeWalkAsksEightTimes is the shortcut of RFC 9989 section 4.10.
func TestTreeWalkAsksEightTimes(t *testing.T) {
	server := dnstest.New(t)
	from := strings.Repeat("a.", 60) + "sender.example"
	check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", strings.Replace(letter, "sender.example", from, 1))
	total := 0
	for labels := from; labels != ""; {
		total += server.Asked("_dmarc."+labels, "TXT")
		_, labels, _ = strings.Cut(labels, ".")
	}
	if total != 8 {
		t.Errorf("asked %d times, want 8", total)
	}
}

// TestAuthor is about From fields: what has not exactly one address has no author, and nobody vouches for it.
func TestAuthor(t *testing.T) {
	for _, test := range []struct{ field, address string }{
		{"From: ann@sender.example", "ann@sender.example"},
		{"From: Ann <ann@sender.example>", "ann@sender.example"},
		{"From: <ann@sender.example>", "ann@sender.example"},
		{"From: \"Ann, Lee\" <ann@sender.example>", "ann@sender.example"},
		{"From: \"<eve@evil.example>\" <ann@sender.example>", "ann@sender.example"},
		{"From: ann@sender.example (Ann, <eve@evil.example>)", "ann@sender.example"},
		{"From: Ann\r\n (a \\) comment)\r\n <ann@sender.example>", "ann@sender.example"},
		{"from : Ann J. Lee <ann.lee@Sender.Example>", "ann.lee@Sender.Example"},
		{"From: eve@evil.example <ann@sender.example>", "ann@sender.example"},
		{"From: =?utf-8?q?=C3=84nn?= <\"ann lee\"@sender.example>", "\"ann lee\"@sender.example"},
		{"From: Änn <änn@sender.example>", "änn@sender.example"},
		{"From: <\"a@evil.example\"@sender.example>", "\"a@evil.example\"@sender.example"},
		{"", ""},
		{"From:", ""},
		{"From: Ann", ""},
		{"From: <>", ""},
		{"From: ann@[192.0.2.1]", ""},
		{"From: ann@localhost", ""},
		{"From: ann@sender.example, eve@sender.example", ""},
		{"From: ann@sender.example; eve@sender.example", ""},
		{"From: Group: ann@sender.example;", ""},
		{"From: undisclosed:;", ""},
		{"From: <ann@sender.example> <eve@evil.example>", ""},
		{"From: <ann@sender.example> eve@evil.example", ""},
		{"From: <ann@sender.example> \"eve\"", ""},
		{"From: ann@sender.example\r\nFrom: eve@evil.example", ""},
		{"From: ann@sender.example\nFrom: eve@evil.example", ""},
		{"From: ann@sender.example\rFrom: eve@evil.example", ""},
		{"From: eve@evil.example\r\n<ann@sender.example>", ""}, // a continuation that lost its indent, to tolerant readers
		{"From: eve@evil.example\r\n:<ann@sender.example>", ""},
		{"From: eve@evil.example\r\nodd name: <ann@sender.example>", ""},
		{"From: eve@evil.example\r\n<ann@sender.example>\r\n x: y", ""},
		{"From: ann@sender.example\r\n\r\r\nFrom: eve@evil.example", ""}, // no empty line: the header goes on
		{"From: a@b@sender.example", ""},
		{"From: <a@b@sender.example>", ""},
		{"From: <@relay.example:ann@sender.example>", ""},
		{"From: \"ann <ann@sender.example>", ""},
		{"From: (ann <ann@sender.example>", ""},
		{"From: <ann@sender.example", ""},
		{"From: ann@sender..example", ""},
		{"From: .ann@sender.example", ""},
		{"From: ann@sender.example\x00", ""},
		{"From: ann\xff@sender.example", ""},
	} {
		server := dnstest.New(t)
		message := test.field + "\r\nTo: x@y.example\r\n\r\nHello\r\n"
		if test.field == "" {
			message = message[2:]
		}
		got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", message)
		if got.Identity.Address != test.address {
			t.Errorf("%q: address %q, want %q", test.field, got.Identity.Address, test.address)
		}
		if test.address == "" && (got.DMARC.Result != inbound.ResultPermError || got.Identity.Reason == "" || got.DMARC.Domain != "") {
			t.Errorf("%q: %+v %+v", test.field, got.DMARC, got.Identity)
		}
	}
}
