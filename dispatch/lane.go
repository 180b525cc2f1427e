package dispatch

import (
	"time"

	"github.com/letterhook/letterhook/storage"
)

const (
	// scanPause is the least time between two reads of a lane from its beginning.
	scanPause = 250 * time.Millisecond
	// lookAhead is how far into the future a read looks for the next due time; longer than the pause between sweeps, so
	// that a lane is always told in time.
	lookAhead = sweepEvery + 5*time.Second
	// stragglerWait is how long a lane goes on before it is read from the beginning for the sake of a row that came to stand before its cursor:
	// its mail was committed after others that are due later had been read.
	stragglerWait = time.Second
	// newFor is how long ago what just came in can have come, until it is read.
	newFor = 10 * time.Second
	// maxDeferred is how many deliveries of a lane may be put off for trouble of our own before its backlog waits.
	maxDeferred = 64
	// maxDamaged is how many deliveries of a lane may be put off because their own mail cannot be read, before it is
	// taken for trouble of ours.
	maxDamaged = 64 << 10
)

// troublePause is the wait before a delivery is tried again that trouble of our own kept from being attempted.
const troublePause = 5 * time.Second

// troublePauses are the waits by the trouble: the first for ours, which may be over at any time; the others for a mail
// that cannot be read while others can, the first time, the second time, and from then on.
var troublePauses = [...]time.Duration{troublePause, 30 * time.Second, 5 * time.Minute, time.Hour}

// A job is a delivery that is being attempted or waits in memory for its attempt.
type job struct {
	lane     *lane
	delivery storage.Delivery
	letter   *letter // of one that was read from the store perhaps nil until it is attempted
	suspect  bool    // counts in the suspects' share while it is attempted
	single   bool    // the one attempt that is allowed at the time

	heldUntil time.Time // in strict order, after a failed attempt: when the next one is due
	spared    bool      // that attempt does not count

	// What kept it from being attempted, up to now: how often, and since when.
	troubles     int
	troubleSince time.Time
}

// lane is the queue of one endpoint. Its fields are the board's, under the board's lock.
//
// held has the id of every delivery that memory knows of: waiting, in flight, being recorded, or put off. A read of the
// store skips those. An id leaves held when its record is committed and no read is under way that may have begun before
// that commit; so no delivery is attempted twice, and none is forgotten.
type lane struct {
	endpoint  string
	terms     terms
	life      *life
	pace      pace
	bucket    bucket
	inFlight  int
	recording int // attempts that were made and are not recorded yet

	fresh      queue[*job] // handed over by the store
	freshBytes int64       // what their letters cost
	stored     queue[*job] // read from the store, all due
	storedTurn bool        // fresh and stored take turns
	held       map[string]struct{}

	cursor   storage.Cursor // what stands before it was read
	more     bool           // there may be due rows behind the cursor
	doubtful bool           // there may be due rows before the cursor
	reading  bool
	settled  []string  // ids whose records were committed during the read under way
	scanAt   time.Time // when to read from the beginning; zero: nothing is known to become due
	scanned  time.Time // when that was last begun

	newcomer     bool // all that was read just came in: the node did not own the lane when it did
	probe        bool // one attempt is to be made although the endpoint rests
	putOff       [len(troublePauses)]queue[deferral]
	stalledUntil time.Time // in strict order: trouble of our own with the first delivery

	// Where nodes share the store.
	epoch     int64     // under which the node owns the lane
	leaving   bool      // no attempt begins: the lane goes to another node as soon as nothing of it is under way
	given     bool      // that is so although it may have work
	orphan    bool      // it is the node's no more
	idleSince time.Time // there is nothing to do; zero: there is

	listed bool // waits for its turn
	queued bool // waits for a read
	timer  int  // index in the board's timers; -1: none
	wakeAt time.Time
}

// deferral is a delivery that was put off because it could not be made ready.
type deferral struct {
	job   *job
	until time.Time
}

// queue is a first-in-first-out list.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int { return len(q.items) - q.head }
func (q *queue[T]) push(v T) { q.items = append(q.items, v) }
func (q *queue[T]) first() T { return q.items[q.head] }
func (q *queue[T]) all() []T { return q.items[q.head:] }
func (q *queue[T]) clear()   { *q = queue[T]{} }

func (q *queue[T]) pop() T {
	var zero T
	v := q.items[q.head]
	q.items[q.head] = zero
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > 64 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return v
}

// pushFront puts v before all others.
func (q *queue[T]) pushFront(v T) {
	if q.head > 0 {
		q.head--
		q.items[q.head] = v
		return
	}
	q.items = append([]T{v}, q.items...)
}

// takesFresh says whether a mail that was just accepted is kept for the lane. In strict order all are read from the store,
// which knows the order.
func (l *lane) takesFresh(now time.Time) bool {
	return l.open() && !l.terms.ordered && !l.pace.suspect && !l.life.rests(now)
}

