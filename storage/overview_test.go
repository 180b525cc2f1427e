package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// What is counted and recorded in one run is there in the next.
func TestOverview(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	directory, err := s.Apply(t.Context(), storage.Declaration{
		Accounts:  []string{"one", "two"},
		Endpoints: []storage.Endpoint{{Account: "one", Name: "hook", URL: "https://a.example/"}, {Account: "two", Name: "hook", URL: "https://b.example/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var one, two string
	for id, e := range directory.Endpoints {
		if directory.Accounts[e.Account] == "one" {
			one = id
		} else {
			two = id
		}
	}
	env := envelope(one)
	account := directory.Endpoints[one].Account
	env.Recipients[0].Account = account
	for i := range 4 {
		accept(t, s, env, newBody([]byte(fmt.Sprintf("mail %d", i))))
	}
	for i, d := range due(t, s, one) {
		c := attempt(d)
		switch i {
		case 0:
			c.State, c.Attempt.Outcome, c.Attempt.Duration = storage.StateDead, "status", 3*time.Second
		case 1:
			c.RetryAt, c.Attempt.Outcome = time.Now().Add(-time.Minute), "timeout"
		case 2:
			c.RetryAt, c.Attempt.Outcome = time.Now().Add(time.Hour), "timeout"
		}
		if err := complete(s, c); err != nil {
			t.Fatal(err)
		}
	}
	s.NoteRefusal(storage.Refusal{Account: account, Reason: "recipient", Code: 550}, nil)
	s.NoteRefusal(storage.Refusal{Reason: "recipient", Code: 550}, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, config)
	see := func(account string) *storage.Overview {
		o, err := s.Overview(t.Context(), storage.OverviewQuery{Account: account})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := see(account)
	if o.Accepted != 4 || o.Refused != 1 || o.Delivered != 1 || o.Failed != 3 || o.Waiting != 2 || o.Retrying != 2 || o.Dead != 1 || o.AtLeast {
		t.Errorf("%+v", o)
	}
	if want := []storage.Tally{{"timeout", 2}, {"status", 1}}; !slices.Equal(o.FailedBy, want) {
		t.Errorf("failed by %v", o.FailedBy)
	}
	if age := time.Since(o.OldestDue); age < 50*time.Second || age > 10*time.Minute {
		t.Errorf("oldest due %s", o.OldestDue)
	}
	if len(o.Endpoints) != 1 || o.Endpoints[0].Dead != 1 || o.Endpoints[0].Failed != 3 || o.Endpoints[0].Delivered != 1 || o.Endpoints[0].Pending != 2 {
		t.Errorf("endpoints %+v", o.Endpoints)
	}
	if want := []storage.Tally{{"10", 3}, {"5000", 1}}; !slices.Equal(o.Endpoints[0].Took, want) {
		t.Errorf("took %v", o.Endpoints[0].Took)
	}
	var accepted int64
	for _, p := range o.Points {
		accepted += p.Accepted
	}
	if len(o.Points) < 60 || len(o.Points) > 62 || accepted != 4 {
		t.Errorf("%d points with %d accepted", len(o.Points), accepted)
	}
	if o := see(directory.Endpoints[two].Account); o.Accepted+o.Refused+o.Delivered+o.Failed+o.Waiting+o.Dead != 0 || len(o.Endpoints) != 1 {
		t.Errorf("the other account sees %+v", o)
	}
	if o := see(""); o.Refused != 2 || len(o.Endpoints) != 2 {
		t.Errorf("the operator sees %+v", o)
	}
}

// A flood of refusals is sampled, and takes nothing from what accounts are to know.
func TestRefusalsAreSampled(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	for i := range 5000 {
		s.NoteRefusal(storage.Refusal{Reason: "recipient", Code: 550, Remote: fmt.Sprintf("192.0.2.%d", i%250), Recipient: "x@elsewhere.example"}, nil)
	}
	s.NoteRefusal(storage.Refusal{
		Account: "acc_1", Reason: "spam", Code: 550, Sender: "A@b.example", Recipient: "Me@c.example", Remote: "192.0.2.1",
	}, func() storage.RefusalDetail {
		return storage.RefusalDetail{Reply: "5.7.1 Spam", Found: map[string]string{"score": "17"}, Session: "> DATA\n"}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	list := func(f storage.RefusalFilter) []storage.Refusal {
		f.Limit = 1000
		found, err := s.Refusals(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	all := list(storage.RefusalFilter{})
	if len(all) != 51 {
		t.Errorf("%d are recorded of 5001", len(all))
	}
	own := list(storage.RefusalFilter{Account: "acc_1"})
	if len(own) != 1 || own[0].Found["score"] != "17" || own[0].Recipient != "me@c.example" || own[0].Unrecorded != 4950 || time.Since(own[0].At) > time.Minute {
		t.Fatalf("%+v", own)
	}
	if got := list(storage.RefusalFilter{Recipient: "ME@c.example", Reason: "spam", Remote: "192.0.2.1", Since: time.Now().Add(-time.Hour)}); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	if got := list(storage.RefusalFilter{Since: time.Now().Add(time.Hour)}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := s.Refusal(t.Context(), "acc_2", own[0].ID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("of another account: %v", err)
	}
	if r, err := s.Refusal(t.Context(), "acc_1", own[0].ID); err != nil || r.Session != "> DATA\n" {
		t.Errorf("%+v, %v", r, err)
	}
	o, err := s.Overview(t.Context(), storage.OverviewQuery{})
	if err != nil || o.Refused != 5001 || len(o.RefusedBy) != 2 || o.RefusedBy[0].N != 5000 {
		t.Errorf("%+v, %v", o, err)
	}
}
