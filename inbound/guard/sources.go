package guard

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// Kind is what of a source is counted.
type Kind int

// The kinds.
const (
	Connects Kind = iota // connections
	Logins               // failed logins
	Unknown              // recipients that were refused for good
	Errors               // faulty commands
	kinds
)

// maxNetworks bounds the networks that are remembered: about 10 MB.
const maxNetworks = 1 << 15

// Limits are the budgets of one source. One that is left out is a budget of nothing.
type Limits [kinds]Rate

// Sources counts what clients do over time, however many connections they do it in. What was not heard of longest is
// forgotten first. It is safe for concurrent use. Make one with [NewSources].
type Sources struct {
	limits Limits

	mu       sync.Mutex
	networks map[netip.Prefix]*list.Element // of *network
	order    list.List                      // the most recently heard of in front
}

type network struct {
	prefix netip.Prefix
	levels [kinds]level
}

// NewSources makes a Sources with these budgets.
func NewSources(limits Limits) *Sources {
	return &Sources{limits: limits, networks: map[netip.Prefix]*list.Element{}}
}

// Take counts one event of a client, or says that a budget is used up and counts nothing. An address that is not valid has
// every budget.
func (s *Sources) Take(client netip.Addr, kind Kind) bool {
	now, scopes := time.Now(), Scopes(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range scopes {
		if s.levelOf(scope, kind).full(s.limit(scope, kind), now) {
			return false
		}
	}
	for _, scope := range scopes {
		s.touch(scope).levels[kind].add(s.limit(scope, kind), 1, now)
	}
	return true
}

// Give takes back an event that was counted. Where there is none to take back it does nothing.
func (s *Sources) Give(client netip.Addr, kind Kind) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range Scopes(client) {
		if element := s.networks[scope.Network]; element != nil {
			element.Value.(*network).levels[kind].add(s.limit(scope, kind), -1, now)
		}
	}
}

// Used is what of a budget a client has used: from 0, nothing, to 1, where Take will say no.
func (s *Sources) Used(client netip.Addr, kind Kind) float64 {
	now, used := time.Now(), 0.0
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range Scopes(client) {
		limit, level := s.limit(scope, kind), s.levelOf(scope, kind)
		switch {
		case level.full(limit, now):
			return 1
		case !limit.Unlimited():
			used = max(used, level.left(limit, now)/float64(limit.Count))
		}
	}
	return used
}

// Len is the number of networks that are remembered.
func (s *Sources) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.networks)
}

func (s *Sources) limit(scope Scope, kind Kind) Rate {
	if scope.Part {
		return s.limits[kind].half()
	}
	return s.limits[kind]
}

func (s *Sources) levelOf(scope Scope, kind Kind) level {
	if element := s.networks[scope.Network]; element != nil {
		return element.Value.(*network).levels[kind]
	}
	return level{}
}

// touch finds a network or makes room for it.
func (s *Sources) touch(scope Scope) *network {
	if element := s.networks[scope.Network]; element != nil {
		s.order.MoveToFront(element)
		return element.Value.(*network)
	}
	if len(s.networks) >= maxNetworks {
		oldest := s.order.Back()
		s.order.Remove(oldest)
		delete(s.networks, oldest.Value.(*network).prefix)
	}
	made := &network{prefix: scope.Network}
	s.networks[scope.Network] = s.order.PushFront(made)
	return made
}

// Meter is one budget that everybody shares. It is safe for concurrent use.
type Meter struct {
	rate Rate

	mu    sync.Mutex
	level level
}

// NewMeter makes a Meter.
func NewMeter(rate Rate) *Meter { return &Meter{rate: rate} }

// Take counts one event, or says that the budget is used up and counts nothing.
func (m *Meter) Take() bool {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.level.full(m.rate, now) {
		return false
	}
	m.level.add(m.rate, 1, now)
	return true
}
