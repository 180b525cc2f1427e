package scan

import (
	"sync"
	"time"
)

const (
	// breakAfter is the number of failures in a row after which a scanner is left alone.
	breakAfter = 5
	// restFor is for how long. Then one message tries it again, while the others go on without it.
	restFor = 15 * time.Second
)

// breaker keeps messages from waiting for a scanner that is dead. Its zero value asks.
type breaker struct {
	mu       sync.Mutex
	failures int       // in a row
	until    time.Time // with breakAfter failures: nobody asks before
	probing  bool      // somebody tries whether it is back
}

// resting says that nobody may ask now.
func (b *breaker) resting(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closedTo(now)
}

func (b *breaker) closedTo(now time.Time) bool {
	return b.failures >= breakAfter && (b.probing || now.Before(b.until))
}

// enter asks for leave. Who gets it says by leave how it went; probe is for that.
func (b *breaker) enter(now time.Time) (probe, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closedTo(now) {
		return false, false
	}
	b.probing = b.failures >= breakAfter
	return b.probing, true
}

// result is how an attempt at a scanner went.
type result int

const (
	answered result = iota
	failed
	unknown // it was given up for a reason that is not the scanner's
)

// leave notes how an attempt went, and says whether the scanner is to rest from now on, or is back.
func (b *breaker) leave(now time.Time, probe bool, r result) (rests, back bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch r {
	case answered:
		back = b.failures >= breakAfter
		b.failures = 0
	case failed:
		b.failures++
		if probe || b.failures == breakAfter { // later ones were begun before: they tell nothing new
			b.until = now.Add(restFor)
		}
		rests = b.failures == breakAfter
	case unknown:
	}
	return rests, back
}
