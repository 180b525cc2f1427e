package storage_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// metered is a declaration of two accounts, of which the first has limits, and an envelope of each.
func metered(t *testing.T, s *storage.Store, limits storage.Limits) (first, second *inbound.Envelope) {
	t.Helper()
	d := apply(t, s, storage.Declaration{
		Accounts: []string{"bound", "free"}, Limits: map[string]storage.Limits{"bound": limits},
		Endpoints: []storage.Endpoint{{Account: "bound", Name: "app"}, {Account: "free", Name: "app"}},
		Domains:   []storage.DeclaredDomain{{Name: "bound.example", Account: "bound"}, {Name: "free.example", Account: "free"}},
		Routes: []storage.DeclaredRoute{
			{Domain: "bound.example", Match: "*", Endpoints: []string{"app"}}, {Domain: "free.example", Match: "*", Endpoints: []string{"app"}},
		},
	})
	of := func(domain string) *inbound.Envelope {
		env := envelope()
		env.Recipients[0].Path.Domain = domain
		env.Recipients[0].Decision = d.Recipients(env.Recipients[0].Path)
		return env
	}
	return of("bound.example"), of("free.example")
}

// over is the reason and the reply that a further message of the envelope's account would get; empty: it is let in.
func over(s *storage.Store, env *inbound.Envelope, size int64) string {
	r := s.Exceeds(env.Recipients[0].Account, size)
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%s %d %v", r.Reason, r.Reply.Code, r.Reply.Status)
}

const (
	overAll     = "quota 552 [5 2 3]"
	overQuota   = "quota 452 [4 2 2]"
	overBacklog = "backlog 452 [4 2 1]"
	overRate    = "account_rate 452 [4 2 1]"
)

func wantOver(t *testing.T, s *storage.Store, env *inbound.Envelope, size int64, want string) {
	t.Helper()
	if got := over(s, env, size); got != want {
		t.Errorf("another message of %d octets: %q, want %q", size, got, want)
	}
}

func reopen(t *testing.T, s *storage.Store, config storage.Config) *storage.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, config)
}

// TestQuota: an account takes what fits into its octets, no more, over restarts too, until something goes.
func TestQuota(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		limits := storage.Limits{Octets: 1000}
		bound, free := metered(t, s, limits)
		wantOver(t, s, bound, 1000, "")
		wantOver(t, s, bound, 1001, overAll) // it would never find room
		first := accept(t, s, bound, newBody(content(600)))[0]
		accept(t, s, free, newBody(content(5000)))
		for range 2 {
			wantOver(t, s, bound, 400, "")
			wantOver(t, s, bound, 401, overQuota)
			wantOver(t, s, free, 1<<40, "")
			s = reopen(t, s, config)
			bound, free = metered(t, s, limits)
		}
		accept(t, s, bound, newBody(content(400)))
		wantOver(t, s, bound, 0, overQuota)
		if _, err := s.Erase(t.Context(), storage.Erasure{Message: first}); err != nil {
			t.Fatal(err)
		}
		wantOver(t, s, bound, 600, "")
		wantOver(t, s, bound, 601, overQuota)
		metered(t, s, storage.Limits{}) // they are lifted
		wantOver(t, s, bound, 1<<40, "")
	})
}

// TestBacklogLimit: an account whose deliveries wait takes no more until some are done; those that are put off wait still.
func TestBacklogLimit(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		limits := storage.Limits{Backlog: 2}
		bound, free := metered(t, s, limits)
		accept(t, s, bound, newBody(content(10)))
		wantOver(t, s, bound, 0, "")
		accept(t, s, bound, newBody(content(10)))
		accept(t, s, free, newBody(content(10)))
		wantOver(t, s, bound, 0, overBacklog)
		wantOver(t, s, free, 0, "")
		s = reopen(t, s, config)
		bound, _ = metered(t, s, limits)
		wantOver(t, s, bound, 0, overBacklog)
		waiting := due(t, s, bound.Recipients[0].Endpoints[0])
		c := attempt(waiting[0])
		c.State, c.Reason, c.RetryAt = "", "", time.Now().Add(time.Hour)
		if err := complete(s, c); err != nil {
			t.Fatal(err)
		}
		wantOver(t, s, bound, 0, overBacklog)
		if err := complete(s, attempt(waiting[1])); err != nil {
			t.Fatal(err)
		}
		wantOver(t, s, bound, 0, "")
		if err := complete(s, attempt(waiting[1])); err == nil { // stale: it counts once
			t.Error("a delivery was finished twice")
		}
		accept(t, s, bound, newBody(content(10)))
		wantOver(t, s, bound, 0, overBacklog)
	})
}

// TestRateLimit: an account takes so many messages in any minute and any hour, over a restart too.
func TestRateLimit(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		limits := storage.Limits{PerMinute: 2, PerHour: 3}
		bound, free := metered(t, s, limits)
		send := func() {
			t.Helper()
			accept(t, s, bound, newBody(content(10)))
			accept(t, s, free, newBody(content(10)))
			wantOver(t, s, free, 0, "")
		}
		send()
		wantOver(t, s, bound, 0, "")
		clock.at = clock.at.Add(30 * time.Second)
		send()
		wantOver(t, s, bound, 0, overRate)
		s = reopen(t, s, config)
		bound, free = metered(t, s, limits)
		wantOver(t, s, bound, 0, overRate)
		clock.at = clock.at.Add(75 * time.Second) // of the minute before, the most part is out
		wantOver(t, s, bound, 0, "")
		send()
		wantOver(t, s, bound, 0, overRate) // of the hour
		clock.at = clock.at.Add(58 * time.Minute)
		wantOver(t, s, bound, 0, overRate)
		clock.at = clock.at.Add(2 * time.Minute)
		wantOver(t, s, bound, 0, "")
	})
}

// TestMeterSeesOtherNodes: what another server accepts, and what a command erases, is known with the next read.
func TestMeterSeesOtherNodes(t *testing.T) {
	config := newConfig(t, layout{postgres: true})
	beside := newConfig(t, layout{})
	beside.Database, beside.Blobs = config.Database, config.Blobs
	one, two := open(t, config), open(t, beside)
	limits := storage.Limits{Octets: 1000, Backlog: 2, PerHour: 3}
	bound, _ := metered(t, one, limits)
	metered(t, two, limits)
	ids := accept(t, one, bound, newBody(content(600)))
	ids = append(ids, accept(t, one, bound, newBody(content(600)))...)
	wantOver(t, one, bound, 0, overQuota)
	wantOver(t, two, bound, 0, "")
	if err := one.FlushNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := two.ReadMeter(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOver(t, two, bound, 0, overQuota)
	if _, err := one.Erase(t.Context(), storage.Erasure{Message: ids[0]}); err != nil {
		t.Fatal(err)
	}
	if err := two.ReadMeter(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOver(t, two, bound, 400, "")
	accept(t, two, bound, newBody(content(10)))
	wantOver(t, two, bound, 0, overBacklog)
	for _, d := range due(t, two, bound.Recipients[0].Endpoints[0]) {
		if err := complete(two, attempt(d)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // reading again counts nothing twice
		wantOver(t, two, bound, 0, overRate)
		if err := two.ReadMeter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
