package storage_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

func TestAcceptKeepsEverything(t *testing.T) {
	sizes := map[string]int{
		"empty": 0, "one octet": 1, "small": 10 << 10, "largest in a pack": 1 << 20, "in a blob of its own": 1<<20 + 1, "large": 3 << 20,
	}
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		kept := map[string][]byte{}
		for name, size := range sizes {
			for _, hidden := range []bool{false, true} {
				text := content(size)
				env := envelope("ep_1")
				if hidden {
					env.ReversePath = inbound.Path{} // so that the two empty ones are two mails
				}
				ids := accept(t, s, env, &body{Reader: bytes.NewReader(text), bytes: text, hidden: hidden})
				if len(ids) != 1 {
					t.Fatalf("%s: ids %q", name, ids)
				}
				kept[ids[0]] = text
				m, err := s.Mail(t.Context(), ids[0])
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(*env, m.Envelope, cmpopts.EquateComparable(env.RemoteIP)); diff != "" {
					t.Errorf("%s: envelope (-sent +stored):\n%s", name, diff)
				}
			}
		}
		for _, reopened := range []bool{false, true} {
			if reopened {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				config.Keys = append([][]byte{bytes.Repeat([]byte{9}, 32)}, config.Keys...)
				s = open(t, config)
			}
			for id, text := range kept {
				if !bytes.Equal(readRaw(t, s, id), text) {
					t.Errorf("reopened %v: message of %d octets came back changed", reopened, len(text))
				}
			}
			if n := len(due(t, s, "ep_1")); n != len(kept) {
				t.Errorf("reopened %v: %d deliveries, want %d", reopened, n, len(kept))
			}
		}
	})
}

func TestAcceptSplitsByAccountAndEndpoint(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		env := envelope()
		recipient := func(local, account string, endpoints ...string) {
			env.Recipients = append(env.Recipients, inbound.Recipient{
				Path:     inbound.Path{LocalPart: local, Domain: "example.com"},
				Decision: inbound.Decision{Account: account, Endpoints: endpoints, LocalPart: local},
			})
		}
		env.Recipients = nil
		recipient("a", "acc_2", "ep_a")
		recipient("b", "acc_1", "ep_b", "ep_c")
		recipient("c", "acc_2", "ep_a", "ep_d")
		recipient("d", "acc_3") // discarded
		text := content(100)
		ids := accept(t, s, env, newBody(text))
		if len(ids) != 3 {
			t.Fatalf("ids %q, want one for each account", ids)
		}
		wantAccounts := []string{"acc_2", "acc_1", "acc_3"}
		wantRecipients := [][]string{{"a", "c"}, {"b"}, {"d"}}
		for i, id := range ids {
			m, err := s.Mail(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			var locals []string
			for _, r := range m.Envelope.Recipients {
				locals = append(locals, r.Path.LocalPart)
			}
			if m.Account != wantAccounts[i] || !slices.Equal(locals, wantRecipients[i]) {
				t.Errorf("message %d: account %s recipients %q, want %s %q", i, m.Account, locals, wantAccounts[i], wantRecipients[i])
			}
			if !bytes.Equal(readRaw(t, s, id), text) {
				t.Errorf("message %d has other bytes", i)
			}
		}
		for endpoint, message := range map[string]string{"ep_a": ids[0], "ep_d": ids[0], "ep_b": ids[1], "ep_c": ids[1]} {
			ds := due(t, s, endpoint)
			if len(ds) != 1 || ds[0].Message != message {
				t.Errorf("%s is owed %v, want one delivery of %s", endpoint, ds, message)
			}
		}
	})
}

func TestHandOverGetsWhatWasAccepted(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		got := make(chan []storage.Accepted, 1)
		s.SetHandOver(func(as []storage.Accepted) { got <- as })
		text := content(1000)
		ids := accept(t, s, envelope("ep_1", "ep_2"), newBody(text))
		as := <-got
		if len(as) != 1 || as[0].Mail.ID != ids[0] || !bytes.Equal(as[0].Raw, text) {
			t.Fatalf("handed over %v", as)
		}
		fetched := append(due(t, s, "ep_1"), due(t, s, "ep_2")...)
		if diff := cmp.Diff(fetched, as[0].Deliveries); diff != "" {
			t.Errorf("deliveries (-stored +handed over):\n%s", diff)
		}
	})
}

