package guard

import (
	"net/netip"
	"sync"
)

// Shares divides a number of octets among sources. A source may hold as much as it leaves free: alone half of all, among n
// that are as greedy one part of n+1, so that who comes next always finds something (the dynamic thresholds of shared
// switch buffers: Choudhury and Hahne, 1998). It is safe for concurrent use. Make one with [NewShares].
type Shares struct {
	total int64

	mu   sync.Mutex
	used int64
	held map[netip.Prefix]int64
}

// NewShares makes a Shares of so many octets.
func NewShares(total int64) *Shares { return &Shares{total: total, held: map[netip.Prefix]int64{}} }

// Take reserves n octets for a source, or none and says false.
func (s *Shares) Take(source netip.Prefix, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[source]+n > s.total-s.used-n {
		return false
	}
	s.used += n
	s.held[source] += n
	return true
}

// Give returns octets that the source holds.
func (s *Shares) Give(source netip.Prefix, n int64) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.held[source] -= n; s.held[source] <= 0 {
		delete(s.held, source)
	}
}

// Used is the number of octets that are reserved.
func (s *Shares) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}
