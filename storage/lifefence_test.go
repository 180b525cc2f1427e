package storage_test

import (
	"slices"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/lease"
)

// A node that was stopped while it saved what it knew of endpoints wakes when their lanes are another's: what the new owner has found
// stands, and nobody is told what the old one thought. The same holds for a node that never owned the lane.
func TestLivesAreFenced(t *testing.T) {
	forEachSharing(t, func(t *testing.T, s *sharing) {
		ctx := t.Context()
		var epochs []int64
		for i := range 2 {
			standing, err := s.stores[i].RenewNode(ctx, 0, "n")
			if err != nil {
				t.Fatal(err)
			}
			epochs = append(epochs, standing.Epoch)
		}
		save := func(node int, l storage.EndpointLife) (overtaken []storage.EndpointLife) {
			t.Helper()
			notice := storage.Notice{ID: "evt_" + l.Reason, Endpoint: l.Endpoint, At: time.Now(), Text: []byte("{}"), Ways: []storage.NoticeWay{storage.NoticeByMail}}
			overtaken, err := s.stores[node].SaveLives(ctx, []storage.EndpointLife{l}, notice)
			if err != nil {
				t.Fatal(err)
			}
			return overtaken
		}
		stands := func(reason string) {
			t.Helper()
			found, err := s.stores[0].LivesOf(ctx, []string{"ep_1", "ep_none"})
			if err != nil || len(found) != 1 || found[0].Reason != reason {
				t.Errorf("%+v stands, want that of %q; %v", found, reason, err)
			}
		}
		if _, err := s.stores[0].TurnLanes(ctx, epochs[0], lease.Wishes{Wake: []string{"ep_1"}}); err != nil {
			t.Fatal(err)
		}
		early := storage.EndpointLife{Endpoint: "ep_1", State: storage.EndpointBroken, Reason: "early", Epoch: epochs[0]}
		if overtaken := save(0, early); len(overtaken) != 0 {
			t.Errorf("the owner is overtaken: %+v", overtaken)
		}
		stands("early")

		s.forward(lease.TTL + lease.Grace + time.Second) // the first is stopped; the second renewed in time
		if _, err := s.stores[1].RenewNode(ctx, epochs[1], "n"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.stores[1].RenewNode(ctx, epochs[1], "n"); err != nil {
			t.Fatal(err)
		}
		mine, err := s.stores[1].TurnLanes(ctx, epochs[1], lease.Wishes{Take: 1})
		if err != nil || !slices.Equal(mine, []string{"ep_1"}) {
			t.Fatalf("the second has %v, %v", mine, err)
		}
		well := storage.EndpointLife{Endpoint: "ep_1", State: storage.EndpointEnabled, Reason: "well", Epoch: epochs[1]}
		if overtaken := save(1, well); len(overtaken) != 0 {
			t.Errorf("the owner is overtaken: %+v", overtaken)
		}
		for _, epoch := range []int64{epochs[0], 0} {
			late := storage.EndpointLife{Endpoint: "ep_1", State: storage.EndpointDisabled, Reason: "late", Epoch: epoch}
			if overtaken := save(0, late); len(overtaken) != 1 || overtaken[0].Reason != "well" {
				t.Errorf("a life under the epoch %d leaves %+v", epoch, overtaken)
			}
		}
		stands("well")
		told, err := s.stores[0].Notices(ctx, storage.NoticeByMail, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range told {
			if n.ID == "evt_late" {
				t.Error("somebody is told what does not stand")
			}
		}
		if _, err := s.stores[1].ReleaseLanes(ctx, epochs[1], []string{"ep_1"}, true); err != nil {
			t.Fatal(err)
		}
		free := storage.EndpointLife{Endpoint: "ep_1", State: storage.EndpointDisabled, Reason: "free"}
		if overtaken := save(0, free); len(overtaken) != 0 {
			t.Errorf("what nobody owns is fenced: %+v", overtaken)
		}
		stands("free")
	})
}

// What changes no state makes no other node look at all its lanes; what does, does.
func TestRestsDisturbNobody(t *testing.T) {
	forEachSharing(t, func(t *testing.T, s *sharing) {
		if s.stores[0] == s.stores[1] {
			t.Skip("one store knows what it writes")
		}
		ctx := t.Context()
		looks := func(l storage.EndpointLife) bool {
			t.Helper()
			if _, err := s.stores[1].ForeignChange(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := s.stores[0].SaveLives(ctx, []storage.EndpointLife{l}); err != nil {
				t.Fatal(err)
			}
			changed, err := s.stores[1].ForeignChange(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return changed
		}
		for _, step := range []struct {
			state storage.EndpointState
			looks bool
		}{{storage.EndpointEnabled, false}, {storage.EndpointBroken, true}, {storage.EndpointBroken, false}, {storage.EndpointEnabled, true}} {
			l := storage.EndpointLife{Endpoint: "ep_1", State: step.state, RestUntil: time.Now()}
			if got := looks(l); got != step.looks {
				t.Errorf("%s: others look: %t, want %t", step.state, got, step.looks)
			}
		}
	})
}
