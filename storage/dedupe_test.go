package storage_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

func TestResendIsStoredOnce(t *testing.T) {
	text := content(500)
	other := func(change func(*inbound.Envelope)) *inbound.Envelope {
		env := envelope("ep_1")
		env.Recipients = append(env.Recipients, inbound.Recipient{
			Path:     inbound.Path{LocalPart: "second", Domain: "example.com"},
			Decision: inbound.Decision{Account: "acc_1", Endpoints: []string{"ep_1"}},
		})
		change(env)
		return env
	}
	tests := []struct {
		name   string
		change func(*inbound.Envelope)
		text   []byte
		same   bool
	}{
		{"nothing changed", func(*inbound.Envelope) {}, text, true},
		{"another session", func(e *inbound.Envelope) { e.Helo = "other"; e.TLS = nil; e.Listener = "mx2" }, text, true},
		{"recipients in another order", func(e *inbound.Envelope) { slices.Reverse(e.Recipients) }, text, true},
		{"domain in another case", func(e *inbound.Envelope) { e.Recipients[0].Path.Domain = "EXAMPLE.com" }, text, true},
		{"other octets", func(*inbound.Envelope) {}, append(slices.Clone(text), '!'), false},
		{"other reverse-path", func(e *inbound.Envelope) { e.ReversePath.LocalPart = "x" }, text, false},
		{"null reverse-path", func(e *inbound.Envelope) { e.ReversePath = inbound.Path{} }, text, false},
		{"one recipient less", func(e *inbound.Envelope) { e.Recipients = e.Recipients[:1] }, text, false},
		{"other recipient", func(e *inbound.Envelope) { e.Recipients[1].Path.LocalPart = "x" }, text, false},
		{"other account", func(e *inbound.Envelope) { e.Recipients[0].Account = "acc_2"; e.Recipients[1].Account = "acc_2" }, text, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, newConfig(t, layouts()[0]))
			first := accept(t, s, other(func(*inbound.Envelope) {}), newBody(text))
			second := accept(t, s, other(test.change), newBody(test.text))
			if same := slices.Equal(first, second); same != test.same {
				t.Errorf("ids %q and %q, same should be %v", first, second, test.same)
			}
			want := 2
			if test.same {
				want = 1
			}
			if n := len(due(t, s, "ep_1")); n != want {
				t.Errorf("%d deliveries, want %d", n, want)
			}
		})
	}
}

func TestAcknowledgedMailSentAgainIsANewOne(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		text := content(500)
		seen := map[string]bool{}
		for range 5 {
			ids := accept(t, s, envelope("ep_1"), newBody(text))
			if seen[ids[0]] {
				t.Fatalf("id %s was given twice", ids[0])
			}
			seen[ids[0]] = true
			s.Acknowledged(ids)
		}
	})
}

func TestResendAfterRestartAndWithinTheWindow(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	config := newConfig(t, layouts()[0])
	config.Now = func() time.Time { return now }
	text := content(500)
	send := func() string {
		s := open(t, config)
		defer s.Close()
		return accept(t, s, envelope("ep_1"), newBody(text))[0]
	}
	first := send()
	if again := send(); again != first {
		t.Errorf("after a restart: id %s, want %s", again, first)
	}
	now = now.Add(24*time.Hour - time.Millisecond)
	if again := send(); again != first {
		t.Errorf("just within 24 h: id %s, want %s", again, first)
	}
	now = now.Add(time.Millisecond)
	if again := send(); again == first {
		t.Error("after 24 h the mail is a new one")
	}
}

func TestConcurrentResendsAreStoredOnce(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		text := content(500)
		ids := make([]string, 40)
		var group sync.WaitGroup
		for i := range ids {
			group.Go(func() {
				got, err := s.Accept(context.Background(), envelope("ep_1", "ep_2"), newBody(text))
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = got[0]
			})
		}
		group.Wait()
		slices.Sort(ids)
		if different := slices.Compact(ids); len(different) != 1 {
			t.Errorf("stored as %q", different)
		}
		if n := len(due(t, s, "ep_1")); n != 1 {
			t.Errorf("%d deliveries, want 1", n)
		}
		checkClean(t, s)
	})
}

// TestDedupeAgainstModel sends a few different mails again and again, with and without reading the 250, across restarts.
func TestDedupeAgainstModel(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	defer func() { s.Close() }()
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		endpoint := fmt.Sprintf("ep_%d", run)                    // of this run alone
		texts := [][]byte{content(10), content(20), content(30)} // never sent before
		standing := map[int]string{}                             // mail -> id whose 250 may be lost
		stored := map[string]bool{}
		r.Repeat(map[string]func(*rapid.T){
			"send": func(r *rapid.T) {
				i := rapid.IntRange(0, len(texts)-1).Draw(r, "mail")
				id := accept(t, s, envelope(endpoint), newBody(texts[i]))[0]
				if old, ok := standing[i]; ok != stored[id] || ok && id != old {
					r.Fatalf("mail %d got id %s, standing %q, known before %v", i, id, old, stored[id])
				}
				standing[i], stored[id] = id, true
			},
			"acknowledge": func(r *rapid.T) {
				i := rapid.IntRange(0, len(texts)-1).Draw(r, "mail")
				if id, ok := standing[i]; ok {
					s.Acknowledged([]string{id})
					delete(standing, i)
				}
			},
			"restart": func(r *rapid.T) {
				if rapid.IntRange(0, 9).Draw(r, "seldom") > 0 {
					return
				}
				if err := s.Close(); err != nil {
					r.Fatal(err)
				}
				var err error
				if s, err = storage.Open(t.Context(), config); err != nil {
					r.Fatal(err)
				}
			},
			"": func(r *rapid.T) {
				if n := len(due(t, s, endpoint)); n != len(stored) {
					r.Fatalf("%d deliveries, want %d", n, len(stored))
				}
			},
		})
	})
}

// TestAcknowledgedWithoutMemory retires a key that only the message's row knows.
func TestAcknowledgedWithoutMemory(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	text := content(500)
	first := accept(t, s, envelope("ep_1"), newBody(text))
	s.Close()
	s = open(t, config)
	s.Acknowledged(append(first, "msg_unknown"))
	if second := accept(t, s, envelope("ep_1"), newBody(text)); slices.Equal(first, second) {
		t.Error("the acknowledged mail was taken for a resend")
	}
}

// TestAcknowledgementIsWrittenOnClose closes before the idle time of acknowledgements is over.
func TestAcknowledgementIsWrittenOnClose(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	ids := accept(t, s, envelope("ep_1"), newBody(content(10)))
	s.Acknowledged(ids)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var keys int
	if err := database(t, config).QueryRow("SELECT count(*) FROM dedupe").Scan(&keys); err != nil || keys != 0 {
		t.Errorf("%d keys stand after Close, error %v", keys, err)
	}
}
