package dispatch

import "time"

// bucket bounds how often attempts begin: one in every, and burst of them at once after a rest. It is kept as the time at
// which it will be full again (the generic cell rate algorithm). The zero value bounds nothing.
type bucket struct {
	every time.Duration
	burst int
	full  time.Time
}

// ready is when the next attempt may begin.
func (b *bucket) ready() time.Time {
	if b.every <= 0 {
		return time.Time{}
	}
	return b.full.Add(-time.Duration(max(b.burst, 1)-1) * b.every)
}

// take counts an attempt that begins.
func (b *bucket) take(now time.Time) {
	if now.After(b.full) {
		b.full = now
	}
	b.full = b.full.Add(b.every)
}

// giveBack takes back one that was not made.
func (b *bucket) giveBack() { b.full = b.full.Add(-b.every) }
