package inbound

import (
	"github.com/letterhook/letterhook/inbound/guard"
)

// admit counts a connection in, or says why not. Behind a proxy its source is not known yet.
func (s *Server) admit(c *conn) *refusal {
	if c.behindProxy && !c.listener.trusts(c.remote) {
		return refuseProxy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return refuseShutdown
	case s.levers.Draining():
		return refuseDraining
	case over(len(s.conns)-s.delayed-s.leaving+1, s.cfg.MaxConnections) && !s.makeRoom():
		return refuseConnections
	}
	if !c.behindProxy {
		if refusal := s.enter(c); refusal != nil {
			return refusal
		}
	}
	s.conns[c] = struct{}{}
	s.metrics.open.Inc()
	s.metrics.connections.WithLabelValues(c.listener.Name).Inc()
	return nil
}

// countSource is the second half of admit for a connection whose client a proxy has named.
func (s *Server) countSource(c *conn) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(c)
}

// enter counts a connection for its source, or says why not. A unix socket has no address, and is no stranger's.
func (s *Server) enter(c *conn) *refusal {
	if s.levers.BlocksClient(c.remote) {
		return refuseBlocked
	}
	scopes := guard.Scopes(c.remote)
	for _, scope := range scopes {
		if over(s.sources[scope.Network]+1, scope.Limit(s.cfg.MaxConnectionsPerIP)) {
			return refuseSourceLimit
		}
	}
	c.stranger = c.listener.Kind != LMTP && !s.cfg.Defence.exempts(c.remote)
	if c.stranger {
		switch {
		case !s.budgets.Take(c.remote, guard.Connects):
			return refuseSourceRate
		case !s.rate.Take():
			return refuseRate
		}
	}
	c.counted = scopes
	for _, scope := range scopes {
		s.sources[scope.Network]++
	}
	return nil
}

// forget counts a connection out.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.leaving {
		s.leaving--
	}
	for _, scope := range c.counted {
		if s.sources[scope.Network]--; s.sources[scope.Network] <= 0 {
			delete(s.sources, scope.Network)
		}
	}
	s.metrics.open.Dec()
	if s.stopping && len(s.conns) == 0 {
		close(s.drained)
	}
}
