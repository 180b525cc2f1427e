package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/storage"
)

// declareOne makes an endpoint known and gives its id.
func declareOne(t *testing.T, s *storage.Store) string {
	t.Helper()
	d, err := s.Apply(t.Context(), storage.Declaration{
		Accounts: []string{"acme"}, Endpoints: []storage.Endpoint{{Name: "app", Account: "acme", URL: "https://app.example/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range d.Endpoints {
		return id
	}
	return ""
}

func lives(t *testing.T, s *storage.Store) []storage.EndpointLife {
	t.Helper()
	all, err := s.Lives(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLivesSurvive(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	id := declareOne(t, s)
	at := time.UnixMilli(1_800_000_000_000)
	want := storage.EndpointLife{
		Endpoint: id, State: storage.EndpointBroken, Reason: "answered 404", Since: at, RestUntil: at.Add(time.Hour), RestReason: "broken",
		Probes: 3, FailingSince: at.Add(-time.Hour), FailedAt: at, Warned: 50,
	}
	for range 2 { // the second time over its own row
		if overtaken, err := s.SaveLives(t.Context(), []storage.EndpointLife{want}); err != nil || len(overtaken) != 0 {
			t.Fatalf("%+v, %v", overtaken, err)
		}
	}
	s.Close()
	s = open(t, config)
	if diff := cmp.Diff([]storage.EndpointLife{want}, lives(t, s)); diff != "" {
		t.Errorf("after the restart (-want +got):\n%s", diff)
	}
	known, err := s.KnownEndpoints(t.Context())
	if err != nil || len(known) != 1 || known[0].Life.State != storage.EndpointBroken {
		t.Errorf("known: %+v, %v", known, err)
	}
}

// The operator's word is not overwritten by what the server knew before.
func TestOperatorOvertakes(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	id := declareOne(t, s)
	before := storage.EndpointLife{Endpoint: id, State: storage.EndpointDisabled, Reason: "answered 410", Warned: 90}
	if _, err := s.SaveLives(t.Context(), []storage.EndpointLife{before}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetEndpointState(t.Context(), id, storage.EndpointEnabled, "by the operator"); err != nil {
		t.Fatal(err)
	}
	other := storage.EndpointLife{Endpoint: "ep_other", State: storage.EndpointBroken}
	before.Probes = 7
	overtaken, err := s.SaveLives(t.Context(), []storage.EndpointLife{before, other})
	if err != nil || len(overtaken) != 1 || overtaken[0].State != storage.EndpointEnabled || overtaken[0].Revision != 1 || overtaken[0].Warned != 0 {
		t.Fatalf("%+v, %v", overtaken, err)
	}
	after := overtaken[0]
	after.State = storage.EndpointBroken
	if again, err := s.SaveLives(t.Context(), []storage.EndpointLife{after}); err != nil || len(again) != 0 {
		t.Errorf("what was read last is overtaken: %+v, %v", again, err)
	}
	if all := lives(t, s); len(all) != 2 {
		t.Errorf("%+v", all)
	}
	if err := s.SetEndpointState(t.Context(), "ep_none", storage.EndpointPaused, ""); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("an unknown endpoint: %v", err)
	}
}

func TestEndpointTests(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	id, err := s.AskTest(t.Context(), "ep_1")
	if err != nil {
		t.Fatal(err)
	}
	pending, err := s.PendingTests(t.Context())
	if err != nil || len(pending) != 1 || pending[0].ID != id || !pending[0].At.IsZero() {
		t.Fatalf("%+v, %v", pending, err)
	}
	made := pending[0]
	made.At, made.Duration, made.Outcome, made.Status, made.Detail.Error = time.UnixMilli(5), time.Millisecond, "status", 404, "no"
	if err := s.EndTest(t.Context(), &made); err != nil {
		t.Fatal(err)
	}
	got, err := s.Test(t.Context(), "ep_1", id)
	if diff := cmp.Diff(made, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if pending, err := s.PendingTests(t.Context()); err != nil || len(pending) != 0 {
		t.Errorf("still pending: %+v, %v", pending, err)
	}
	if _, err := s.AskTest(t.Context(), "ep_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Test(t.Context(), "ep_1", id); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the old one is kept: %v", err)
	}
}

// A retry by hand brings forward what waits for a later time, and leaves what is due in its place.
func TestRetryKeepsThePlaceOfWhatIsDue(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	first := due(t, s, "ep_1")[0]
	if err := s.Retry(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if now := due(t, s, "ep_1")[0]; !now.DueAt.Equal(first.DueAt) {
		t.Errorf("due %s became %s", first.DueAt, now.DueAt)
	}
	c := attempt(first)
	c.RetryAt, c.Spared = time.Now().Add(time.Hour), true
	if err := complete(s, c); err != nil {
		t.Fatal(err)
	}
	if err := s.Retry(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	again := due(t, s, "ep_1")
	if len(again) != 1 || again[0].DueAt.After(time.Now()) || again[0].Attempts != 1 || again[0].Spared != 1 {
		t.Errorf("%+v", again)
	}
}
