package inbound

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// forgiveAfter is how long one failed login counts. Each source is forgiven one failure at a time.
	forgiveAfter = time.Minute
	// maxSources bounds what is remembered: some megabytes.
	maxSources = 1 << 16
)

// failures counts the failed logins of each source, over all its connections. A login is charged before the password is
// looked at and given back when it was right: many connections at once must not get many tries each.
type failures struct {
	limit int // negative: none

	mu       sync.Mutex
	bySource map[netip.Prefix]failed
}

// failed is a leaking count.
type failed struct {
	count float64
	at    time.Time // when it was count
}

// left is what is not forgiven yet.
func (f failed) left(now time.Time) float64 {
	return max(0, f.count-float64(now.Sub(f.at))/float64(forgiveAfter))
}

// take charges one login, or says that the budget of the source is used up.
func (f *failures) take(source netip.Prefix, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.bySource[source].left(now)
	if f.limit >= 0 && left+1 > float64(f.limit) {
		return false
	}
	if _, known := f.bySource[source]; !known && len(f.bySource) >= maxSources {
		f.makeRoom(now)
	}
	f.bySource[source] = failed{left + 1, now}
	return true
}

// give takes back the charge of a login that was no failure.
func (f *failures) give(source netip.Prefix) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.bySource[source]
	if !ok {
		return
	}
	if known.count--; known.count <= 0 {
		delete(f.bySource, source)
		return
	}
	f.bySource[source] = known
}

// makeRoom forgets sources that are forgiven, or any one where none is.
func (f *failures) makeRoom(now time.Time) {
	for source, known := range f.bySource {
		if known.left(now) == 0 {
			delete(f.bySource, source)
		}
	}
	for source := range f.bySource {
		if len(f.bySource) < maxSources {
			return
		}
		delete(f.bySource, source)
	}
}
