package storage_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

var (
	oldKey = replyaddr.Key(bytes.Repeat([]byte{1}, 32))
	newKey = replyaddr.Key(bytes.Repeat([]byte{2}, 32))
)

// replying is a declaration with both token policies.
func replying() storage.Declaration {
	d := declaration()
	d.Domains = []storage.DeclaredDomain{
		{Name: "bücher.example", Account: "umbrella", ReplyKeys: []replyaddr.Key{newKey, oldKey}},
		{Name: "*.example.com", Account: "acme", ReplyKeys: []replyaddr.Key{newKey}},
	}
	d.Routes = []storage.DeclaredRoute{
		{Domain: "bücher.example", Match: "Grüße+*", Token: storage.TokenRequired, Endpoints: []string{"first"}},
		{Domain: "bücher.example", Match: "*", Endpoints: []string{"first"}},
		{Domain: "*.example.com", Match: "reply+*", Token: storage.TokenMarked, Endpoints: []string{"first"}},
		{Domain: "*.example.com", Match: "reply+sales", Endpoints: []string{"first"}},
		{Domain: "*.example.com", Match: "plain+*", Endpoints: []string{"first"}},
	}
	return d
}

// mint makes an address and gives it as the path that a peer would name.
func mint(t *testing.T, key replyaddr.Key, local, domain string, token replyaddr.Token) inbound.Path {
	t.Helper()
	box, err := storage.ReplyMailbox(local, domain)
	if err != nil {
		t.Fatal(err)
	}
	address, err := replyaddr.Mint(key, box, token)
	if err != nil {
		t.Fatal(err)
	}
	path, err := inbound.ParsePath(address, true)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTokens(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	config := newConfig(t, layouts()[0])
	config.Now = func() time.Time { return now }
	d := apply(t, open(t, config), replying())
	const notValid, expired = "550 5.7.1 This reply address is not valid", "550 5.7.1 This reply address has expired"
	soon, late := replyaddr.Token{Data: "Ticket-42", Expires: now.Add(time.Hour)}, replyaddr.Token{Data: "Ticket-42", Expires: now}
	strict := func(key replyaddr.Key, said replyaddr.Token) inbound.Path {
		return mint(t, key, "grüße", "bücher.example", said)
	}
	lenient := func(key replyaddr.Key, said replyaddr.Token) inbound.Path {
		return mint(t, key, "reply", "a.example.com", said)
	}
	written := func(p inbound.Path, domain string) inbound.Path {
		return inbound.Path{LocalPart: p.LocalPart, Domain: domain}
	}
	spelled := strict(newKey, soon)
	spelled.LocalPart = "GRU\u0308ẞE" + strings.ToUpper(strings.TrimPrefix(spelled.LocalPart, "grüße"))
	valid := &inbound.Token{Valid: true, Data: "Ticket-42", Expires: soon.Expires}
	tests := []struct {
		name   string
		path   inbound.Path
		refuse string
		token  *inbound.Token
	}{
		{"valid", strict(newKey, soon), "", valid},
		{"the key before", strict(oldKey, soon), "", valid},
		{"U-label, upper case, decomposed", written(spelled, "BÜCHER.example"), "", valid},
		{"never expires", strict(newKey, replyaddr.Token{}), "", &inbound.Token{Valid: true}},
		{"expired", strict(newKey, late), expired, nil},
		{"another domain's", written(strict(newKey, soon), "a.example.com"), "550 5.1.1", nil},
		{"no token", inbound.Path{LocalPart: "grüße+", Domain: "bücher.example"}, notValid, nil},
		{"no detail", inbound.Path{LocalPart: "grüße", Domain: "bücher.example"}, "", nil}, // the catch-all
		{"another local-part's", inbound.Path{LocalPart: strings.Replace(lenient(newKey, soon).LocalPart, "reply", "grüße", 1), Domain: "bücher.example"}, notValid, nil},

		{"marked: valid", lenient(newKey, soon), "", valid},
		{"marked: expired", lenient(newKey, late), "", &inbound.Token{Data: "Ticket-42", Expires: now, Reason: "expired"}},
		{"marked: a key that is gone", lenient(oldKey, soon), "", &inbound.Token{Reason: "forged"}},
		{"marked: of a sister domain", written(lenient(newKey, soon), "b.example.com"), "", &inbound.Token{Reason: "forged"}},
		{"marked: no token", inbound.Path{LocalPart: "reply+k3y", Domain: "a.example.com"}, "", &inbound.Token{Reason: "malformed"}},
		{"an exact route", inbound.Path{LocalPart: "reply+sales", Domain: "a.example.com"}, "", nil},
		{"no policy", inbound.Path{LocalPart: "plain+k3y", Domain: "a.example.com"}, "", nil},
	}
	for _, tt := range tests {
		got := d.Recipients(tt.path)
		if refuse := ""; tt.refuse != "" {
			if got.Refuse != nil {
				refuse = got.Refuse.Error()
			}
			if !strings.HasPrefix(refuse, tt.refuse) {
				t.Errorf("%s: %s answered %q, want %q", tt.name, tt.path, refuse, tt.refuse)
			}
			continue
		}
		if got.Refuse != nil || len(got.Endpoints) != 1 {
			t.Errorf("%s: %s: %+v", tt.name, tt.path, got)
		}
		if diff := cmp.Diff(tt.token, got.Token); diff != "" {
			t.Errorf("%s: token (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestMaxSizeOfRouteAndDomain(t *testing.T) {
	declared := replying()
	declared.Domains[0].MaxSize = 1000
	declared.Routes[0].MaxSize, declared.Routes[0].Token = 5000, storage.TokenMarked
	d := apply(t, open(t, newConfig(t, layouts()[0])), declared)
	for local, want := range map[string]int64{"grüße+x": 5000, "anyone": 1000, "postmaster": 1000} {
		if got := d.Recipients(inbound.Path{LocalPart: local, Domain: "bücher.example"}); got.Refuse != nil || got.MaxSize != want {
			t.Errorf("%s: %d octets, want %d", local, got.MaxSize, want)
		}
	}
	if got := d.Recipients(inbound.Path{LocalPart: "reply+sales", Domain: "a.example.com"}); got.Refuse != nil || got.MaxSize != 0 {
		t.Errorf("without a limit: %+v", got)
	}
}

func TestApplyReportsFaultsOfTokensAndSizes(t *testing.T) {
	d := replying()
	d.Domains = append(d.Domains, storage.DeclaredDomain{Name: "keyless.example", Account: "acme", MaxSize: -1})
	d.Routes = append(d.Routes,
		storage.DeclaredRoute{Domain: "keyless.example", Match: "reply+*", Token: storage.TokenRequired},
		storage.DeclaredRoute{Domain: "bücher.example", Match: "a*", Token: storage.TokenRequired},
		storage.DeclaredRoute{Domain: "bücher.example", Match: "b+*", Token: "optional"},
		storage.DeclaredRoute{Domain: "bücher.example", Match: "c+*", Token: storage.TokenMarked, Refuse: &inbound.Reply{}, MaxSize: -1},
	)
	err := d.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{
		`domain "keyless.example": a size is negative`, `route "reply+*" of "keyless.example" looks for a token and the domain has no reply keys`,
		`route "a*" of "bücher.example": a token stands behind`, `there is no token policy "optional"`,
		`route "c+*" of "bücher.example" refuses whatever`, `route "c+*" of "bücher.example": a size is negative`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s\n%v", want, err)
		}
	}
}
