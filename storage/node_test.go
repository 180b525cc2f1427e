package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/lease"
	"github.com/letterhook/letterhook/storage/lease/leasetest"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// sharing is a database with nodes on it, whose clock can be set forward.
type sharing struct {
	stores  []*storage.Store // the nodes, each with connections of its own
	forward func(time.Duration)
}

// forEachSharing runs a test over a database that nodes share, of either engine. On SQLite the nodes share the one store.
func forEachSharing(t *testing.T, test func(t *testing.T, s *sharing)) {
	t.Run("sqlite", func(t *testing.T) {
		config := newConfig(t, layout{})
		ahead := time.Duration(0)
		config.Now = func() time.Time { return time.Now().Add(ahead) }
		s := open(t, config)
		test(t, &sharing{stores: []*storage.Store{s, s, s}, forward: func(d time.Duration) { ahead += d }})
	})
	t.Run("postgres", func(t *testing.T) {
		url := throwaway.Database(t)
		var s sharing
		for range 3 {
			config := newConfig(t, layout{})
			config.Database = url
			s.stores = append(s.stores, open(t, config))
		}
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		s.forward = func(d time.Duration) { // nobody sets the clock of a server: what is stored becomes older
			for _, text := range []string{
				"UPDATE node SET lease_until = lease_until - $1", "UPDATE lane SET woken_at = woken_at - $1 WHERE woken_at > 0",
			} {
				if _, err := conn.Exec(context.Background(), text, d.Milliseconds()); err != nil {
					t.Fatal(err)
				}
			}
		}
		test(t, &s)
	})
}

// sameLanes compares lanes: nil and none are the same.
func sameLanes(a, b []string) bool { return len(a)+len(b) == 0 || slices.Equal(a, b) }

// The statements do what the rules say, whatever nodes do in whatever order.
func TestStatementsFollowTheRules(t *testing.T) {
	forEachSharing(t, func(t *testing.T, s *sharing) {
		ctx := t.Context()
		run := 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			now := time.Now()
			book := leasetest.NewBook(func() time.Time { return now })
			var epochs, booked []int64 // of each node, in the database and in the book; 0: it has no lease
			for range s.stores {
				epochs, booked = append(epochs, 0), append(booked, 0)
			}
			var names []string
			for i := range 6 {
				names = append(names, fmt.Sprintf("run%d-%d", run, i))
			}
			some := func(label string) []string {
				return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID).Draw(t, label)
			}
			defer func() { // the next run shares the database
				for i, store := range s.stores {
					if err := store.LeaveNode(ctx, epochs[i]); err != nil {
						t.Fatal(err)
					}
				}
				s.forward(time.Minute)
				epoch := int64(0)
				for range 2 { // buries whoever was lost
					standing, err := s.stores[0].RenewNode(ctx, epoch, "undertaker")
					if err != nil {
						t.Fatal(err)
					}
					epoch = standing.Epoch
				}
				all, err := s.stores[0].TurnLanes(ctx, epoch, lease.Wishes{Take: 1000})
				if err == nil {
					_, err = s.stores[0].ReleaseLanes(ctx, epoch, all, true)
				}
				if err = errors.Join(err, s.stores[0].LeaveNode(ctx, epoch)); err != nil {
					t.Fatal(err)
				}
			}()
			for range rapid.IntRange(1, 30).Draw(t, "steps") {
				i := rapid.IntRange(0, len(s.stores)-1).Draw(t, "node")
				store := s.stores[i]
				switch rapid.IntRange(0, 7).Draw(t, "step") {
				case 0, 1:
					got, err := store.RenewNode(ctx, epochs[i], "n")
					want, wantErr := book.Renew(booked[i])
					if errors.Is(err, storage.ErrLost) != (wantErr != nil) || (err != nil && wantErr == nil) {
						t.Fatalf("renewing: %v, want %v", err, wantErr)
					}
					epochs[i], booked[i] = got.Epoch, want.Epoch
					got.Epoch = want.Epoch
					if got != want {
						t.Fatalf("renewing: %+v, want %+v", got, want)
					}
				case 2, 3, 4:
					w := lease.Wishes{
						Wake: some("wake"), Claim: some("claim"), Take: rapid.SampledFrom([]int{0, 100}).Draw(t, "take"),
						All: rapid.Bool().Draw(t, "all"), Spare: rapid.SampledFrom([]time.Duration{0, 2 * time.Second}).Draw(t, "spare"),
					}
					got, err := store.TurnLanes(ctx, epochs[i], w)
					want, wantErr := book.Turn(booked[i], w)
					if errors.Is(err, storage.ErrLost) != (wantErr != nil) || (err != nil && wantErr == nil) || !sameLanes(got, want) {
						t.Fatalf("turn %+v: %q, %v, want %q, %v", w, got, err, want, wantErr)
					}
				case 5:
					list, idle := some("release"), rapid.Bool().Draw(t, "idle")
					if epochs[i] == 0 {
						continue
					}
					got, err := store.ReleaseLanes(ctx, epochs[i], list, idle)
					if want := book.Release(booked[i], list, idle); err != nil || !sameLanes(got, want) {
						t.Fatalf("releasing %q (idle: %t): %q, %v, want %q", list, idle, got, err, want)
					}
				case 6:
					list := some("wake")
					if err := store.WakeLanes(ctx, list); err != nil {
						t.Fatal(err)
					}
					book.Wake(list)
				default: // the bounds are not multiples of it
					d := time.Duration(rapid.IntRange(1, 5).Draw(t, "later")) * 3 * time.Second
					s.forward(d)
					now = now.Add(d)
				}
			}
		})
	})
}

