package dispatch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/letterhook/letterhook/inbound/breaker"
)

// What keeps a session from asking.
var (
	errBusy    = errors.New("no turn came free in time")
	errResting = errors.New("no answer came too often; nobody asks for a while")
	errStopped = errors.New("the endpoint is paused or disabled, or has asked for a rest")
)

// maxInLine is how many sessions wait for a turn at one receiver, at most. Each holds a connection and maybe a mail in memory
// that those of other receivers need.
const maxInLine = 100

// door bounds the questions that sessions put to one receiver at the same time, and lets none through while it is dead.
// Sessions hold a connection each, so few wait for a turn, and none waits long.
type door struct {
	turns   chan struct{}
	inLine  atomic.Int32
	breaker breaker.Breaker
}

func newDoor(turns int) *door { return &door{turns: make(chan struct{}, max(turns, 1))} }

// enter waits for a turn until ctx ends, unless too many wait already. Who gets one says by leave how it went; rests and back are news for the log.
func (d *door) enter(ctx context.Context) (leave func(breaker.Result) (rests, back bool), err error) {
	if d.breaker.Resting(time.Now()) {
		return nil, errResting
	}
	if !d.takeTurn(ctx) {
		return nil, errBusy
	}
	probe, ok := d.breaker.Enter(time.Now())
	if !ok {
		<-d.turns
		return nil, errResting
	}
	return func(r breaker.Result) (rests, back bool) {
		<-d.turns
		return d.breaker.Leave(time.Now(), probe, r)
	}, nil
}

// takeTurn is false when no turn came free.
func (d *door) takeTurn(ctx context.Context) bool {
	defer d.inLine.Add(-1)
	if int(d.inLine.Add(1)) > maxInLine {
		select {
		case d.turns <- struct{}{}:
			return true
		default:
			return false
		}
	}
	select {
	case d.turns <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	if ctx.Err() != nil { // both may have come
		<-d.turns
		return false
	}
	return true
}

// answerOf says what the outcome of a request tells about the receiver: whether anybody is there.
func answerOf(res *Result) breaker.Result {
	switch res.Outcome {
	case outcomeCut, outcomeUnready, OutcomeURL:
		return breaker.Unknown
	case OutcomeDelivered, OutcomeRedirect:
		return breaker.Answered
	case OutcomeStatus:
		switch res.Status {
		case 429, 502, 503, 504: // RFC 9110 section 15.6, RFC 6585 section 4: too much for it, or it is not there
			return breaker.Failed
		}
		return breaker.Answered
	}
	return breaker.Failed
}

// doors has one door for each endpoint. Its zero value has none yet.
type doors struct {
	mu   sync.Mutex
	open map[string]*door // by endpoint id
}

// of gives the door of an endpoint with so many turns. A change of their number makes another one.
func (d *doors) of(endpoint string, turns int) *door {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[string]*door{}
	}
	found := d.open[endpoint]
	if found == nil || cap(found.turns) != max(turns, 1) {
		found = newDoor(turns)
		d.open[endpoint] = found
	}
	return found
}
