package storage

import (
	"sync"
	"sync/atomic"
	"time"
)

// Happening is something that a [Feed] tells of. One of Mail, Attempt and Refusal is not nil.
type Happening struct {
	ID   uint64 // counted from 1 in each run of the program, in the order in which it is told here
	Node string // name of the node that it happened on; empty where none is enrolled
	At   time.Time
	// Mail was accepted, Attempt was recorded. Of another node's there is as much as lists show.
	Mail    *Mail
	Attempt *Attempt
	// RetryAt and State say what follows from Attempt: when it is tried again, or, when that is zero, how the delivery ended.
	RetryAt time.Time
	State   string
	Refusal *Refusal // it was recorded
}

// How much a reader may be behind. What other nodes tell comes in batches.
const (
	feedBuffer = 256
	wideBuffer = 1024
)

// feed tells whoever listens what has happened, as it happens. Nobody waits for a reader: one that is too slow misses something and
// is told so.
type feed struct {
	readers atomic.Int32
	relay   *relay // to the other nodes; nil: there cannot be any

	mu    sync.Mutex
	next  uint64
	feeds map[*Feed]struct{}
}

// Feed is what one reader hears.
type Feed struct {
	// Happenings has what happens from the call of [Store.Follow] on.
	Happenings <-chan Happening

	ch     chan Happening
	wanted func(*Happening) bool
	wide   bool // it hears of other nodes too
	missed atomic.Int64
	lost   atomic.Int64
	unsure atomic.Bool
	of     *feed
}

// Follow tells what happens in this process from now on, as far as wanted says so: it must not block. The caller ends it with Close.
func (s *Store) Follow(wanted func(*Happening) bool) *Feed {
	return s.feed.follow(&Feed{ch: make(chan Happening, feedBuffer), wanted: wanted})
}

// FollowAll is Follow for all nodes that are enrolled on the database, see [Store.Enrol]. The others are heard of within a second, and what
// happens there comes up to a second late; the order is that of each node. Own happenings come at once.
func (s *Store) FollowAll(wanted func(*Happening) bool) *Feed {
	f := s.feed.follow(&Feed{ch: make(chan Happening, wideBuffer), wanted: wanted, wide: true})
	if s.feed.relay != nil {
		s.feed.relay.enter()
	}
	return f
}

func (f *feed) follow(reader *Feed) *Feed {
	reader.Happenings, reader.of = reader.ch, f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.feeds == nil {
		f.feeds = map[*Feed]struct{}{}
	}
	f.feeds[reader] = struct{}{}
	f.readers.Add(1)
	return reader
}

// Missed is how much was dropped since the last call because the reader was behind.
func (f *Feed) Missed() int64 { return f.missed.Swap(0) }

// Lost is how much of other nodes did not come through since the last call, wanted or not: too much happened there, or the database was slow.
// unsure says that for a while nothing could be learned of them, so that it may be more.
func (f *Feed) Lost() (n int64, unsure bool) { return f.lost.Swap(0), f.unsure.Swap(false) }

// Close ends it.
func (f *Feed) Close() {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if _, ok := f.of.feeds[f]; !ok {
		return
	}
	delete(f.of.feeds, f)
	f.of.readers.Add(-1)
	if f.wide && f.of.relay != nil {
		f.of.relay.leave()
	}
}

// heard says whether anybody wants to know what happens here.
func (f *feed) heard() bool {
	return f.readers.Load() > 0 || f.relay != nil && f.relay.asked.Load()
}

// tell gives something that has happened here to those who want it.
func (f *feed) tell(h Happening) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.relay != nil {
		h.Node = f.relay.take(&h)
	}
	f.give(&h, false)
}

// hear gives what has happened on another node to those who want it. lost is how much of it did not come through before that.
func (f *feed) hear(lost int64, list []Happening) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for reader := range f.feeds {
		if reader.wide {
			reader.lost.Add(lost)
		}
	}
	for i := range list {
		f.give(&list[i], true)
	}
}

// doubt tells readers that they may have missed something of other nodes.
func (f *feed) doubt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for reader := range f.feeds {
		reader.unsure.Store(reader.wide)
	}
}

func (f *feed) give(h *Happening, foreign bool) {
	f.next++
	h.ID = f.next
	for reader := range f.feeds {
		if foreign && !reader.wide || !reader.wanted(h) {
			continue
		}
		select {
		case reader.ch <- *h:
		default:
			reader.missed.Add(1)
		}
	}
}

// committed tells of what a batch has made durable.
func (f *feed) committed(b *batch, now time.Time) {
	if !f.heard() {
		return
	}
	for _, a := range b.accepts {
		for _, m := range a.messages {
			if m.id == m.mail.ID && m.hold == nil {
				f.tell(Happening{At: now, Mail: m.mail})
			}
		}
	}
	for _, c := range b.completions {
		if c.err == nil && !c.Unattempted && c.Attempt.N > 0 {
			attempt := c.Attempt
			f.tell(Happening{At: now, Attempt: &attempt, RetryAt: c.RetryAt, State: c.State})
		}
	}
}
