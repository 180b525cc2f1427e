package dispatch

import (
	"time"

	"github.com/letterhook/letterhook/storage"
)

// handOver takes mails that were just accepted, as far as the budget allows. The others are read from the store.
func (b *board) handOver(accepted []storage.Accepted, now time.Time) (kept, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range accepted {
		a := &accepted[i]
		size := keptCost(a)
		room := a.Raw != nil && b.memory+size <= b.budget && !b.stopped
		for _, d := range a.Deliveries {
			l := b.mine(d.Endpoint)
			if l == nil {
				dropped++
				continue
			}
			if _, known := l.held[d.ID]; known {
				continue // a read was quicker than the hand-over that follows the commit
			}
			if room && l.takesFresh(now) && l.freshBytes+size <= b.budget/4 {
				b.keep(l, a, d)
				kept++
			} else {
				l.more, l.doubtful = true, true
				if l.reading || !d.DueAt.Truncate(time.Millisecond).After(l.cursor.DueAt) { // a store keeps milliseconds
					l.straggles(now)
				}
				dropped++
			}
			b.review(l, now)
		}
	}
	b.signal()
	return kept, dropped
}

func (b *board) keep(l *lane, a *storage.Accepted, d storage.Delivery) {
	letter := b.letters[a.Mail.ID]
	if letter == nil {
		letter = newLetter(a.Mail.ID)
		letter.mail, letter.raw, letter.cost = a.Mail, a.Raw, keptCost(a)
		b.letters[a.Mail.ID] = letter
		b.memory += letter.cost
	}
	letter.users++
	l.fresh.push(&job{lane: l, delivery: d, letter: letter})
	l.freshBytes += letter.cost
	l.held[d.ID] = struct{}{}
}

// What is kept of a mail beside its content, in octets: its envelope and places in maps; and that of each recipient and each
// delivery.
const (
	letterCost    = 2 << 10
	recipientCost = 512
	jobCost       = 512
)

// keptCost estimates what a mail takes of the memory budget. An empty one is not free: anybody may send many of them.
func keptCost(a *storage.Accepted) int64 {
	return int64(len(a.Raw) + letterCost + recipientCost*len(a.Mail.Envelope.Recipients) + jobCost*len(a.Deliveries))
}
