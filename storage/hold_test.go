package storage_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// decided is an envelope that an endpoint decides about.
func decided(endpoint string) *inbound.Envelope {
	env := envelope(endpoint)
	env.Recipients[0].Sync = true
	return env
}

func hold(t *testing.T, s *storage.Store, env *inbound.Envelope, b *body) *storage.Held {
	t.Helper()
	h, err := s.Hold(context.Background(), env, b)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// settle records the next attempt at a held message, and lets go of it.
func settle(t *testing.T, s *storage.Store, h *storage.Held, state string) {
	t.Helper()
	c := attempt(h.Delivery)
	c.State, c.Reason = state, "because"
	if err := s.Settle(c); err != nil {
		t.Fatal(err)
	}
	h.Close()
}

// states gives the states of the deliveries of a message, of however many.
func states(t *testing.T, s *storage.Store, message string) string {
	t.Helper()
	rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{Message: message})
	if err != nil {
		t.Fatal(err)
	}
	words := make([]string, len(rows))
	for i, r := range rows {
		words[i] = r.State
	}
	return strings.Join(words, " ")
}

// owesNothing fails the test when any scheduler would find something to do.
func owesNothing(t *testing.T, s *storage.Store) {
	t.Helper()
	heads, err := s.Lanes(t.Context())
	if err != nil || len(heads) > 0 {
		t.Errorf("lanes %v, %v", heads, err)
	}
}

// TestHeldIsOwedToNobody: a held message is durable, is shown, and nobody but its sender has it delivered.
func TestHeldIsOwedToNobody(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		text := content(300)
		h := hold(t, s, decided("ep_1"), newBody(text))
		id := h.Mail.ID
		if h.Delivered || h.Delivery.Endpoint != "ep_1" || h.Delivery.Message != id || !bytes.Equal(readRaw(t, s, id), text) {
			t.Errorf("held %+v", h)
		}
		owesNothing(t, s)
		checkClean(t, s)
		if got := states(t, s, id); got != "held" {
			t.Errorf("states %q", got)
		}
		if err := s.Retry(t.Context(), h.Delivery.ID); !errors.Is(err, storage.ErrNotAccepted) {
			t.Errorf("retry: %v", err)
		}
		settle(t, s, h, storage.StateDelivered)
		owesNothing(t, s)
		checkClean(t, s)
		if got := states(t, s, id); got != "delivered" {
			t.Errorf("states %q", got)
		}
		attempts, err := s.Attempts(t.Context(), h.Delivery.ID)
		if err != nil || len(attempts) != 1 {
			t.Errorf("attempts %v, %v", attempts, err)
		}
		if err := s.Retry(t.Context(), h.Delivery.ID); err != nil {
			t.Errorf("replay of what was accepted: %v", err)
		}
		if n := len(due(t, s, "ep_1")); n != 1 {
			t.Errorf("%d replays", n)
		}
	})
}

// TestResendOfAHeldMail follows one mail through what may become of it: each row is a session and its end.
func TestResendOfAHeldMail(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		text := content(300)
		send := func() *storage.Held { return hold(t, s, decided("ep_1"), newBody(text)) }

		first := send()
		if _, err := s.Hold(t.Context(), decided("ep_1"), newBody(text)); !errors.Is(err, storage.ErrHolding) {
			t.Errorf("two sessions at once: %v", err)
		}
		first.Close() // the session ended as if the server had crashed

		second := send()
		if second.Mail.ID != first.Mail.ID || second.Delivery.ID != first.Delivery.ID || second.Delivery.Attempts != 0 {
			t.Errorf("after a crash: %+v, want %+v", second.Delivery, first.Delivery)
		}
		settle(t, s, second, storage.StateWithdrawn)
		owesNothing(t, s)
		if got := states(t, s, first.Mail.ID); got != "withdrawn" {
			t.Errorf("states %q", got)
		}

		third := send()
		if third.Mail.ID != first.Mail.ID || third.Delivery.Attempts != 1 {
			t.Errorf("after it was withdrawn: %+v", third.Delivery)
		}
		settle(t, s, third, storage.StateDelivered)

		fourth := send() // the 250 was lost
		if fourth.Mail.ID != first.Mail.ID || !fourth.Delivered {
			t.Errorf("after a 250 that was lost: %+v", fourth)
		}
		fourth.Close()
		s.Acknowledged([]string{fourth.Mail.ID})

		fifth := send()
		if fifth.Mail.ID == first.Mail.ID || fifth.Delivered {
			t.Errorf("after a 250 that was read the mail is a new one: %+v", fifth)
		}
		settle(t, s, fifth, storage.StateRefused)
		sixth := send()
		if sixth.Mail.ID == fifth.Mail.ID {
			t.Error("what was refused is taken up again")
		}
		sixth.Close()
		owesNothing(t, s)
		checkClean(t, s)
	})
}

