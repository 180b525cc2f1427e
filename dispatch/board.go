package dispatch

import (
	"slices"
	"sync"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// maxUnrecorded is how many attempts may wait for the store to record them before no new one begins: when the store is
// slow or full, sending on would only make more attempts that a crash repeats.
const maxUnrecorded = 4096

// board is the memory of the dispatcher: which lanes have something to do, and whose turn it is. All methods are short,
// do no input or output, and are safe for concurrent use.
//
// Lanes that just came to life go before the others, as new flows do in RFC 8290, so that an endpoint with little mail
// does not wait behind backlogs, but for every fourth turn, so that backlogs do not wait for ever where there are fewer slots than
// newcomers; among themselves lanes take turns, one delivery each. Suspect lanes have a roster of their own and a quarter of the
// slots.
type board struct {
	look   func(endpoint string) terms
	slots  int   // attempts in flight at most
	budget int64 // octets of mails kept in memory at most

	shared bool                 // with other nodes: only some lanes are ours
	may    func(time.Time) bool // the lease of the node lets attempts begin; nil: there is none

	mu         sync.Mutex
	epoch      int64 // of that lease; 0: there is none
	lanes      map[string]*lane
	lives      map[string]*life // of the endpoints that have a lane, or of which something is known
	changes    []EndpointChange // that nobody was told of
	dirty      []*life
	newcomers  queue[*lane]
	regulars   queue[*lane]
	suspected  queue[*lane]
	turn       int
	reads      queue[*lane]
	timers     timers
	letters    map[string]*letter
	dropped    map[string]struct{} // replays that were cancelled: a read under way may still bring their deliveries
	memory     int64
	inFlight   int
	suspects   int // of inFlight
	unrecorded int
	stopped    bool
	keepsHouse bool                // tells what is told once for all nodes
	leaving    bool                // every lane goes to other nodes
	wants      map[string]struct{} // lanes of others, or of nobody, that have got work
	claims     map[string]struct{} // lanes with due work that seem to be nobody's
	asides     map[string]*bucket  // of mails whose senders wait, where the lane is not ours
	nodes      int                 // that have a lease

	wake chan struct{} // capacity 1: something may have become possible
	want chan struct{} // capacity 1: there are wants
	save chan struct{} // capacity 1: lives have changed
}

func newBoard(slots int, budget int64, look func(string) terms) *board {
	return &board{
		look: look, slots: slots, budget: budget, lanes: map[string]*lane{}, letters: map[string]*letter{}, dropped: map[string]struct{}{},
		lives: map[string]*life{}, wake: make(chan struct{}, 1), want: make(chan struct{}, 1), save: make(chan struct{}, 1),
	}
}

func (b *board) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// lane finds the lane of the endpoint or makes it.
func (b *board) lane(endpoint string) *lane {
	l := b.lanes[endpoint]
	if l == nil {
		t := b.look(endpoint)
		l = &lane{
			endpoint: endpoint, terms: t, life: b.life(endpoint), pace: newPace(t.concurrency),
			bucket: bucket{every: t.every, burst: t.burst}, held: map[string]struct{}{}, timer: -1,
		}
		b.lanes[endpoint] = l
	}
	return l
}

// review puts the lane where its state belongs after any change: among those that wait for a turn, for a read, for the
// clock, or nowhere.
func (b *board) review(l *lane, now time.Time) {
	if l.orphan {
		return
	}
	l.resume(now)
	if l.doubtful && len(l.held) == 0 && !l.more && !l.reading {
		l.doubtful = false // the lane has drained: look at it once more from the beginning
		l.lookAt(now)
	}
	if l.startable(now) && !l.listed {
		b.enlist(l)
	}
	if !l.queued && l.wantsRead(now) {
		l.queued = true
		b.reads.push(l)
		b.signal()
	}
	if b.timers.set(l, l.nextWake(now)) {
		b.signal()
	}
	idle := l.idle() && !l.listed && !l.queued && !l.life.rests(now) && !now.Before(l.bucket.full)
	switch {
	case !idle:
		l.idleSince = time.Time{}
	case b.shared:
		if l.idleSince.IsZero() {
			l.idleSince = now // the lane stays ours for a while
		}
	default:
		b.timers.set(l, time.Time{})
		delete(b.lanes, l.endpoint)
		if !l.life.known() && !l.life.unsaved {
			delete(b.lives, l.endpoint)
		}
	}
}

// enlist puts the lane at the end of a roster. It is a newcomer when all it has just came in.
func (b *board) enlist(l *lane) {
	in := &b.regulars
	switch {
	case l.pace.suspect:
		in = &b.suspected
	case l.inFlight == 0 && (l.stored.len() == 0 || l.newcomer):
		in = &b.newcomers
	}
	in.push(l)
	l.listed = true
}

// tick wakes the lanes whose time has come.
func (b *board) tick(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.timers) > 0 && !b.timers[0].wakeAt.After(now) {
		l := b.timers[0]
		b.timers.set(l, time.Time{})
		b.review(l, now)
	}
}

