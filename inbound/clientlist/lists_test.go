package clientlist_test

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/inbound/clientlist"
	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// said is a log whose lines are waited for.
type said chan string

func (s said) Write(p []byte) (int, error) {
	s <- string(p)
	return len(p), nil
}

// await waits for a line about a zone.
func (s said) await(t *testing.T, words, zone string) string {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case line := <-s:
			if strings.Contains(line, words) && strings.Contains(line, "zone="+zone) {
				return line
			}
		case <-limit:
			t.Fatalf("the log never said %q of %s", words, zone)
		}
	}
}

// start runs lists against a DNS server that remembers nothing. Zones are tested when it returns.
func start(t *testing.T, server *dnstest.Server, lists ...clientlist.List) (*clientlist.Lists, said) {
	t.Helper()
	asker, err := resolver.New(resolver.Config{Servers: []string{server.Addr}, Timeout: 200 * time.Millisecond, Attempts: 1, CacheSize: -1})
	if err != nil {
		t.Fatal(err)
	}
	log := make(said, 1000)
	l, err := clientlist.New(clientlist.Config{Lists: lists, Resolver: asker, Timeout: 2 * time.Second, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for _, list := range lists {
		if list.Zone != "" {
			log.await(t, "its test", list.Zone)
		}
	}
	return l, log
}

func code(t *testing.T, text string) clientlist.Code {
	t.Helper()
	c, err := clientlist.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func networks(t *testing.T, text string) *clientlist.Networks {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := clientlist.ReadNetworks(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLists: what is listed where, and what comes of it.
func TestLists(t *testing.T) {
	server := dnstest.New(t,
		"2.0.0.127.bl.example. A 127.0.0.2", "2.0.0.127.codes.example. A 127.0.0.2", "2.0.0.127.wl.example. A 127.0.0.2",
		"7.113.0.203.bl.example. A 127.0.0.4",
		"8.113.0.203.codes.example. A 127.0.0.9", "9.113.0.203.codes.example. A 127.0.0.3",
		"10.113.0.203.bl.example. A 127.0.0.2", "10.113.0.203.wl.example. A 127.0.9.1",
		"11.113.0.203.bl.example. A 127.255.255.254", "12.113.0.203.bl.example. A 198.51.100.1",
		"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example. A 127.0.0.2")
	server.Fail("13.113.0.203.bl.example", dns.RcodeServerFailure)
	server.Silence("14.113.0.203.bl.example")
	l, _ := start(t, server,
		clientlist.List{Zone: "bl.example", Kind: clientlist.Block, Action: clientlist.Reject},
		clientlist.List{Zone: "codes.example", Kind: clientlist.Block, Action: clientlist.Defer, Codes: []clientlist.Code{code(t, "127.0.0.8-127.0.0.10")}},
		clientlist.List{Zone: "wl.example", Kind: clientlist.Allow},
		clientlist.List{Networks: networks(t, "203.0.113.32/28 # a flood\n\n# nobody\n2001:db8:9::/48\n203.0.113.60\n"), Name: "own", Kind: clientlist.Block, Action: clientlist.Mark},
	)
	for client, want := range map[string]string{
		"203.0.113.7":    "block bl.example 127.0.0.4: 550 5.7.1 203.0.113.7 is listed by bl.example",
		"203.0.113.8":    "block codes.example 127.0.0.9: 451 4.7.1 203.0.113.8 is listed by codes.example",
		"203.0.113.9":    ":",
		"203.0.113.10":   "block bl.example 127.0.0.2, allow wl.example 127.0.9.1: allowed",
		"203.0.113.11":   ":",
		"203.0.113.12":   ":",
		"203.0.113.13":   ":", // no answer is no listing
		"203.0.113.14":   ":",
		"203.0.113.33":   "block own :",
		"203.0.113.60":   "block own :",
		"203.0.113.61":   ":",
		"2001:db8:9:1::": "block own :",
		"2001:db8::7":    "block bl.example 127.0.0.2: 550 5.7.1 2001:db8::7 is listed by bl.example",
		"10.0.0.1":       ":",
	} {
		r := l.Check(t.Context(), netip.MustParseAddr(client))
		var words []string
		for _, listing := range r.Listings {
			words = append(words, listing.Kind+" "+listing.List+" "+listing.Code)
		}
		got := strings.Join(words, ", ") + ":"
		if r.Allowed {
			got += " allowed"
		}
		if r.Refuse != nil {
			got += " " + r.Refuse.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", client, got, want)
		}
	}
	if n := server.Asked("1.0.0.10.bl.example", "A"); n != 0 {
		t.Error("a private address was asked about")
	}
	if err := l.Replace(nil); err != nil {
		t.Fatal(err)
	}
	if r := l.Check(t.Context(), netip.MustParseAddr("203.0.113.7")); r != nil {
		t.Errorf("without lists: %+v", r)
	}
}

// TestZonesThatFailTheirTest are not asked, however they fail, and are asked again when they pass.
func TestZonesThatFailTheirTest(t *testing.T) {
	server := dnstest.New(t,
		"2.0.0.127.everybody.example. A 127.0.0.2", "1.0.0.127.everybody.example. A 127.0.0.2", "7.113.0.203.everybody.example. A 127.0.0.2",
		"7.113.0.203.nobody.example. A 127.0.0.2", "7.113.0.203.gone.example. A 127.0.0.2", "7.113.0.203.broken.example. A 127.0.0.2",
		"2.0.0.127.public.example. A 127.255.255.254", "7.113.0.203.public.example. A 127.0.0.2",
		"2.0.0.127.parked.example. A 198.51.100.1", "1.0.0.127.parked.example. A 198.51.100.1", "7.113.0.203.parked.example. A 127.0.0.2")
	server.Silence("2.0.0.127.gone.example")
	server.Fail("2.0.0.127.broken.example", dns.RcodeServerFailure)
	zones := []string{"everybody.example", "nobody.example", "gone.example", "broken.example", "public.example", "parked.example"}
	lists := make([]clientlist.List, 0, len(zones))
	for _, zone := range zones {
		lists = append(lists, clientlist.List{Zone: zone, Kind: clientlist.Block, Action: clientlist.Reject})
	}
	l, log := start(t, server, lists...)
	client := netip.MustParseAddr("203.0.113.7")
	if r := l.Check(t.Context(), client); len(r.Listings) > 0 || r.Refuse != nil {
		t.Errorf("a zone that failed its test was believed: %+v", r)
	}
	for _, zone := range zones {
		if n := server.Asked("7.113.0.203."+zone, "A"); n != 0 {
			t.Errorf("%s was asked", zone)
		}
	}
	rr, err := dns.NewRR("2.0.0.127.nobody.example. A 127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	server.Add(rr)
	if err := l.Replace(lists[1:2]); err != nil { // what a reload does
		t.Fatal(err)
	}
	log.await(t, "passed its test", "nobody.example")
	if r := l.Check(t.Context(), client); len(r.Listings) != 1 {
		t.Errorf("a zone that passed its test was not asked: %+v", r)
	}
}

// TestZoneThatDies: a zone that ceases to answer is not waited for any more, and nobody is listed for that.
func TestZoneThatDies(t *testing.T) {
	server := dnstest.New(t, "2.0.0.127.bl.example. A 127.0.0.2")
	l, log := start(t, server, clientlist.List{Zone: "bl.example", Kind: clientlist.Block, Action: clientlist.Reject})
	server.Silence("2.0.0.127.bl.example")
	client := netip.MustParseAddr("203.0.113.7")
	server.Silence("7.113.0.203.bl.example")
	for range 5 {
		if r := l.Check(t.Context(), client); len(r.Listings) > 0 {
			t.Errorf("listed: %+v", r)
		}
	}
	log.await(t, "does not answer", "bl.example")
	before := server.Asked("7.113.0.203.bl.example", "A")
	l.Check(t.Context(), client)
	if after := server.Asked("7.113.0.203.bl.example", "A"); after != before {
		t.Error("it is still asked")
	}
}

// TestDeadline: all the lists together take one deadline.
func TestDeadline(t *testing.T) {
	server := dnstest.New(t, "2.0.0.127.a.example. A 127.0.0.2", "2.0.0.127.b.example. A 127.0.0.2")
	l, _ := start(t, server,
		clientlist.List{Zone: "a.example", Kind: clientlist.Block, Action: clientlist.Reject}, clientlist.List{Zone: "b.example", Kind: clientlist.Block, Action: clientlist.Reject})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := l.Check(ctx, netip.MustParseAddr("203.0.113.7")); len(r.Listings) > 0 || r.Refuse != nil {
		t.Errorf("without time: %+v", r)
	}
}

func TestFaults(t *testing.T) {
	one := &clientlist.Networks{}
	for want, list := range map[string]clientlist.List{
		"a zone or a set": {Zone: "a.example", Networks: one, Kind: clientlist.Allow},
		"no name":         {Networks: one, Kind: clientlist.Allow},
		"unknown kind":    {Zone: "a.example"},
		"unknown action":  {Zone: "a.example", Kind: clientlist.Block, Action: "drop"},
	} {
		if _, err := clientlist.New(clientlist.Config{Lists: []clientlist.List{list}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte("192.0.2.1\nnobody\n192.0.2.0/33\n::ffff:192.0.2.0/120\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := clientlist.ReadNetworks(path); err == nil || !strings.Contains(err.Error(), "line 2, 3, 4") {
		t.Errorf("%v", err)
	}
	for _, wrong := range []string{"", "1.2.3.4", "127.0.0.9-127.0.0.2", "bits:0", "bits:256", "127.0.0.0/7", "::1", "127.0.0.2-"} {
		if _, err := clientlist.ParseCode(wrong); err == nil {
			t.Errorf("%q is a code", wrong)
		}
	}
}

// FuzzCode: what is read as a code chooses answers, and nothing else.
func FuzzCode(f *testing.F) {
	for _, seed := range []string{"127.0.0.2", "127.0.0.0/28", "127.0.0.2-127.0.0.11", "bits:6", "127.0.0.2-", "::1", "127.0.0.0/0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := clientlist.ParseCode(text)
		if (err != nil) != (c == clientlist.Code{}) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	})
}

// FuzzNetworks: a network that was read is found, and a file is either read whole or wrong.
func FuzzNetworks(f *testing.F) {
	for _, seed := range []string{"192.0.2.0/24\n", "2001:db8::/32#x\r\n::ffff:192.0.2.1", "a\n\n#\n", "0.0.0.0/0\n::/0"} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "list")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := clientlist.ReadNetworks(path)
		if (n == nil) == (err == nil) {
			t.Fatalf("%v, %v", n, err)
		}
		if n == nil {
			return
		}
		for line := range strings.Lines(string(text)) {
			entry, _, _ := strings.Cut(line, "#")
			if addr, err := netip.ParseAddr(strings.TrimSpace(entry)); err == nil && !n.Contains(addr.Unmap().WithZone("")) {
				t.Errorf("%s is not found", addr)
			}
		}
	})
}
