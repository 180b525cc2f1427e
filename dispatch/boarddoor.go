package dispatch

import (
	"time"

	"github.com/letterhook/letterhook/storage"
)

// What follows is for mails whose senders wait for the endpoint's answer. They are in no lane, but the endpoint has one life and
// one rate.

// takesQuestions says whether such a mail may be put to the endpoint: it is neither paused nor disabled, and has not asked for a rest.
func (b *board) takesQuestions(endpoint string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lives[endpoint]
	return l == nil || l.runs() && (!l.rests(now) || l.RestReason != restAsked)
}

// question counts such a mail for the endpoint's rate, or says when to come again.
func (b *board) question(endpoint string, now time.Time) (later time.Time) {
	if b.look(endpoint).every <= 0 {
		return time.Time{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lane(endpoint)
	defer b.review(l, now)
	if ready := l.bucket.ready(); now.Before(ready) {
		return ready
	}
	l.bucket.take(now)
	return time.Time{}
}

// answered takes the answer to such a mail. no says that the answer is a verdict about the mail: of the endpoint it tells that
// somebody is there, and a wish to be disabled.
func (b *board) answered(endpoint string, r *Result, no bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.life(endpoint)
	before, straight := l.EndpointLife, l.straight
	var changes []EndpointChange
	var urgent bool
	switch {
	case !no || r.Disable:
		changes, urgent = l.learn(r, false, b.look(endpoint).disableAfter, now)
	case l.State == storage.EndpointEnabled:
		l.Probes, l.straight = 0, 0
	}
	switch {
	case l.EndpointLife != before:
		b.note(l, changes, urgent)
		b.settle(l, now)
		b.signal()
	case l.straight != straight: // for this run alone
	case b.lanes[endpoint] == nil && !l.known() && !l.unsaved:
		delete(b.lives, endpoint)
	}
}
