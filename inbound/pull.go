package inbound

import (
	"log/slog"

	"github.com/letterhook/letterhook/inbound/guard"
)

// Levers says what the levers stand at.
func (s *Server) Levers() guard.State { return s.levers.State() }

// Pull changes the levers and gives what they stand at then. What the change wants kept is on disk when it returns. A drain
// tells idle peers 421 4.3.2 and lets transactions finish; new connections hear the same until it is lifted. An error of the
// type [guard.BadChangeError] is for whoever asked.
func (s *Server) Pull(c guard.Change) (guard.State, error) {
	state, err := s.levers.Pull(c)
	if err != nil {
		return state, err
	}
	s.cfg.Log.Warn("levers pulled", slog.Bool("drain", state.Drain.On), slog.Bool("defer", state.Defer.On), slog.Int("blocks", len(state.Blocks)))
	s.mu.Lock()
	defer s.mu.Unlock()
	for peer := range s.conns {
		if state.Drain.On || c.Block != nil && s.levers.BlocksClient(peer.client()) {
			peer.stop()
		}
	}
	return state, nil
}