// open says that attempts are made: the endpoint is declared, and neither paused nor disabled.
func (l *lane) open() bool { return l.terms.declared != nil && l.life.runs() && !l.leaving }

// startable says whether an attempt of the lane may begin now.
func (l *lane) startable(now time.Time) bool {
	if !l.open() || !l.passes(now) || now.Before(l.bucket.ready()) || now.Before(l.stalledUntil) {
		return false
	}
	switch {
	case l.terms.ordered && l.inFlight+l.recording > 0, l.life.probing() && l.inFlight > 0, l.inFlight >= l.pace.width():
		return false
	}
	return l.fresh.len() > 0 || (l.stored.len() > 0 && !l.rests())
}

// passes says whether an attempt need not wait for the end of a rest.
func (l *lane) passes(now time.Time) bool { return l.probe || !l.life.rests(now) }

// rests says that the backlog waits because too many deliveries were put off for trouble of our own. Fresh mail is still
// tried: the trouble may not concern it.
func (l *lane) rests() bool { return l.putOff[0].len() >= maxDeferred }

// postpone puts a delivery off, for trouble that ofMail says to be of its mail alone, or forgets it when the lane rests; then
// its row is read again in time. What is put off stays held, so that a read walks past it and finds what stands behind.
func (l *lane) postpone(j *job, ofMail bool, now time.Time) {
	step := 0
	if l.terms.ordered {
		if ofMail {
			step = min(max(j.troubles, 1), len(troublePauses)-1)
		}
		l.stored.pushFront(j)
		l.stalledUntil = now.Add(troublePauses[step])
		return
	}
	if last := len(troublePauses) - 1; ofMail && l.putOff[last].len() < maxDamaged {
		step = min(max(j.troubles, 1), last)
	}
	if step == 0 && l.rests() {
		delete(l.held, j.delivery.ID)
		l.straggles(now)
		return
	}
	l.putOff[step].push(deferral{j, now.Add(troublePauses[step])})
}

// resume takes up again what was put off until now.
func (l *lane) resume(now time.Time) {
	for i := range l.putOff {
		for q := &l.putOff[i]; q.len() > 0 && !now.Before(q.first().until); {
			l.stored.push(q.pop().job)
		}
	}
}

// take removes the next delivery. Fresh ones and those read from the store take turns, so that a backlog does not keep
// fresh mail waiting, nor fresh mail the backlog.
func (l *lane) take() *job {
	fromStored := l.fresh.len() == 0 || (l.stored.len() > 0 && l.storedTurn && !l.rests())
	l.storedTurn = !fromStored
	if fromStored {
		return l.stored.pop()
	}
	j := l.fresh.pop()
	l.freshBytes -= j.letter.cost
	return j
}

// page is how many rows a read asks for.
func (l *lane) page() int { return min(max(8*l.pace.width(), 16), 256) }

// wantsRead says whether the store should be read for the lane now.
func (l *lane) wantsRead(now time.Time) bool {
	if !l.open() || l.reading || !l.passes(now) || l.rests() || l.stored.len() >= l.page()/2 {
		return false
	}
	return l.more || (!l.scanAt.IsZero() && !now.Before(l.scanTime()))
}

// scanTime is scanAt, but not too soon after the last time.
func (l *lane) scanTime() time.Time {
	if earliest := l.scanned.Add(scanPause); l.scanAt.Before(earliest) {
		return earliest
	}
	return l.scanAt
}

// straggles says that there are due rows in the store that memory does not know, perhaps before the cursor. A lane that drains looks there at
// once; one that goes on must not wait for that.
func (l *lane) straggles(now time.Time) {
	l.more, l.doubtful = true, true
	if l.reading || l.cursor != (storage.Cursor{}) {
		l.lookAt(now.Add(stragglerWait))
	}
}

// lookAt makes the lane read from the beginning at a time, or before.
func (l *lane) lookAt(at time.Time) {
	if l.scanAt.IsZero() || at.Before(l.scanAt) {
		l.scanAt = at
	}
}

// idle says that memory holds nothing of the lane and no row of it is known or suspected in the store.
func (l *lane) idle() bool {
	return len(l.held) == 0 && !l.more && !l.doubtful && !l.reading && l.scanAt.IsZero()
}

// nextWake is when something changes for the lane by the clock alone; zero: nothing does.
func (l *lane) nextWake(now time.Time) time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	consider(l.life.RestUntil)
	consider(l.stalledUntil)
	if l.fresh.len()+l.stored.len() > 0 {
		consider(l.bucket.ready())
	} else {
		consider(l.bucket.full) // until then the lane is not forgotten
	}
	for i := range l.putOff {
		if l.putOff[i].len() > 0 {
			consider(l.putOff[i].first().until)
		}
	}
	if !l.scanAt.IsZero() && l.open() {
		consider(l.scanTime())
	}
	return next
}
