package storage_test

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/lease"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// nodeOn is the configuration of a node on a database. With a bucket its raw messages lie where all nodes can read them.
func nodeOn(t *testing.T, database string, bucket bool) storage.Config {
	t.Helper()
	config := newConfig(t, layouts()[0])
	config.Database, config.PackInBlobs = database, bucket
	if bucket {
		blobs, err := storage.NewDir(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		config.Blobs = blobs
	}
	return config
}

// TestRestartedNodeTakesItsLanesBack: a process that died leaves its lanes to whoever comes after it in the same data folder, at once. One
// with another folder waits for the lease to run out, with a copy of the folder too.
func TestRestartedNodeTakesItsLanesBack(t *testing.T) {
	ctx, database := t.Context(), throwaway.Database(t)
	config := nodeOn(t, database, false)
	dead, err := storage.Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	first, err := dead.RenewNode(ctx, 0, "first")
	if err != nil {
		t.Fatal(err)
	}
	if mine, err := dead.TurnLanes(ctx, first.Epoch, lease.Wishes{Wake: []string{"ep_1"}}); err != nil || len(mine) != 1 {
		t.Fatal(mine, err)
	}
	if err := dead.Close(); err != nil { // without a word about its lease
		t.Fatal(err)
	}

	copied := config
	copied.Dir = t.TempDir()
	if out, err := exec.Command("cp", "-a", config.Dir+"/.", copied.Dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for what, c := range map[string]storage.Config{"another folder": nodeOn(t, database, false), "a copy of the folder": copied} {
		other := open(t, c)
		standing, err := other.RenewNode(ctx, 0, "other")
		if err != nil || standing.Buried != 0 {
			t.Errorf("%s: %+v, %v", what, standing, err)
		}
		if mine, err := other.TurnLanes(ctx, standing.Epoch, lease.Wishes{Take: 10, Claim: []string{"ep_1"}}); err != nil || len(mine) > 0 {
			t.Errorf("%s: it takes %q of a node that may live, %v", what, mine, err)
		}
	}

	again := open(t, config)
	standing, err := again.RenewNode(ctx, 0, "first")
	if err != nil || standing.Buried != 1 || standing.Epoch <= first.Epoch {
		t.Errorf("its successor: %+v, %v", standing, err)
	}
	if mine, err := again.TurnLanes(ctx, standing.Epoch, lease.Wishes{Take: 10}); err != nil || !slices.Equal(mine, []string{"ep_1"}) {
		t.Errorf("its successor gets %q, %v", mine, err)
	}
}

// TestRestartSparesWhatCommits: what the process before was still committing when it died is passed over.
func TestRestartSparesWhatCommits(t *testing.T) {
	ctx, database := t.Context(), throwaway.Database(t)
	config := nodeOn(t, database, false)
	dead, err := storage.Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dead.RenewNode(ctx, 0, "first"); err != nil {
		t.Fatal(err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, text := range []string{"BEGIN", "SELECT 1 FROM node FOR KEY SHARE"} {
		if _, err := conn.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	if standing, err := open(t, config).RenewNode(ctx, 0, "first"); err != nil || standing.Buried != 0 || standing.Nodes != 2 {
		t.Errorf("%+v, %v", standing, err)
	}
}

// TestMembers: every process is shown with what it says of itself, its lease and its lanes; an older program, which says nothing, by its
// lease; and who departs is not.
func TestMembers(t *testing.T) {
	ctx, database := t.Context(), throwaway.Database(t)
	sender, taker, former := open(t, nodeOn(t, database, true)), open(t, nodeOn(t, database, true)), open(t, nodeOn(t, database, true))
	one := &storage.Member{Name: "a", Version: "v1", Roles: []string{"smtp", "dispatch"}}
	two := &storage.Member{Name: "b", Version: "v2", Roles: []string{"admin"}, Reasons: []string{"starting"}}
	for m, s := range map[*storage.Member]*storage.Store{one: sender, two: taker} {
		if err := s.Enrol(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	standing, err := sender.RenewNode(ctx, 0, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.TurnLanes(ctx, standing.Epoch, lease.Wishes{Wake: []string{"ep_1", "house"}}); err != nil {
		t.Fatal(err)
	}
	old, err := former.RenewNode(ctx, 0, "c")
	if err != nil {
		t.Fatal(err)
	}
	one.Epoch, one.Warnings = standing.Epoch, []string{"a \x00 certificate"}
	two.Reasons = nil
	for m, s := range map[*storage.Member]*storage.Store{one: sender, two: taker} {
		if err := s.Say(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := taker.Members(ctx)
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	a, b, c := got[0], got[1], got[2]
	if a.ID != one.ID || a.Version != "v1" || !slices.Equal(a.Roles, one.Roles) || a.Lanes != 2 || !a.KeepsHouse || a.IsSilent() ||
		a.LeaseLeft <= 0 || a.LeaseLeft > lease.TTL || !slices.Equal(a.Warnings, one.Warnings) {
		t.Errorf("%+v", a)
	}
	if b.ID != two.ID || b.Epoch != 0 || b.Lanes != 0 || b.KeepsHouse || len(b.Reasons) != 0 || b.LeaseLeft != 0 {
		t.Errorf("%+v", b)
	}
	if c.Name != "c" || c.Epoch != old.Epoch || c.Version != "" || c.LeaseLeft <= 0 {
		t.Errorf("%+v", c)
	}
	if err := taker.Depart(ctx, one.ID); err != nil {
		t.Fatal(err)
	}
	if got, err = taker.Members(ctx); err != nil || len(got) != 3 || got[0].ID != "" { // its lease has not ended
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMemberIsShownOnce: from when it is entered, when it has its first lease, and when it has another one, before it has said so.
func TestMemberIsShownOnce(t *testing.T) {
	ctx, s := t.Context(), open(t, nodeOn(t, throwaway.Database(t), true))
	m := &storage.Member{Name: "a"}
	once := func(when string, epoch int64, lanes int) {
		t.Helper()
		got, err := s.Members(ctx)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %+v, %v", when, got, err)
		}
		if got[0].ID != m.ID || got[0].Epoch != epoch || got[0].Lanes != lanes || (got[0].LeaseLeft > 0) != (epoch > 0) {
			t.Errorf("%s: %+v", when, got[0])
		}
	}
	if err := s.Enrol(ctx, m); err != nil {
		t.Fatal(err)
	}
	once("it has no lease", 0, 0)
	for _, which := range []string{"its first lease", "another lease"} {
		standing, err := s.RenewNode(ctx, 0, "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.TurnLanes(ctx, standing.Epoch, lease.Wishes{Wake: []string{which}}); err != nil {
			t.Fatal(err)
		}
		once(which, standing.Epoch, 1)
		m.Epoch = standing.Epoch
		if err := s.Say(ctx, m); err != nil {
			t.Fatal(err)
		}
		once(which+", and it says so", standing.Epoch, 1)
	}
}

// TestAloneIsAlone: where raw messages lie in the data folder of a node there is no second one, whichever comes first; one that died is no
// hindrance.
func TestAloneIsAlone(t *testing.T) {
	for what, buckets := range map[string][2]bool{"two folders": {false, false}, "a folder first": {false, true}, "a bucket first": {true, false}} {
		t.Run(what, func(t *testing.T) {
			ctx, database := t.Context(), throwaway.Database(t)
			config := nodeOn(t, database, buckets[0])
			first, err := storage.Open(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			one, two := &storage.Member{Name: "one"}, &storage.Member{Name: "two"}
			if err := first.Enrol(ctx, one); err != nil {
				t.Fatal(err)
			}
			second := open(t, nodeOn(t, database, buckets[1]))
			refused := make(chan error, 1)
			go func() { refused <- second.Enrol(ctx, two) }()
			for err = nil; err == nil; {
				select {
				case err = <-refused:
				default:
					if err := first.Say(ctx, one); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !errors.Is(err, storage.ErrAlone) || !strings.Contains(err.Error(), "one serves on this database") || !strings.Contains(err.Error(), "packs_in_blobs") {
				t.Fatalf("beside one that lives: %v", err)
			}

			if err := first.Close(); err != nil { // as if it had been killed: it says nothing any more
				t.Fatal(err)
			}
			if err := open(t, config).Enrol(ctx, &storage.Member{Name: "one again"}); err != nil {
				t.Errorf("its successor in the same folder: %v", err)
			}
			conn, err := pgx.Connect(ctx, database)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			if _, err := conn.Exec(ctx, "UPDATE member SET seen_at = seen_at - $1", (20 * time.Second).Milliseconds()); err != nil {
				t.Fatal(err)
			}
			if err := second.Enrol(ctx, two); err != nil {
				t.Errorf("when nothing was heard of it for 20 s: %v", err)
			}
		})
	}
}

// TestWhoWasTakenForDeadEnds: a process that was stopped for so long that another has come in its place, which it cannot work beside, hears
// of that when it says something again, and each time after. While a copy keeps servers out it is not held up by that.
func TestWhoWasTakenForDeadEnds(t *testing.T) {
	ctx, database := t.Context(), throwaway.Database(t)
	first, second := open(t, nodeOn(t, database, false)), open(t, nodeOn(t, database, true))
	one, two := &storage.Member{Name: "one"}, &storage.Member{Name: "two"}
	say := func(s *storage.Store, m *storage.Member, want error) {
		t.Helper()
		if err := s.Say(ctx, m); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", m.Name, err, want)
		}
	}
	db, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	run := func(text string) {
		t.Helper()
		if _, err := db.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	const stop = "UPDATE member SET seen_at = seen_at - 20000"
	if err := first.Enrol(ctx, one); err != nil {
		t.Fatal(err)
	}
	run(stop)
	say(first, one, nil) // nobody has come
	run(stop)
	if err := second.Enrol(ctx, two); err != nil {
		t.Fatal(err)
	}
	run(stop) // as when the database is away next, from both
	run("BEGIN; LOCK TABLE node_epoch IN EXCLUSIVE MODE")
	say(first, one, nil)
	say(second, two, nil)
	run("COMMIT")
	say(first, one, storage.ErrAlone)
	say(second, two, nil) // one of them goes on
	say(first, one, storage.ErrAlone)
	if err := first.Depart(ctx, one.ID); err != nil {
		t.Fatal(err)
	}
	run("DELETE FROM member") // after a minute its row is gone
	say(second, two, nil)
}

// TestNodesShareABucket: nothing keeps them apart.
func TestNodesShareABucket(t *testing.T) {
	database := throwaway.Database(t)
	for _, name := range []string{"one", "two", "three"} {
		if err := open(t, nodeOn(t, database, true)).Enrol(t.Context(), &storage.Member{Name: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
