package greylist_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/greylist"
)

// shelf is a store that outlives a list.
type shelf struct {
	mu      sync.Mutex
	entries map[greylist.Key]greylist.Entry
	broken  bool
	largest int // of one call
}

func (s *shelf) Greylist(_ context.Context, each func(greylist.Entry)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range maps.Values(s.entries) {
		each(e)
	}
	return nil
}

func (s *shelf) KeepGreylist(_ context.Context, entries []greylist.Entry, gone []greylist.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.New("no space left")
	}
	s.largest = max(s.largest, len(entries)+len(gone))
	for _, e := range entries {
		s.entries[e.Key] = e
	}
	for _, key := range gone {
		delete(s.entries, key)
	}
	return nil
}

func (s *shelf) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// running is a list that is kept until stop.
type running struct {
	*greylist.List

	stop func()
}

func run(t *testing.T, s *shelf, most int) running {
	t.Helper()
	l, err := greylist.New(t.Context(), greylist.Config{Store: s, Most: most})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return running{l, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}}
}

// mail is an envelope; a sender without a domain is at sender.example.
func mail(client, from, to string) *inbound.Envelope {
	local, domain, found := strings.Cut(from, "@")
	if !found {
		domain = "sender.example"
	}
	return &inbound.Envelope{
		RemoteIP: netip.MustParseAddr(client), ReversePath: inbound.Path{LocalPart: local, Domain: domain},
		Recipients: []inbound.Recipient{{Path: inbound.Path{LocalPart: to, Domain: "in.example.com"}}},
	}
}

// TestGreylist follows a sender from its first attempt to the day when it is forgotten, over a restart.
func TestGreylist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{entries: map[greylist.Key]greylist.Entry{}}
		l := run(t, s, 0)
		putOff := func(want bool, e *inbound.Envelope) {
			t.Helper()
			if got := l.PutOff(e); got != want {
				t.Errorf("put off: %v, want %v", got, want)
			}
		}
		ann := mail("192.0.2.1", "ann", "bob")
		putOff(true, ann)
		time.Sleep(4 * time.Minute)
		putOff(true, ann)                                   // too soon, and it loses nothing by that
		putOff(true, mail("192.0.2.1", "bounces+1", "bob")) // another address of the same mailing list is no other sender
		putOff(true, mail("192.0.2.1", "eve@other.example", "bob"))
		putOff(true, mail("192.0.2.1", "ann", "carl"))
		putOff(true, mail("198.51.100.1", "ann", "bob"))
		l.stop()
		l = run(t, s, 0) // a restart forgets neither those that wait nor those that passed
		time.Sleep(time.Minute)
		putOff(false, mail("192.0.2.99", "Ann", "bob")) // from a neighbour
		putOff(false, mail("192.0.2.1", "bounces+2", "bob"))
		l.stop()
		l = run(t, s, 0)
		putOff(false, ann)
		time.Sleep(35 * 24 * time.Hour)
		putOff(false, ann) // each time counts anew
		time.Sleep(35 * 24 * time.Hour)
		putOff(false, ann)
		if n := l.Len(); n != 1 {
			t.Errorf("%d triplets are remembered: those that never came again should be gone", n)
		}
		time.Sleep(37 * 24 * time.Hour)
		putOff(true, ann)
		time.Sleep(25 * time.Hour) // and that attempt does not count any more
		putOff(true, ann)
		putOff(true, mail("2001:db8:1:2::1", "ann", "bob"))
		time.Sleep(5 * time.Minute)
		putOff(false, mail("2001:db8:1:2:ffff::1", "ann", "bob"))
		putOff(true, mail("2001:db8:1:3::1", "ann", "bob"))
		l.stop()
	})
}

// TestBounded: a flood drives out nobody who has passed, is bounded here and in the store, and is written in small pieces.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{entries: map[greylist.Key]greylist.Entry{}}
		l := run(t, s, 1000)
		l.PutOff(mail("192.0.2.1", "ann", "bob"))
		time.Sleep(6 * time.Minute)
		if l.PutOff(mail("192.0.2.1", "ann", "bob")) {
			t.Fatal("put off when it came again")
		}
		for minute := range 5 {
			for i := range 3000 {
				l.PutOff(mail("203.0.113.1", fmt.Sprintf("x@spam-%d-%d.example", minute, i), "bob"))
			}
			time.Sleep(time.Minute)
		}
		if n := l.Len(); n != 1000 {
			t.Errorf("%d are remembered", n)
		}
		time.Sleep(time.Minute)
		if n := s.len(); n != 1000 {
			t.Errorf("%d are kept", n)
		}
		if s.largest > 200 {
			t.Errorf("%d rows in one transaction", s.largest)
		}
		if l.PutOff(mail("192.0.2.1", "ann", "bob")) {
			t.Error("one that had passed was driven out")
		}
		l.stop()
	})
}

// TestStoreTrouble: while nothing can be kept greylisting goes on, and what was not kept is when it can be.
func TestStoreTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{entries: map[greylist.Key]greylist.Entry{}, broken: true}
		l := run(t, s, 0)
		l.PutOff(mail("192.0.2.1", "ann", "bob"))
		time.Sleep(6 * time.Minute)
		if l.PutOff(mail("192.0.2.1", "ann", "bob")) || s.len() != 0 {
			t.Error("put off when it came again")
		}
		s.mu.Lock()
		s.broken = false
		s.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if s.len() != 1 {
			t.Errorf("%d are kept", s.len())
		}
		l.stop()
	})
}
