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
	t := b.look(endpoint)
	if t.every <= 0 {
		return time.Time{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var in *bucket
	if b.shared && b.lanes[endpoint] == nil {
		in = b.aside(endpoint, &t, now)
	} else {
		l := b.lane(endpoint)
		defer b.review(l, now)
		in = &l.bucket
	}
	if ready := in.ready(); now.Before(ready) {
		return ready
	}
	in.take(now)
	return time.Time{}
}

// aside is the bucket of an endpoint whose lane is not the node's: to make the lane here would be to own it. Every node has one, so each
// has a part of the rate.
func (b *board) aside(endpoint string, t *terms, now time.Time) *bucket {
	every := t.every * time.Duration(max(b.nodes, 1))
	in := b.asides[endpoint]
	if in == nil || in.every != every || in.burst != t.burst {
		for other, full := range b.asides { // those that say nothing any more
			if !now.Before(full.full) {
				delete(b.asides, other)
			}
		}
		in = &bucket{every: every, burst: t.burst}
		b.asides[endpoint] = in
	}
	return in
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
