package storage_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestRecentOverview: those who look at the same get the same, and none gets what is another account's.
func TestRecentOverview(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		receive(t, s, mailbox{account: "acc_1", from: "a@b.example", to: "c@d.example"})
		for counted := int64(0); counted == 0; { // a mail is counted soon after it is accepted
			o, err := s.Overview(t.Context(), storage.OverviewQuery{})
			if err = errors.Join(err, s.FlushNotes(t.Context())); err != nil {
				t.Fatal(err)
			}
			counted = o.Accepted
		}
		var all sync.WaitGroup
		for range 20 {
			for account, want := range map[string]int64{"": 1, "acc_1": 1, "acc_2": 0} {
				all.Go(func() {
					o, err := s.RecentOverview(t.Context(), storage.OverviewQuery{Account: account, Since: time.Now().Add(-time.Hour)})
					if err != nil || o.Accepted != want {
						t.Errorf("%q has %+v, %v; want %d accepted", account, o, err, want)
					}
				})
			}
		}
		all.Wait()
	})
}
