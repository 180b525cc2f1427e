package resolver

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func text(s string) []dns.RR {
	return []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "x.", Rrtype: dns.TypeTXT}, Txt: []string{s}}}
}

func TestCacheKeepsToTTL(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	c := newCache(1<<20, func() time.Time { return now })
	k := key{"a.", dns.TypeTXT}
	c.put(k, &answer{records: text("one"), ttl: time.Minute})
	now = now.Add(59 * time.Second)
	if c.get(k) == nil {
		t.Error("forgotten too early")
	}
	now = now.Add(time.Second)
	if c.get(k) != nil || c.size != 0 || c.order.Len() != 0 {
		t.Error("remembered for too long")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(100_000, time.Now)
	first := key{"0.", dns.TypeTXT}
	for i := range 5000 {
		c.put(key{fmt.Sprint(i, "."), dns.TypeTXT}, &answer{records: text("some text"), ttl: time.Hour})
		if c.get(first) == nil {
			t.Fatalf("what is used all the time was forgotten after %d", i)
		}
		if c.size > 100_000 || c.order.Len() != len(c.entries) {
			t.Fatalf("%d octets, %d and %d entries", c.size, c.order.Len(), len(c.entries))
		}
	}
	if len(c.entries) < 50 {
		t.Errorf("only %d entries", len(c.entries))
	}
	off := newCache(-1, time.Now)
	if off.put(first, &answer{ttl: time.Hour}); off.get(first) != nil {
		t.Error("remembered although it should not")
	}
}

// TestNegativeTTL is RFC 2308 section 5.
func TestNegativeTTL(t *testing.T) {
	soa := func(ttl, minimum uint32) *dns.Msg {
		return &dns.Msg{Ns: []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Ttl: ttl}, Minttl: minimum}}}
	}
	for _, test := range []struct {
		reply *dns.Msg
		want  time.Duration
	}{
		{soa(300, 60), time.Minute},
		{soa(30, 60), 30 * time.Second},
		{soa(86400, 86400), maxNegativeTTL},
		{soa(1<<31, 60), 0},
		{&dns.Msg{}, 0},
	} {
		if got := read(test.reply, "x.", dns.TypeTXT).ttl; got != test.want {
			t.Errorf("%v, want %v", got, test.want)
		}
	}
}

// TestTTLOfAliases is the shortest of the chain's.
func TestTTLOfAliases(t *testing.T) {
	header := func(name string, qtype uint16, ttl uint32) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: ttl}
	}
	reply := &dns.Msg{Answer: []dns.RR{
		&dns.CNAME{Hdr: header("A.example.", dns.TypeCNAME, 20), Target: "b.example."},
		&dns.TXT{Hdr: header("b.example.", dns.TypeTXT, 50), Txt: []string{"x"}},
		&dns.TXT{Hdr: header("stranger.example.", dns.TypeTXT, 5), Txt: []string{"y"}},
	}}
	if a := read(reply, "a.example.", dns.TypeTXT); a.ttl != 20*time.Second || len(a.records) != 1 {
		t.Errorf("%+v", a)
	}
}
