package greylist

import (
	"container/list"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// Key stands for a triplet: the network of the client, the domain of the reverse-path and the forward-path. Nobody's address can
// be read from it.
type Key [16]byte

// Entry is what is known of a triplet. Times are whole seconds, in UTC.
type Entry struct {
	Key    Key
	First  time.Time // when it was first seen
	Last   time.Time // when it last was; for one that passed, when it last came through
	Passed bool
}

// Store keeps entries over a restart. [github.com/letterhook/letterhook/storage.Store] is one.
type Store interface {
	// Greylist calls each with every entry that is kept.
	Greylist(ctx context.Context, each func(Entry)) error
	// KeepGreylist keeps entries, in the place of those with the same keys, and removes others, all of it or nothing. They
	// are durable when it returns.
	KeepGreylist(ctx context.Context, entries []Entry, gone []Key) error
}

// Config says who is put off, and for how long. The zero value of a field is its default.
type Config struct {
	Store Store // required
	// Delay is how long a sender must wait before it comes again. 5 minutes.
	Delay time.Duration
	// Window is how long after the first attempt the second one counts. 1 day.
	Window time.Duration
	// Pass is how long a triplet that has passed is let in after it last came. 36 days.
	Pass time.Duration
	// Most bounds the triplets that are remembered. 100,000, which is 30 MB.
	Most int
	// Log is where trouble with the store goes. Nil: nowhere.
	Log *slog.Logger
}

// List is a greylist. Make one with [New], and have it kept with [List.Run]. It is safe for concurrent use.
type List struct {
	cfg Config

	mu      sync.Mutex
	entries map[Key]*list.Element // of *remembered
	waiting list.List             // those that have not passed, the one met last in front
	passed  list.List             // the others, likewise
	changed map[Key]struct{}      // since they were last kept
}

// remembered is an entry in memory.
type remembered struct {
	Entry

	kept bool // the store has it, or is about to
}

// New makes a List of what the store has kept.
func New(ctx context.Context, cfg Config) (*List, error) {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&cfg.Delay, 5 * time.Minute}, {&cfg.Window, 24 * time.Hour}, {&cfg.Pass, 36 * 24 * time.Hour}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if cfg.Most == 0 {
		cfg.Most = 100_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &List{cfg: cfg, entries: map[Key]*list.Element{}, changed: map[Key]struct{}{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := cfg.Store.Greylist(ctx, func(e Entry) { l.put(&remembered{e, true}) }); err != nil {
		return nil, fmt.Errorf("reading the greylist: %w", err)
	}
	return l, nil
}

// PutOff says whether the first recipient of an envelope is to be put off now, and remembers that it was asked for.
func (l *List) PutOff(env *inbound.Envelope) bool {
	key, now := keyOf(env), time.Now().UTC().Truncate(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	element := l.entries[key]
	if element == nil || l.expired(element.Value.(*remembered), now) {
		e := &remembered{Entry: Entry{Key: key, First: now, Last: now}}
		if element != nil {
			e.kept = element.Value.(*remembered).kept
			l.remove(element)
		}
		l.put(e)
		l.changed[key] = struct{}{}
		return true
	}
	e := element.Value.(*remembered)
	if !e.Passed && now.Sub(e.First) < l.cfg.Delay {
		return true // who comes too soon loses nothing by it
	}
	l.remove(element)
	e.Passed, e.Last = true, now
	l.put(e)
	l.changed[key] = struct{}{}
	return false
}

// keyOf takes the network of the client, for a large sender comes again from a neighbour: the /24, or the /64 with IPv6. And of the
// reverse-path the domain alone: mailing lists and whoever sends mail for others make an address of each mail, and all of their mail
// would wait for ever.
func keyOf(env *inbound.Envelope) Key {
	bits := 24
	if env.RemoteIP.Is6() {
		bits = 64
	}
	network, _ := env.RemoteIP.Prefix(bits) // the zero Prefix for the zero Addr
	sum := sha256.Sum256([]byte(strings.ToLower(fmt.Sprintf("%s\x00%s\x00%s", network, env.ReversePath.Domain, env.Recipients[0].Path))))
	return Key(sum[:16])
}

func (l *List) expired(e *remembered, now time.Time) bool {
	if e.Passed {
		return now.Sub(e.Last) > l.cfg.Pass
	}
	return now.Sub(e.First) > l.cfg.Window
}

// put remembers an entry that is not there, in the place of another if there are too many: of one that never came again, or
// else of the one that came longest ago.
func (l *List) put(e *remembered) {
	for len(l.entries) >= l.cfg.Most {
		oldest := l.waiting.Back()
		if oldest == nil {
			oldest = l.passed.Back()
		}
		l.drop(oldest)
	}
	order := &l.waiting
	if e.Passed {
		order = &l.passed
	}
	l.entries[e.Key] = order.PushFront(e)
}

// drop forgets an entry, and has the store forget it. What the store never had is not mentioned there: a flood of strangers
// must not grow a list of what to forget.
func (l *List) drop(element *list.Element) {
	e := element.Value.(*remembered)
	l.remove(element)
	if delete(l.changed, e.Key); e.kept {
		l.changed[e.Key] = struct{}{}
	}
}

func (l *List) remove(element *list.Element) {
	e := element.Value.(*remembered)
	order := &l.waiting
	if e.Passed {
		order = &l.passed
	}
	order.Remove(element)
	delete(l.entries, e.Key)
}

// Len is the number of triplets that are remembered.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}
