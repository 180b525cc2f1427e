package storage_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// A reader hears of what it wants, and of how much it missed when it was too slow; nobody waits for it.
func TestFollow(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	all := s.Follow(func(*storage.Happening) bool { return true })
	defer all.Close()
	none := s.Follow(func(h *storage.Happening) bool { return h.Mail != nil && h.Mail.Account == "acc_2" })
	defer none.Close()
	slow := s.Follow(func(h *storage.Happening) bool { return h.Refusal != nil })
	defer slow.Close()

	id := receive(t, s, mailbox{"acc_1", "a@b.example", "c@d.example", "e@f.example", "hello", "message", ""})
	if h := <-all.Happenings; h.Mail == nil || h.Mail.ID != id {
		t.Errorf("%+v", h)
	}
	if h := <-all.Happenings; h.Attempt == nil || h.Attempt.Message != id || h.State != storage.StateDelivered {
		t.Errorf("%+v", h)
	}
	for i := range 300 { // more than are recorded
		s.NoteRefusal(storage.Refusal{Account: fmt.Sprint(i), Reason: "recipient", Remote: fmt.Sprint(i)}, nil)
	}
	heard := 0
	for len(slow.Happenings) > 0 {
		if h := <-slow.Happenings; h.Refusal == nil || h.Refusal.ID == "" {
			t.Errorf("%+v", h)
		}
		heard++
	}
	if heard < 50 || slow.Missed() != 0 {
		t.Errorf("%d heard, %d missed", heard, slow.Missed())
	}
	for i := range 300 {
		accept(t, s, envelope("ep_1"), newBody([]byte(fmt.Sprint("mail ", i))))
	}
	if missed := all.Missed(); missed == 0 {
		t.Error("a reader that reads nothing misses nothing")
	}
	if len(none.Happenings) != 0 || none.Missed() != 0 {
		t.Errorf("another account's: %+v", <-none.Happenings)
	}
	all.Close()
	all.Close()
	accept(t, s, envelope("ep_1"), newBody([]byte(time.Now().String())))
}