// TestHeldAndOwedAreApart changes the route between a session and the resend. Neither mail stands in for the other.
func TestHeldAndOwedAreApart(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	text := content(300)
	held := hold(t, s, decided("ep_1"), newBody(text))
	held.Close()
	owed := accept(t, s, envelope("ep_1"), newBody(text))[0]
	if owed == held.Mail.ID {
		t.Fatal("the sender of a mail that nobody delivers was told 250")
	}
	if n := len(due(t, s, "ep_1")); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
	other := hold(t, s, decided("ep_2"), newBody(text))
	if other.Mail.ID == held.Mail.ID || other.Mail.ID == owed || other.Delivered {
		t.Errorf("another endpoint decides: %+v", other)
	}
	other.Close()
	checkClean(t, s)
}

// TestSettleOnce: what is settled is settled, and an attempt that does not fit is not recorded.
func TestSettleOnce(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	h := hold(t, s, decided("ep_1"), newBody(content(100)))
	settle(t, s, h, storage.StateDelivered)
	for _, state := range []string{storage.StateDelivered, storage.StateRefused, storage.StateWithdrawn} {
		c := attempt(h.Delivery)
		c.State = state
		if err := s.Settle(c); !errors.Is(err, storage.ErrStale) {
			t.Errorf("%s: %v", state, err)
		}
	}
	if err := s.Settle(storage.Completion{State: storage.StateDead}); err == nil {
		t.Error("a held message cannot die")
	}
	if got := states(t, s, h.Mail.ID); got != "delivered" {
		t.Errorf("states %q", got)
	}
	checkClean(t, s)
}

// TestSettleThatFails breaks the transaction: nothing is recorded, and the message stays held.
func TestSettleThatFails(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	text := content(100)
	h := hold(t, s, decided("ep_1"), newBody(text))
	remove := plant(t, config, "INSERT", "attempt", "1 = 1")
	c := attempt(h.Delivery)
	c.State = storage.StateDelivered
	if err := s.Settle(c); err == nil {
		t.Fatal("no error")
	}
	h.Close()
	remove()
	if got := states(t, s, h.Mail.ID); got != "held" {
		t.Errorf("states %q", got)
	}
	again := hold(t, s, decided("ep_1"), newBody(text))
	if again.Mail.ID != h.Mail.ID {
		t.Error("the resend has another id")
	}
	settle(t, s, again, storage.StateDelivered)
	checkClean(t, s)
}

// TestHeldExpires: what was refused goes with the next sweep, and the others a day after their last session, bytes, attachments and all. The
// results stay in the log.
func TestHeldExpires(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		texts := map[string][]byte{}
		held := map[string]*storage.Held{}
		for _, state := range []string{storage.StateHeld, storage.StateWithdrawn, storage.StateRefused, storage.StateDelivered} {
			texts[state] = content(2 << 20) // a blob of its own, whose end can be seen
			h := hold(t, s, decided("ep_1"), newBody(texts[state]))
			held[state] = h
			key := storage.AttachmentKey(h.Mail.Account, h.Mail.ID, strings.Repeat("a", 64))
			if err := config.Blobs.Put(t.Context(), key, bytes.NewReader([]byte("x")), 1); err != nil {
				t.Fatal(err)
			}
			if state == storage.StateHeld {
				h.Close()
			} else {
				settle(t, s, h, state)
			}
		}
		gone := func(state string) bool {
			_, err := s.Mail(t.Context(), held[state].Mail.ID)
			return errors.Is(err, storage.ErrNotFound)
		}
		keep := storage.Retention{Messages: 30 * day, Attachments: 30 * day, Attempts: 90 * day}
		swept := sweep(t, s, keep)
		if swept.Messages != 1 || swept.Attachments != 1 || swept.Packs != 1 || !gone(storage.StateRefused) {
			t.Errorf("at once: %+v", swept)
		}
		clock.at = clock.at.Add(23 * time.Hour)
		hold(t, s, decided("ep_1"), newBody(texts[storage.StateHeld])).Close() // its sender came again
		clock.at = clock.at.Add(time.Hour)
		swept = sweep(t, s, keep)
		if swept.Messages != 1 || swept.Attachments != 1 || !gone(storage.StateWithdrawn) || gone(storage.StateHeld) {
			t.Errorf("after a day: %+v", swept)
		}
		again := hold(t, s, decided("ep_1"), newBody(texts[storage.StateWithdrawn]))
		if again.Mail.ID == held[storage.StateWithdrawn].Mail.ID {
			t.Error("a message whose bytes are gone was taken up")
		}
		settle(t, s, again, storage.StateDelivered)
		clock.at = clock.at.Add(day)
		swept = sweep(t, s, keep)
		if swept.Messages != 1 || !gone(storage.StateHeld) || gone(storage.StateDelivered) {
			t.Errorf("after two days: %+v", swept)
		}
		for state, want := range map[string]string{
			storage.StateHeld: "withdrawn", storage.StateWithdrawn: "withdrawn", storage.StateRefused: "refused", storage.StateDelivered: "delivered",
		} {
			if got := states(t, s, held[state].Mail.ID); got != want {
				t.Errorf("%s became %q", state, got)
			}
			if state == storage.StateDelivered {
				continue
			}
			if err := s.Retry(t.Context(), held[state].Delivery.ID); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("retry of %s: %v", state, err)
			}
		}
		owesNothing(t, s)
	})
}