// nextTick is when tick has to be called next; zero: there is no need.
func (b *board) nextTick() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.timers) == 0 {
		return time.Time{}
	}
	return b.timers[0].wakeAt
}

// next gives the delivery whose turn it is, or nil.
func (b *board) next(now time.Time) *job {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped || b.inFlight >= b.slots || b.unrecorded >= maxUnrecorded || (b.may != nil && !b.may(now)) {
		return nil
	}
	// Every fourth turn is the suspects', and another fourth is not the newcomers' first, so that each is served even while the
	// others have enough to do.
	b.turn = (b.turn + 1) % 4
	order := [...]*queue[*lane]{&b.newcomers, &b.regulars}
	switch b.turn {
	case 0:
		if j := b.nextSuspect(now); j != nil {
			return j
		}
	case 2:
		slices.Reverse(order[:])
	}
	for _, in := range order {
		if j := b.nextOf(in, now); j != nil {
			return j
		}
	}
	return b.nextSuspect(now)
}

func (b *board) nextSuspect(now time.Time) *job {
	if b.suspects >= max(b.slots/4, 1) {
		return nil
	}
	return b.nextOf(&b.suspected, now)
}

// nextOf takes the first lane of a roster that can start something.
func (b *board) nextOf(in *queue[*lane], now time.Time) *job {
	for in.len() > 0 {
		l := in.pop()
		l.listed = false
		became := l.pace.suspect && in != &b.suspected // since it was listed
		if l.startable(now) && !became {
			return b.start(l, now)
		}
		b.review(l, now)
	}
	return nil
}

func (b *board) start(l *lane, now time.Time) *job {
	j := l.take()
	j.suspect = l.pace.suspect
	j.single, l.probe = l.life.probing() || l.life.rests(now), false
	l.bucket.take(now)
	l.newcomer = false
	if j.letter == nil {
		j.letter = b.letters[j.delivery.Message]
		if j.letter == nil {
			j.letter = newLetter(j.delivery.Message)
			b.letters[j.delivery.Message] = j.letter
		}
		j.letter.users++
	}
	l.inFlight++
	b.inFlight++
	if j.suspect {
		b.suspects++
	}
	b.review(l, now)
	return j
}

// letGo says that the job does not need its letter any more.
func (b *board) letGo(j *job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letGoLocked(j)
}

func (b *board) letGoLocked(j *job) {
	if j.letter == nil {
		return
	}
	if j.letter.users--; j.letter.users == 0 {
		b.memory -= j.letter.cost
		delete(b.letters, j.letter.id)
	}
	j.letter = nil
}