// Two nodes, one lane: when its owner has died the other gets it, by the clock of the database, and what the dead one still wants to
// record is refused; the other records it.
func TestFenceRefusesWhatComesTooLate(t *testing.T) {
	forEachSharing(t, func(t *testing.T, s *sharing) {
		ctx := t.Context()
		old, other := s.stores[0], s.stores[1]
		epochs := make([]int64, 2)
		renew := func(i int) error {
			standing, err := s.stores[i].RenewNode(ctx, epochs[i], "n")
			epochs[i] = standing.Epoch
			return err
		}
		for i := range epochs {
			if err := renew(i); err != nil {
				t.Fatal(err)
			}
		}
		accept(t, old, envelope("ep_1"), newBody(content(100)))
		accept(t, old, envelope("ep_1"), newBody(content(100)))
		if mine, err := old.TurnLanes(ctx, epochs[0], lease.Wishes{Wake: []string{"ep_1"}}); err != nil || !slices.Equal(mine, []string{"ep_1"}) {
			t.Fatalf("%q, %v", mine, err)
		}
		if mine, err := other.TurnLanes(ctx, epochs[1], lease.Wishes{Wake: []string{"ep_1"}, Take: 10}); err != nil || len(mine) > 0 {
			t.Fatalf("two own the lane: %q, %v", mine, err)
		}
		rows := due(t, other, "ep_1")
		under := func(epoch int64, d storage.Delivery) storage.Completion {
			c := attempt(d)
			c.Epoch, c.State = epoch, storage.StateDelivered
			c.RetryAt = time.Time{}
			return c
		}
		if err := complete(other, under(epochs[1], rows[0])); !errors.Is(err, storage.ErrLost) {
			t.Errorf("a node records in the lane of another: %v", err)
		}
		if err := complete(old, under(epochs[0], rows[0])); err != nil {
			t.Errorf("the owner cannot record: %v", err)
		}
		for _, step := range []time.Duration{6 * time.Second, 6 * time.Second} { // the other one renews, the owner is silent
			s.forward(step)
			if err := renew(1); err != nil {
				t.Fatal(err)
			}
		}
		if mine, err := other.TurnLanes(ctx, epochs[1], lease.Wishes{Take: 10}); err != nil || !slices.Equal(mine, []string{"ep_1"}) {
			t.Fatalf("the lane of a dead node is taken by nobody: %q, %v", mine, err)
		}
		if err := complete(old, under(epochs[0], rows[1])); !errors.Is(err, storage.ErrLost) {
			t.Errorf("a dead node records: %v", err)
		}
		lost := epochs[0]
		if _, err := old.RenewNode(ctx, lost, "n"); !errors.Is(err, storage.ErrLost) {
			t.Errorf("a dead node renews its lease: %v", err)
		}
		if err := complete(other, under(epochs[1], rows[1])); err != nil {
			t.Errorf("the new owner cannot record: %v", err)
		}
		epochs[0] = 0
		if err := renew(0); err != nil || epochs[0] <= epochs[1] {
			t.Errorf("the epoch after %d is %d: %v", epochs[1], epochs[0], err)
		}
		if left := due(t, other, "ep_1"); len(left) > 0 {
			t.Errorf("%d are still owed", len(left))
		}
	})
}

// A process was stopped amid a transaction that keeps its node's row. The others do not wait for it: they go on renewing, and bury it
// when the server has ended that transaction.
func TestStoppedTransactionKeepsNobodyWaiting(t *testing.T) {
	url := throwaway.Database(t)
	config := newConfig(t, layout{})
	config.Database = url
	s, ctx := open(t, config), t.Context()
	other := newConfig(t, layout{})
	other.Database = url
	dead, err := open(t, other).RenewNode(ctx, 0, "dead")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := s.RenewNode(ctx, 0, "mine")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, text := range []string{
		fmt.Sprintf("UPDATE node SET lease_until = 1 WHERE epoch = %d", dead.Epoch),
		"BEGIN", fmt.Sprintf("SELECT 1 FROM node WHERE epoch = %d FOR KEY SHARE", dead.Epoch),
	} {
		if _, err := conn.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.RenewNode(ctx, mine.Epoch, "mine"); err != nil || got.Buried != 0 {
		t.Errorf("while the row is kept: %+v, %v", got, err)
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.RenewNode(ctx, mine.Epoch, "mine"); err != nil || got.Buried != 1 || got.Nodes != 1 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}
