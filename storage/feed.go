package storage

import (
	"sync"
	"sync/atomic"
	"time"
)

// Happening is something that a [Feed] tells of. One of Mail, Attempt and Refusal is not nil.
type Happening struct {
	ID      uint64 // counted from 1 in each run of the program
	At      time.Time
	Mail    *Mail    // it was accepted
	Attempt *Attempt // it was recorded
	// RetryAt and State say what follows from Attempt: when it is tried again, or, when that is zero, how the delivery ended.
	RetryAt time.Time
	State   string
	Refusal *Refusal // it was recorded
}

// feedBuffer is how much a reader may be behind.
const feedBuffer = 256

// feed tells whoever listens what has happened, as it happens. Nobody waits for a reader: one that is too slow misses something and
// is told so.
type feed struct {
	readers atomic.Int32

	mu    sync.Mutex
	next  uint64
	feeds map[*Feed]struct{}
}

// Feed is what one reader hears. It tells of this process alone.
type Feed struct {
	// Happenings has what happens from the call of [Store.Follow] on.
	Happenings <-chan Happening

	ch     chan Happening
	wanted func(*Happening) bool
	missed atomic.Int64
	of     *feed
}

// Follow tells what happens from now on, as far as wanted says so: it must not block. The caller ends it with Close.
func (s *Store) Follow(wanted func(*Happening) bool) *Feed {
	f := &Feed{ch: make(chan Happening, feedBuffer), wanted: wanted, of: &s.feed}
	f.Happenings = f.ch
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.feed.feeds == nil {
		s.feed.feeds = map[*Feed]struct{}{}
	}
	s.feed.feeds[f] = struct{}{}
	s.feed.readers.Add(1)
	return f
}

// Missed is how much was dropped since the last call because the reader was behind.
func (f *Feed) Missed() int64 { return f.missed.Swap(0) }

// Close ends it.
func (f *Feed) Close() {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if _, ok := f.of.feeds[f]; ok {
		delete(f.of.feeds, f)
		f.of.readers.Add(-1)
	}
}

// tell gives something to those who want it.
func (f *feed) tell(h Happening) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	h.ID = f.next
	for reader := range f.feeds {
		if !reader.wanted(&h) {
			continue
		}
		select {
		case reader.ch <- h:
		default:
			reader.missed.Add(1)
		}
	}
}

// committed tells of what a batch has made durable.
func (f *feed) committed(b *batch, now time.Time) {
	if f.readers.Load() == 0 {
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
