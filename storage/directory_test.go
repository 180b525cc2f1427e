package storage_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// declaration is an operator's file with every kind of route.
func declaration() storage.Declaration {
	return storage.Declaration{
		Accounts: []string{"acme", "umbrella"},
		Domains: []storage.DeclaredDomain{
			{Name: "example.com", Account: "acme"}, {Name: "*.example.com", Account: "acme"},
			{Name: "bücher.example", Account: "umbrella"}, {Name: "*.deep.example.com", Account: "umbrella"},
		},
		Endpoints: []storage.Endpoint{
			{Account: "acme", Name: "first", URL: "https://a.example/1"},
			{Account: "acme", Name: "second", URL: "https://a.example/2"},
			{Account: "umbrella", Name: "first", URL: "https://u.example/1"},
		},
		Routes: []storage.DeclaredRoute{
			{Domain: "example.com", Match: "/ticket-(?P<number>[0-9]+)(-(?P<word>[a-z]+))?/", Endpoints: []string{"second"}},
			{Domain: "example.com", Match: "/FÜR-(?P<who>.*)/", Endpoints: []string{"second"}},
			{Domain: "example.com", Match: "*-orders", Endpoints: []string{"second"}},
			{Domain: "example.com", Match: "eu-*", Endpoints: []string{"first"}},
			{Domain: "example.com", Match: "reply+*", Endpoints: []string{"first", "second", "first"}},
			{Domain: "example.com", Match: "Support", Endpoints: []string{"first"}},
			{Domain: "example.com", Match: "support+vip", Endpoints: []string{"second"}},
			{Domain: "example.com", Match: "noreply", Refuse: &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "Nobody reads this"}},
			{Domain: "example.com", Match: "trash"},
			{Domain: "*.example.com", Match: "*", Endpoints: []string{"first"}},
			{Domain: "bücher.example", Match: "grüße", Endpoints: []string{"first"}},
			{Domain: "bücher.example", Match: "postmaster", Refuse: &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "No"}},
			{Domain: "*.deep.example.com", Match: "a?c", Endpoints: []string{"first"}},
		},
	}
}

