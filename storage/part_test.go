package storage_test

import (
	"testing"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// apart is an envelope with three recipients: two at one endpoint that wants an event for each, who share another endpoint
// with the third.
func apart() *inbound.Envelope {
	env := envelope("ep_each", "ep_all")
	first := env.Recipients[0]
	first.Endpoints, first.Apart = []string{"ep_each", "ep_all"}, []string{"ep_each"}
	second, third := first, first
	second.Path.LocalPart = "second"
	third.Path.LocalPart, third.Endpoints, third.Apart = "third", []string{"ep_all"}, nil
	env.Recipients = []inbound.Recipient{first, second, third}
	return env
}

// An endpoint that wants one event for each recipient is owed one for each, and each of them has a fate of its own.
func TestOneForEachRecipient(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	accept(t, s, apart(), newBody(content(10)))
	if all := due(t, s, "ep_all"); len(all) != 1 || all[0].Part != 0 {
		t.Fatalf("%+v", all)
	}
	each := due(t, s, "ep_each")
	if len(each) != 2 || each[0].Part+each[1].Part != 3 {
		t.Fatalf("%+v", each)
	}
	first := each[0]
	if err := complete(s, attempt(first)); err != nil {
		t.Fatal(err)
	}
	rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{ID: first.ID})
	if err != nil || len(rows) != 1 || rows[0].Part != first.Part || rows[0].State == storage.StatePending {
		t.Fatalf("%+v, %v", rows, err)
	}
	checkClean(t, s)

	// A replay is for the same recipient, although the other one is still owed.
	if err := s.Retry(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	parts := map[int]bool{}
	for _, d := range due(t, s, "ep_each") {
		parts[d.Part] = d.Replay
	}
	if len(parts) != 2 || !parts[first.Part] || parts[3-first.Part] {
		t.Errorf("replays by part: %v", parts)
	}
	checkClean(t, s)

	// One of the two lost is a broken promise.
	damage(t, config, "DELETE FROM delivery WHERE part = ?", 3-first.Part)
	faults := 0
	if err := s.Check(t.Context(), func(storage.Fault) { faults++ }); err != nil || faults != 1 {
		t.Errorf("%d faults, %v", faults, err)
	}
}

// What is stored keeps its parts whatever the endpoint wants later.
func TestPartsAreOfTheEnvelope(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	declare := func(per bool) *storage.Directory {
		d, err := s.Apply(t.Context(), storage.Declaration{
			Accounts: []string{"acme"}, Domains: []storage.DeclaredDomain{{Name: "in.example", Account: "acme"}},
			Endpoints: []storage.Endpoint{{Account: "acme", Name: "app", PerRecipient: per}},
			Routes:    []storage.DeclaredRoute{{Domain: "in.example", Match: "*", Endpoints: []string{"app"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	path := inbound.Path{LocalPart: "a", Domain: "in.example"}
	if decision := declare(true).Recipients(path); len(decision.Apart) != 1 || decision.Apart[0] != decision.Endpoints[0] {
		t.Errorf("%+v", decision)
	}
	if decision := declare(false).Recipients(path); len(decision.Apart) != 0 {
		t.Errorf("%+v", decision)
	}
}
