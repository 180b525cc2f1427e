// Package breaker keeps mail from waiting for a service that is dead.
package breaker

import (
	"sync"
	"time"
)

const (
	// After is the number of failures in a row after which a service is left alone.
	After = 5
	// Rest is for how long. Then one tries it again, while the others go on without it.
	Rest = 15 * time.Second
)

// Breaker counts the failures of one service. Its zero value asks. It is safe for concurrent use.
type Breaker struct {
	mu       sync.Mutex
	failures int       // in a row
	until    time.Time // with After failures: nobody asks before
	probing  bool      // somebody tries whether it is back
}

// Resting says that nobody may ask now.
func (b *Breaker) Resting(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closedTo(now)
}

func (b *Breaker) closedTo(now time.Time) bool {
	return b.failures >= After && (b.probing || now.Before(b.until))
}

// Enter asks for leave. Who gets it says by Leave how it went; probe is for that.
func (b *Breaker) Enter(now time.Time) (probe, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closedTo(now) {
		return false, false
	}
	b.probing = b.failures >= After
	return b.probing, true
}

// Result is how an attempt at a service went.
type Result int

// The results.
const (
	Answered Result = iota
	Failed
	Unknown // it was given up for a reason that is not the service's
)

// Leave notes how an attempt went, and says whether the service is to rest from now on, or is back.
func (b *Breaker) Leave(now time.Time, probe bool, r Result) (rests, back bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch r {
	case Answered:
		back = b.failures >= After
		b.failures = 0
	case Failed:
		b.failures++
		if probe || b.failures == After { // later ones were begun before: they tell nothing new
			b.until = now.Add(Rest)
		}
		rests = b.failures == After
	case Unknown:
	}
	return rests, back
}