func apply(t *testing.T, s *storage.Store, d storage.Declaration) *storage.Directory {
	t.Helper()
	directory, err := s.Apply(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestRecipients(t *testing.T) {
	d := apply(t, open(t, newConfig(t, layouts()[0])), declaration())
	const unknown, foreign = "550 5.1.1", "550 5.7.1"
	tests := []struct {
		local, domain string
		want          string // account and endpoints by name, or the beginning of the refusal
		captures      map[string]string
	}{
		{"support", "example.com", "acme: first", nil},
		{"SUPPORT", "EXAMPLE.Com", "acme: first", nil},
		{"support", "example.com.", "acme: first", nil},
		{"support+vip", "example.com", "acme: second", nil},
		{"support+other", "example.com", unknown, nil},
		{"reply+k3Y", "example.com", "acme: first second", nil},
		{"reply+a+b", "example.com", "acme: first second", nil},
		{"reply+", "example.com", "acme: first second", nil},
		{"reply", "example.com", unknown, nil},
		{"new-orders", "example.com", "acme: second", nil},
		{"-orders", "example.com", "acme: second", nil},
		{"eu-orders", "example.com", "acme: second", nil}, // the glob declared first
		{"eu-sales", "example.com", "acme: first", nil},
		{"orders", "example.com", unknown, nil},
		{"ticket-12", "example.com", "acme: second", map[string]string{"number": "12", "word": ""}},
		{"Ticket-12-AbC", "example.com", "acme: second", map[string]string{"number": "12", "word": "AbC"}},
		{"my-ticket-12", "example.com", unknown, nil},
		{"ticket-1-gru\u0308n", "example.com", unknown, nil},
		{"fu\u0308r-Ann", "example.com", "acme: second", map[string]string{"who": "Ann"}}, // NFC, as everywhere
		{"ticket-12\n", "example.com", unknown, nil},
		{"ticket-1-orders", "example.com", "acme: second", nil}, // glob before regular expression
		{"noreply", "example.com", "550 5.1.1 Nobody", nil},
		{"trash", "example.com", "acme:", nil},
		{"nobody", "example.com", unknown, nil},
		{"anyone", "sub.example.com", "acme: first", nil},
		{"anyone", "a.b.example.com", "acme: first", nil},
		{"abc", "x.deep.example.com", "umbrella: first", nil},
		{"abbc", "x.deep.example.com", unknown, nil},
		{"anyone", "deep.example.com", "acme: first", nil},
		{"grüße", "bücher.example", "umbrella: first", nil},
		{"GRÜẞE", "BÜCHER.example", "umbrella: first", nil},
		{"gru\u0308ße", "xn--bcher-kva.example", "umbrella: first", nil},
		{"grüße", "XN--BCHER-KVA.example", "umbrella: first", nil},
		{"grüße", "bu\u0308cher.example", "umbrella: first", nil},
		{"anyone", "bücher.example.com", "acme: first", nil}, // below a wildcard
		{"anyone", "xn--bcher-kva.example.com", "acme: first", nil},
		{"postmaster", "example.com", "acme: first", nil},
		{"Abuse", "example.com", "acme: first", nil},
		{"postmaster", "bücher.example", "umbrella: first", nil}, // cannot be refused
		{"postmaster", "sub.example.com", "acme: first", nil},
		{"Postmaster", "", "acme: first", nil},
		{"support", "", foreign, nil},
		{"support", "example.org", foreign, nil},
		{"support", "xexample.com", foreign, nil},
		{"support", "com", foreign, nil},
		{"postmaster", "example.org", foreign, nil},
		{"support", "[192.0.2.1]", foreign, nil},
		{"support", "*.example.com", foreign, nil},
		{"support", strings.Repeat("a.", 120) + "example.com", "acme: first", nil},
	}
	for _, test := range tests {
		p := inbound.Path{LocalPart: test.local, Domain: test.domain}
		got := d.Recipients(p)
		if text := describe(d, got); text != test.want && (got.Refuse == nil || !strings.HasPrefix(text, test.want)) {
			t.Errorf("%q at %q: %s, want %s", test.local, test.domain, text, test.want)
		}
		if diff := cmp.Diff(test.captures, got.Captures); diff != "" {
			t.Errorf("%q at %q: captures (-want +got):\n%s", test.local, test.domain, diff)
		}
	}
	got := d.Recipients(inbound.Path{LocalPart: "reply+k3Y+z", Domain: "example.com"})
	if got.LocalPart != "reply" || got.Detail != "k3Y+z" || !strings.HasPrefix(got.Route, "rt_") {
		t.Errorf("decision %+v", got)
	}
}

// describe gives a decision by names.
func describe(d *storage.Directory, got inbound.Decision) string {
	if got.Refuse != nil {
		return got.Refuse.Error()
	}
	text := d.Accounts[got.Account] + ":"
	for _, id := range got.Endpoints {
		text += " " + d.Endpoints[id].Name
	}
	return text
}

func TestAcceptAllTakesEveryDomain(t *testing.T) {
	declared := declaration()
	declared.AcceptAll = &storage.AcceptAll{Account: "umbrella", Endpoint: "first"}
	d := apply(t, open(t, newConfig(t, layouts()[0])), declared)
	for _, p := range []inbound.Path{
		{LocalPart: "x", Domain: "example.org"}, {LocalPart: "x", Domain: "localhost"}, {LocalPart: "x", Domain: "[192.0.2.1]"},
		{LocalPart: "a b", Domain: "under_score.example"}, {LocalPart: "postmaster", Domain: "example.org"},
	} {
		if got := describe(d, d.Recipients(p)); got != "umbrella: first" {
			t.Errorf("%v: %s", p, got)
		}
	}
	if got := describe(d, d.Recipients(inbound.Path{LocalPart: "nobody", Domain: "example.com"})); !strings.HasPrefix(got, "550 5.1.1") {
		t.Errorf("a declared domain keeps its routes: %s", got)
	}
}

func TestApplyKeepsIds(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	before := apply(t, s, declaration())
	route := before.Recipients(inbound.Path{LocalPart: "support", Domain: "example.com"}).Route

	changed := declaration()
	changed.Endpoints = slices.Delete(changed.Endpoints, 1, 2) // without acme's "second"
	changed.Routes = []storage.DeclaredRoute{
		{Domain: "example.com", Match: "new", Endpoints: []string{"first"}},
		{Domain: "EXAMPLE.com", Match: "SUPPORT", Endpoints: []string{"first"}},
	}
	s.Close()
	s = open(t, config)
	after := apply(t, s, changed)
	if got := after.Recipients(inbound.Path{LocalPart: "support", Domain: "example.com"}).Route; got != route {
		t.Errorf("route %s, before %s", got, route)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(before.Endpoints)), slices.Sorted(maps.Keys(after.Endpoints))); diff != "" {
		t.Errorf("endpoints (-before +after):\n%s", diff)
	}
	for id, e := range after.Endpoints {
		gone := e.Name == "second"
		if e.Disabled != gone || e.ID != id || (e.URL == "") != gone {
			t.Errorf("endpoint %+v", e)
		}
	}
	if diff := cmp.Diff(before.Accounts, after.Accounts); diff != "" {
		t.Errorf("accounts (-before +after):\n%s", diff)
	}
	back := apply(t, s, declaration())
	if diff := cmp.Diff(before.Endpoints, back.Endpoints); diff != "" {
		t.Errorf("declared again (-before +after):\n%s", diff)
	}
}

func TestApplyReportsEveryFault(t *testing.T) {
	d := declaration()
	d.Accounts = append(d.Accounts, "acme", "", "mute")
	d.Domains = append(d.Domains, storage.DeclaredDomain{Name: "mute.example", Account: "mute"}, storage.DeclaredDomain{Name: "EXAMPLE.com", Account: "acme"},
		storage.DeclaredDomain{Name: "a b", Account: "acme"}, storage.DeclaredDomain{Name: "ok.example", Account: "nobody"})
	d.Endpoints = append(d.Endpoints, storage.Endpoint{Account: "acme", Name: "first"}, storage.Endpoint{Account: "acme"},
		storage.Endpoint{Account: "nobody", Name: "lost"})
	d.Routes = append(d.Routes,
		storage.DeclaredRoute{Domain: "example.com", Match: "SUPPORT"},
		storage.DeclaredRoute{Domain: "example.com", Match: "/(/"},
		storage.DeclaredRoute{Domain: "example.com", Match: ""},
		storage.DeclaredRoute{Domain: "example.org", Match: "x"},
		storage.DeclaredRoute{Domain: "example.com", Match: "y", Endpoints: []string{"third"}},
		storage.DeclaredRoute{Domain: "example.com", Match: "z", Endpoints: []string{"first"}, Refuse: &inbound.Reply{}},
	)
	d.AcceptAll = &storage.AcceptAll{Account: "acme", Endpoint: "third"}
	s := open(t, newConfig(t, layouts()[0]))
	before := apply(t, s, declaration())
	_, err := s.Apply(t.Context(), d)
	if err == nil {
		t.Fatal("applied")
	}
	for _, want := range []string{
		`account "acme" is declared twice`, "an account has no name", `domain "EXAMPLE.com" is declared twice`, `domain "a b":`,
		`domain "mute.example": account "mute" has no endpoint`, `domain "ok.example": there is no account "nobody"`, `endpoint "first" is declared twice`, `an endpoint of account "acme" has no name`,
		`endpoint "lost": there is no account "nobody"`, `route "SUPPORT" of "example.com" is declared twice`, `route "/(/" of "example.com": regular`,
		`route "" of "example.com": a match must not be empty`, `route "x": domain "example.org" is not declared`,
		`account "acme" has no endpoint "third"`, "refuses and has endpoints", `accept all: account "acme" has no endpoint "third"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s", want)
		}
	}
	if diff := cmp.Diff(before.Endpoints, apply(t, s, declaration()).Endpoints); diff != "" {
		t.Errorf("the faulty declaration changed something:\n%s", diff)
	}
}

func FuzzRecipients(f *testing.F) {
	s, err := storage.Open(f.Context(), newConfig(f, layouts()[0]))
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	d, err := s.Apply(f.Context(), declaration())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("support", "example.com")
	f.Add("reply+\x00", "xn--a.example.com")
	f.Add("\xff", "..example.com")
	f.Fuzz(func(t *testing.T, local, domain string) {
		got := d.Recipients(inbound.Path{LocalPart: local, Domain: domain})
		switch {
		case got.Refuse != nil && (got.Account != "" || got.Endpoints != nil):
			t.Errorf("refused and accepted: %+v", got)
		case got.Refuse == nil && d.Accounts[got.Account] == "":
			t.Errorf("accepted for nobody: %+v", got)
		}
	})
}

// TestDecisionsOfApplications: who decides about a mail and who is asked about a recipient follow the route, then the domain; never for
// postmaster and abuse, which exist whatever an application thinks.
func TestDecisionsOfApplications(t *testing.T) {
	d := apply(t, open(t, newConfig(t, layouts()[0])), storage.Declaration{
		Accounts:  []string{"acme"},
		Endpoints: []storage.Endpoint{{Account: "acme", Name: "first", URL: "https://a.example/1"}},
		Domains:   []storage.DeclaredDomain{{Name: "example.com", Account: "acme", Check: "people"}, {Name: "example.org", Account: "acme"}},
		Routes: []storage.DeclaredRoute{
			{Domain: "example.com", Match: "*", Endpoints: []string{"first"}, Sync: true},
			{Domain: "example.com", Match: "later", Endpoints: []string{"first"}, Check: "others"},
			{Domain: "example.com", Match: "open", Check: storage.CheckNone},
			{Domain: "example.com", Match: "gone", Refuse: &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "Gone"}},
			{Domain: "example.com", Match: "abuse", Endpoints: []string{"first"}, Sync: true, Check: "others"},
			{Domain: "example.org", Match: "ask", Endpoints: []string{"first"}, Check: "people"},
			{Domain: "example.org", Match: "*", Endpoints: []string{"first"}},
		},
	})
	for address, want := range map[string]string{
		"anyone@example.com": "sync people", "later@example.com": " others", "open@example.com": " ", "gone@example.com": " ",
		"postmaster@example.com": " ", "ABUSE@example.com": " ", "ask@example.org": " people", "anyone@example.org": " ",
	} {
		local, domain, _ := strings.Cut(address, "@")
		got := d.Recipients(inbound.Path{LocalPart: local, Domain: domain})
		word := " "
		if got.Decider() != "" {
			word = "sync "
		}
		if word += got.Check; word != want {
			t.Errorf("%s: %q, want %q", address, word, want)
		}
	}
}

// TestSyncNeedsOneEndpoint: with none or two there would be nobody to decide, or two.
func TestSyncNeedsOneEndpoint(t *testing.T) {
	for n, names := range [][]string{nil, {"first"}, {"first", "second"}} {
		d := declaration()
		d.Routes = append(d.Routes, storage.DeclaredRoute{Domain: "example.com", Match: "sync", Endpoints: names, Sync: true})
		if err := d.Validate(); (err == nil) != (n == 1) {
			t.Errorf("%d endpoints: %v", n, err)
		}
	}
}
