package dispatch

import (
	"time"

	"github.com/letterhook/letterhook/storage"
)

// read is a question to the store: the next due rows of a lane.
type read struct {
	lane  *lane
	after storage.Cursor
	dueBy time.Time
	limit int
	asked time.Time
	scans bool // from the beginning
}

// maxRowsTogether is how many rows reads may ask for that go together.
const maxRowsTogether = 1024

// nextReads gives the next reads to make, which go together. A lane has at most one under way.
func (b *board) nextReads(now time.Time) (together []*read) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for rows := 0; rows < maxRowsTogether && len(together) < maxTogether; {
		r := b.nextRead(now)
		if r == nil {
			break
		}
		together, rows = append(together, r), rows+r.limit
	}
	return together
}

func (b *board) nextRead(now time.Time) *read {
	for b.reads.len() > 0 && !b.stopped {
		l := b.reads.pop()
		l.queued = false
		if !l.wantsRead(now) {
			b.review(l, now)
			continue
		}
		if !l.scanAt.IsZero() && !now.Before(l.scanTime()) {
			l.cursor, l.more, l.doubtful = storage.Cursor{}, true, false
			l.scanAt, l.scanned = time.Time{}, now
		}
		l.reading, l.settled = true, nil
		return &read{
			lane: l, after: l.cursor, dueBy: now.Add(lookAhead), limit: l.page(), asked: now,
			scans: l.cursor == storage.Cursor{},
		}
	}
	return nil
}

// lacking gives the ids of the messages that reads have met and memory does not know, as far as there is room for their
// envelopes: read together they cost a fraction of one by one. What does not fit is read when its turn comes.
func (b *board) lacking(together []*read, rows [][]storage.Delivery) (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room, known := b.budget/2-b.memory, map[string]struct{}{}
	for i, r := range together {
		if r.lane.pace.suspect {
			continue // may not get to them for hours
		}
		for _, d := range rows[i] {
			if d.DueAt.After(r.asked) {
				break
			}
			_, held := r.lane.held[d.ID]
			if _, twice := known[d.Message]; twice || held || b.letters[d.Message] != nil {
				continue
			}
			if room -= letterCost + recipientCost + jobCost; room < 0 {
				return ids
			}
			known[d.Message] = struct{}{}
			ids = append(ids, d.Message)
		}
	}
	return ids
}

// readDone takes the rows of a read, and the mails that were read with them. Rows that are not due yet only say when to look
// again.
func (b *board) readDone(r *read, rows []storage.Delivery, mails map[string]*storage.Mail, err error, now time.Time) (taken int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := r.lane
	l.reading = false
	if l.orphan {
		return 0
	}
	if err != nil {
		l.more, l.doubtful = false, false
		l.lookAt(now.Add(time.Second))
	} else {
		taken = b.take(r, rows, mails, now)
	}
	for _, id := range l.settled {
		delete(l.held, id)
	}
	l.settled = nil
	b.review(l, now)
	b.signal()
	return taken
}

// take puts the rows of a read into its lane.
func (b *board) take(r *read, rows []storage.Delivery, mails map[string]*storage.Mail, now time.Time) (taken int) {
	l := r.lane
	wasEmpty := len(l.held) == 0
	l.more = len(rows) == r.limit
	for _, d := range rows {
		if d.DueAt.After(r.asked) {
			l.more = false
			if _, ok := l.held[d.ID]; !ok {
				l.lookAt(d.DueAt)
				break
			}
			continue
		}
		l.cursor = storage.Cursor{DueAt: d.DueAt, ID: d.ID}
		if _, ok := b.dropped[d.Job]; ok {
			continue
		}
		if _, ok := l.held[d.ID]; ok {
			continue
		}
		l.held[d.ID] = struct{}{}
		j := &job{lane: l, delivery: d}
		b.attach(j, mails[d.Message])
		l.stored.push(j)
		taken++
	}
	if wasEmpty && taken > 0 && !l.more {
		l.newcomer = now.Sub(l.stored.first().delivery.DueAt) < newFor
	}
	if !r.scans && !l.more {
		l.doubtful = true // rows may have come to stand before the cursor meanwhile
	}
	return taken
}

// attach gives a job that was read from the store the letter of its mail, when that is in memory or there is room for it.
func (b *board) attach(j *job, mail *storage.Mail) {
	letter := b.letters[j.delivery.Message]
	if letter == nil {
		if mail == nil || j.lane.pace.suspect {
			return
		}
		cost := keptCost(&storage.Accepted{Mail: mail, Deliveries: []storage.Delivery{j.delivery}})
		if b.memory+cost > b.budget/2 {
			return
		}
		letter = newLetter(mail.ID)
		letter.mail, letter.cost = mail, cost
		b.letters[mail.ID] = letter
		b.memory += cost
	}
	letter.users++
	j.letter = letter
}

// sweep takes the directory as it is now, and the oldest due time of every lane that has rows in the store, and has those
// read in time. It finds what nothing else told the board of. With probe a lane that is paused and has something due makes
// one attempt all the same, and the pause is over if that succeeds: somebody may have mended the endpoint.
func (b *board) sweep(heads []storage.LaneHead, probe bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lives {
		b.meet(l, now)
		b.wakeUp(l, now)
	}
	for _, h := range heads {
		l := b.lanes[h.Endpoint]
		if l == nil && b.shared {
			if !h.DueAt.After(now) {
				b.claims[h.Endpoint] = struct{}{}
			}
			continue
		}
		if l == nil {
			l = b.lane(h.Endpoint)
		}
		l.lookAt(h.DueAt)
		l.probe = l.probe || (probe && l.life.rests(now) && !h.DueAt.After(now))
		b.review(l, now)
	}
	if len(b.claims) > 0 {
		b.signalWant()
	}
	b.signal()
}

// oldestDue is how long the lane that is most behind has been waiting for an attempt; lanes that wait because they must
// (paused, not declared) do not count.
func (b *board) oldestDue(now time.Time) (lag time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		if !l.open() || l.life.rests(now) {
			continue
		}
		if l.stored.len() > 0 {
			lag = max(lag, now.Sub(l.stored.first().delivery.DueAt))
		}
		if l.fresh.len() > 0 {
			lag = max(lag, now.Sub(l.fresh.first().delivery.DueAt))
		}
	}
	return lag
}