// TestResendOfASweptMail: the 250 of a delivered mail was lost, and retention is shorter than the sender's patience. There is nothing to
// ask, and the sender must not be sent away until the dedupe key goes.
func TestResendOfASweptMail(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		text := content(300)
		first := hold(t, s, decided("ep_1"), newBody(text))
		settle(t, s, first, storage.StateDelivered)
		clock.at = clock.at.Add(2 * time.Hour)
		if swept := sweep(t, s, storage.Retention{Messages: time.Hour}); swept.Messages != 1 {
			t.Fatalf("%+v", swept)
		}
		again := hold(t, s, decided("ep_1"), newBody(text))
		defer again.Close()
		if !again.Delivered || again.Mail.ID != first.Mail.ID {
			t.Errorf("%+v", again)
		}
	})
}

// TestOnlyAResultIsDelivered: a message that is held no more, and of which no result says that it was delivered, is not taken for one that
// was, whatever the dedupe key says.
func TestOnlyAResultIsDelivered(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	text := content(300)
	hold(t, s, decided("ep_1"), newBody(text)).Close()
	damage(t, config, "DELETE FROM held")
	if h, err := s.Hold(t.Context(), decided("ep_1"), newBody(text)); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestTakenUpHasNoReason: a mail whose sender came again is held, and what was the matter before is no reason for that.
func TestTakenUpHasNoReason(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	text := content(300)
	settle(t, s, hold(t, s, decided("ep_1"), newBody(text)), storage.StateWithdrawn)
	defer hold(t, s, decided("ep_1"), newBody(text)).Close()
	rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{})
	if err != nil || len(rows) != 1 || rows[0].State != storage.StateHeld || rows[0].Reason != "" {
		t.Errorf("%+v, %v", rows, err)
	}
}

// TestCrashWhileHeld copies the data folder at each step of a held message and goes on from the copy: the resend finds the
// message under its id, or makes it, and nothing was owed meanwhile.
func TestCrashWhileHeld(t *testing.T) {
	for step, want := range map[string]string{
		"pack-synced": "", "tx-begun": "", "tx-written": "", "tx-committed": "held", "held": "held",
		"completions-committed": "delivered", "settled": "delivered",
	} {
		t.Run(step, func(t *testing.T) {
			forEachLayout(t, func(t *testing.T, config storage.Config) {
				copied := config
				copied.Dir = t.TempDir()
				var hit atomic.Bool
				config.Step = func(name string) {
					if name == step && hit.CompareAndSwap(false, true) {
						copyOf(t, config, &copied)
					}
				}
				s := open(t, config)
				text := content(300)
				h := hold(t, s, decided("ep_1"), newBody(text))
				settle(t, s, h, storage.StateDelivered)
				if !hit.Load() {
					t.Fatal("the step was not taken")
				}
				after := open(t, copied)
				owesNothing(t, after)
				checkClean(t, after)
				if got := states(t, after, h.Mail.ID); got != want {
					t.Errorf("states %q, want %q", got, want)
				}
				again := hold(t, after, decided("ep_1"), newBody(text))
				if (again.Mail.ID == h.Mail.ID) != (want != "") || again.Delivered != (want == "delivered") {
					t.Errorf("the resend: %+v", again)
				}
				if !again.Delivered {
					settle(t, after, again, storage.StateDelivered)
				}
				checkClean(t, after)
			})
		})
	}
}

// TestCheckFindsHeldFaults breaks what the check proves of held messages.
func TestCheckFindsHeldFaults(t *testing.T) {
	for name, tt := range map[string]struct{ statement, kind string }{
		"owed too":   {"INSERT INTO delivery (message, id, endpoint, due_at, attempts, replay, created_at) SELECT message, 'dlv_x', endpoint, 0, 0, 0, 0 FROM held", storage.FaultHeld},
		"forgotten":  {"DELETE FROM held", storage.FaultOwed},
		"no message": {"UPDATE held SET message = 'msg_gone'", storage.FaultReference},
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t, layouts()[0])
			s := open(t, config)
			hold(t, s, decided("ep_1"), newBody(content(100))).Close()
			checkClean(t, s)
			damage(t, config, tt.statement)
			found := false
			err := s.Check(t.Context(), func(f storage.Fault) { found = found || f.Kind == tt.kind })
			if err != nil || !found {
				t.Errorf("no fault of the kind %s, %v", tt.kind, err)
			}
		})
	}
}
