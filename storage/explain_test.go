package storage_test

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// TestExplain: what is told of an address is what is decided about it, and every route says why.
func TestExplain(t *testing.T) {
	d := apply(t, open(t, newConfig(t, layouts()[0])), declaration())
	for _, tt := range []struct {
		address, domain string
		chosen          string // match
		text            string // of the explanation, its beginning
		why             map[string]string
	}{
		{"support@example.com", "example.com", "support", "It is accepted.", map[string]string{
			"noreply": `"support" is not "noreply"`, "reply+*": "there is no + in the local part", "*-orders": "the pattern does not cover all of the local part",
			"/FÜR-(?P<who>.*)/": "the expression does not match all of the local part",
		}},
		{"SUPPORT+vip@Example.com", "example.com", "support+vip", "It is accepted.", map[string]string{"reply+*": `before the + stands "support", not "reply"`}},
		{"reply+1@example.com", "example.com", "reply+*", "It is accepted.", nil},
		{"eu-orders@example.com", "example.com", "*-orders", "It is accepted.", map[string]string{"eu-*": "it matches too, but comes after the one that is taken"}},
		{"noreply@example.com", "example.com", "noreply", "Its route refuses it: 550 5.1.1 Nobody reads this", nil},
		{"trash@example.com", "example.com", "trash", "It is accepted and discarded", nil},
		{"nobody@example.com", "example.com", "", "No route matches, so it is refused: 550 5.1.1", nil},
		{"abuse@example.com", "example.com", "", "abuse exists wherever mail is taken", nil},
		{"postmaster@xn--bcher-kva.example", "xn--bcher-kva.example", "", "postmaster exists", map[string]string{"postmaster": "it matches, but postmaster cannot be refused (RFC 5321 section 4.5.1, RFC 2142)"}},
		{"abc@a.b.deep.example.com", "*.deep.example.com", "a?c", "It is accepted.", nil},
		{"who@sub.example.com", "*.example.com", "*", "It is accepted.", nil},
		{"who@elsewhere.example", "", "", "The domain is not declared", nil},
	} {
		p, err := inbound.ParsePath(tt.address, true)
		if err != nil {
			t.Fatal(err)
		}
		e := d.Explain(p)
		decided := d.Recipients(p)
		if e.Domain != tt.domain || !strings.HasPrefix(e.Text, tt.text) || e.Route != decided.Route || (e.Refuse == nil) != (decided.Refuse == nil) {
			t.Errorf("%s: domain %q, %q, route %q", tt.address, e.Domain, e.Text, e.Route)
		}
		chosen := ""
		for _, r := range e.Routes {
			if r.Why == "" {
				t.Errorf("%s: nothing is told of %s", tt.address, r.Match)
			}
			if want, ok := tt.why[r.Match]; ok && r.Why != want {
				t.Errorf("%s: %s: %q, want %q", tt.address, r.Match, r.Why, want)
			}
			if r.Chosen {
				chosen += r.Match
				if decided.Refuse == nil && r.ID != decided.Route {
					t.Errorf("%s: %s is chosen, and %s decides", tt.address, r.ID, decided.Route)
				}
			}
		}
		if chosen != tt.chosen {
			t.Errorf("%s: %q is chosen, want %q", tt.address, chosen, tt.chosen)
		}
	}
}

// TestDomains: they come by name, their routes in the order in which they are tried.
func TestDomains(t *testing.T) {
	d := apply(t, open(t, newConfig(t, layouts()[0])), declaration())
	var got []string
	for _, dom := range d.Domains() {
		got = append(got, dom.Name+":")
		for _, r := range dom.Routes {
			got = append(got, r.Match)
		}
	}
	const want = "*.deep.example.com: a?c *.example.com: * example.com: noreply support support+vip trash reply+* *-orders eu-* " +
		"/ticket-(?P<number>[0-9]+)(-(?P<word>[a-z]+))?/ /FÜR-(?P<who>.*)/ xn--bcher-kva.example: grüße postmaster"
	if strings.Join(got, " ") != want {
		t.Errorf("%s\nwant\n%s", strings.Join(got, " "), want)
	}
}