func TestAcceptGivesUpOnlyBeforeItsTurn(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	accepted := 0
	for range 50 {
		ids, err := s.Accept(ctx, envelope("ep_1"), newBody(content(10)))
		switch {
		case err == nil && len(ids) == 1:
			accepted++
		case !errors.Is(err, context.Canceled):
			t.Fatalf("ids %q, error %v", ids, err)
		}
	}
	if n := len(due(t, s, "ep_1")); n != accepted {
		t.Errorf("%d stored, but %d were told to be", n, accepted)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s, err := storage.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		ids := accept(t, s, envelope("ep_1"), newBody(content(10)))
		d := due(t, s, "ep_1")[0]
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Accept(t.Context(), envelope("ep_1"), newBody(content(10))); !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if err := complete(s, attempt(d)); !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Complete: %v", err)
		}
		if _, err := s.BeginParse(t.Context(), ids[0]); !errors.Is(err, storage.ErrClosed) {
			t.Errorf("BeginParse: %v", err)
		}
	})
}

func TestCloseFlushesCompletions(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s, err := storage.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	done := make(chan error, 1)
	s.Complete(attempt(due(t, s, "ep_1")[0]), func(err error) { done <- err })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if ds := due(t, open(t, config), "ep_1"); len(ds) != 0 {
		t.Errorf("still owed after Close: %v", ds)
	}
}

func TestBeginParseCounts(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	id := accept(t, s, envelope("ep_1"), newBody(content(10)))[0]
	for want := 1; want <= 3; want++ {
		n, err := s.BeginParse(t.Context(), id)
		if err != nil || n != want {
			t.Fatalf("count %d, error %v, want %d", n, err, want)
		}
	}
	if m, err := s.Mail(t.Context(), id); err != nil || m.ParseCount != 3 {
		t.Fatalf("mail %+v, error %v", m, err)
	}
	s.EndParse(id)
	s.EndParse(id)
	if n, err := s.BeginParse(t.Context(), id); err != nil || n != 2 {
		t.Fatalf("after two that came back: count %d, error %v", n, err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.BeginParse(canceled, id); err == nil {
		s.EndParse(id) // it was committed before the context was looked at
	}
	s.EndParse(id)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	if m, err := s.Mail(t.Context(), id); err != nil || m.ParseCount != 1 {
		t.Fatalf("after a restart: mail %+v, error %v", m, err)
	}
	d := due(t, s, "ep_1")[0]
	c := attempt(d)
	c.RetryAt = time.Now()
	if err := complete(s, c); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Mail(t.Context(), id); err != nil || m.ParseCount != 0 {
		t.Errorf("after a recorded attempt: count %d, error %v", m.ParseCount, err)
	}
	if _, err := s.BeginParse(t.Context(), "msg_00000000000000000000000000"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown message: %v", err)
	}
}

// TestAcceptsWaiting counts a mail from the time it is queued until it is committed: not any more when it is handed over, or
// its own delivery would give way to it, as it would if a lone mail pressed any longer.
func TestAcceptsWaiting(t *testing.T) {
	var s *storage.Store
	counted := map[string]int{}
	config := newConfig(t, layout{})
	config.Step = func(name string) {
		if s != nil {
			counted[name] = s.AcceptsWaiting()
			if press := s.AcceptsPress(); (press != storage.PressNone) != (counted[name] > 0) {
				t.Errorf("%s: %d mails wait, and they press: %v", name, counted[name], press)
			}
		}
	}
	s = open(t, config)
	s.SetHandOver(func([]storage.Accepted) { counted["handed over"] = s.AcceptsWaiting() })
	accept(t, s, envelope("ep_1"), newBody(content(100)))
	if err := s.Close(); err != nil { // the committer has ended: counted is ours
		t.Fatal(err)
	}
	want := map[string]int{"pack-written": 1, "pack-synced": 1, "tx-begun": 1, "tx-written": 1, "tx-committed": 0, "handed over": 0}
	for step, n := range want {
		if got, ok := counted[step]; !ok || got != n {
			t.Errorf("%s: %d mails wait (asked: %v), want %d", step, got, ok, n)
		}
	}
}