// posted says that the attempt was made, and frees its slot. The record is still to come.
//
// spared says that the attempt does not count in the schedule: the endpoint was known to be broken, or wants no more.
func (b *board) posted(j *job, r *Result, now time.Time) (spared bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := j.lane
	b.freeSlot(j)
	b.unrecorded++
	l.recording++
	if l.orphan {
		b.signal()
		return false // what is known of the endpoint is another node's now
	}
	wasSuspect, wasProbing := l.pace.suspect, l.life.probing()
	l.pace.learn(r)
	broken := l.life.State != storage.EndpointEnabled
	before := l.life.EndpointLife
	if r.Outcome == OutcomeDelivered && j.single {
		l.life.RestUntil = time.Time{} // whatever it asked for, it takes mail
	}
	changes, urgent := l.life.learn(r, j.single, l.terms.disableAfter, now)
	if l.life.EndpointLife != before {
		b.note(l.life, changes, urgent)
	}
	if l.life.probing() && !wasProbing {
		l.pace.restart()
	}
	if (l.pace.suspect && !wasSuspect) || l.life.rests(now) || !l.open() {
		b.shed(l, now)
	}
	b.review(l, now)
	b.signal()
	return r.Outcome != OutcomeDelivered && (broken || l.life.State == storage.EndpointDisabled || r.Outcome == OutcomeProxy)
}

func (b *board) freeSlot(j *job) {
	b.letGoLocked(j)
	j.lane.inFlight--
	b.inFlight--
	if j.suspect {
		b.suspects--
	}
}

// recorded says that the record of the attempt is committed. retryAt is the new due time, or zero.
func (b *board) recorded(j *job, retryAt, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := j.lane
	b.unrecorded--
	l.recording--
	if l.orphan {
		b.signal()
		return
	}
	if j.heldUntil.IsZero() {
		b.unhold(l)
	}
	switch {
	case l.terms.ordered && !j.heldUntil.IsZero():
		b.holdUp(j, now)
		retryAt = time.Time{}
	case l.reading:
		l.settled = append(l.settled, j.delivery.ID)
	default:
		delete(l.held, j.delivery.ID)
	}
	if !retryAt.IsZero() {
		l.lookAt(retryAt)
	}
	b.review(l, now)
	b.signal()
}

// holdUp makes a lane in strict order wait for the next attempt of its first delivery, which stays in memory. In the store
// the delivery keeps its place.
func (b *board) holdUp(j *job, now time.Time) {
	l := j.lane
	again := &job{lane: l, delivery: j.delivery}
	again.delivery.Attempts++
	if j.spared {
		again.delivery.Spared++
	}
	l.stored.pushFront(again)
	l.life.rest(j.heldUntil, restOrder)
	b.note(l.life, nil, j.heldUntil.Sub(now) > leastSaved)
}

// unhold ends the rest of a lane for the sake of its first delivery: that is not the first any more, or order does not matter any more.
func (b *board) unhold(l *lane) {
	if l.life.RestReason == restOrder {
		l.life.RestUntil, l.life.RestReason = time.Time{}, ""
		b.note(l.life, nil, true)
	}
}

// unspent gives the lane back what its rate allowed for an attempt that is not made.
func (b *board) unspent(j *job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j.lane.bucket.giveBack()
}

// unmade says that no attempt was made, for trouble of our own or, with ofMail, because the mail itself cannot be read; it
// is to be tried again later.
func (b *board) unmade(j *job, ofMail bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.freeSlot(j)
	if !j.lane.orphan {
		j.lane.bucket.giveBack()
		j.lane.postpone(j, ofMail, now)
		b.review(j.lane, now)
	}
	b.signal()
}

// shed forgets the mails of a lane that does not get rid of them; those that were handed over are read again in time.
func (b *board) shed(l *lane, now time.Time) {
	for _, j := range l.stored.all() {
		b.letGoLocked(j)
	}
	for _, j := range l.fresh.all() {
		delete(l.held, j.delivery.ID)
		b.letGoLocked(j)
		l.straggles(now)
	}
	l.fresh.clear()
	l.freshBytes = 0
}

// stop makes next give nothing any more.
func (b *board) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
}

// waiting is the number of attempts that the store has not recorded yet.
func (b *board) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unrecorded
}
