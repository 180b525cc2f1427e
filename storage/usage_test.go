package storage_test

import (
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// What became of deliveries is of the account that their endpoint belongs to, also when the endpoint is removed.
func TestUsageIsOfAccounts(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		directory := apply(t, s, storage.Declaration{
			Accounts:  []string{"one", "two"},
			Endpoints: []storage.Endpoint{{Account: "one", Name: "hook", URL: "https://a.example/"}, {Account: "two", Name: "hook", URL: "https://b.example/"}},
		})
		want := map[string]storage.Usage{}
		for id, e := range directory.Endpoints {
			ends := map[string]int64{storage.StateDelivered: 3, storage.StateDead: 2, storage.StateFiltered: 1}
			if directory.Accounts[e.Account] == "two" {
				ends = map[string]int64{storage.StateDelivered: 1}
			}
			u := storage.Usage{Account: e.Account, Delivered: ends[storage.StateDelivered], Dead: ends[storage.StateDead], Filtered: ends[storage.StateFiltered]}
			for end, n := range ends {
				for range n {
					env, raw := envelope(id), content(50)
					env.Recipients[0].Account = e.Account
					accept(t, s, env, newBody(raw))
					u.Messages, u.Octets = u.Messages+1, u.Octets+int64(len(raw))
					endAs(t, s, due(t, s, id)[0], end)
				}
			}
			want[e.Account] = u
		}
		apply(t, s, storage.Declaration{Accounts: []string{"one", "two"}})
		if err := s.FlushNotes(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := usageOf(t, s, "")
		if len(all) != 2 {
			t.Errorf("the operator sees %+v", all)
		}
		for account, u := range want {
			if all[account] != u {
				t.Errorf("the operator sees %+v, want %+v", all[account], u)
			}
			if own := usageOf(t, s, account); len(own) != 1 || own[account] != u {
				t.Errorf("%s sees %+v, want %+v alone", account, own, u)
			}
		}
	})
}

// endAs ends a delivery in a state.
func endAs(t *testing.T, s *storage.Store, d storage.Delivery, state string) {
	t.Helper()
	c := attempt(d)
	c.State, c.Unattempted = state, state == storage.StateFiltered
	if state == storage.StateDead {
		c.Attempt.Outcome = "status"
	}
	if err := complete(s, c); err != nil {
		t.Fatal(err)
	}
}

// usageOf gives the usage of an account, "" of all, added up over the days.
func usageOf(t *testing.T, s *storage.Store, account string) map[string]storage.Usage {
	t.Helper()
	list, err := s.Usage(t.Context(), account, time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, 2))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]storage.Usage{}
	for _, u := range list {
		sum := sums[u.Account]
		sums[u.Account] = storage.Usage{
			Account: u.Account, Messages: sum.Messages + u.Messages, Octets: sum.Octets + u.Octets,
			Delivered: sum.Delivered + u.Delivered, Dead: sum.Dead + u.Dead, Filtered: sum.Filtered + u.Filtered,
		}
	}
	return sums
}
