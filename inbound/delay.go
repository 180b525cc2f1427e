package inbound

import (
	"errors"
	"os"
	"time"

	"github.com/letterhook/letterhook/inbound/guard"
)

// setAside takes a connection that is to be held back out of those that count for the cap, if there is room among those
// that wait.
func (s *Server) setAside() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.delayed >= s.cfg.Defence.MaxDelayed {
		return false
	}
	s.delayed++
	s.metrics.delayed.Set(float64(s.delayed))
	return true
}

// takeBack counts it among the others again, or says that its place was taken meanwhile.
func (s *Server) takeBack() *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delayed--
	s.metrics.delayed.Set(float64(s.delayed))
	if over(len(s.conns)-s.delayed-s.leaving, s.cfg.MaxConnections) {
		return refuseConnections
	}
	return nil
}

// greetLate holds the greeting back and looks whether the peer speaks before it, which RFC 5321 section 4.3.1 forbids and
// programs that only push out mail do. It waits by reading, so that a shutdown ends it as it ends any wait.
func (c *conn) greetLate() {
	delay := c.srv.cfg.Defence.GreetDelay
	if delay <= 0 || c.dead || !c.stranger || c.listener.Kind != MX || c.implicit || !c.srv.setAside() {
		return
	}
	n, err := c.listenFor(delay)
	back := c.srv.takeBack()
	switch {
	case n > 0:
		c.insteadOfGreeting(refuseEarlyTalker)
	case back != nil:
		c.insteadOfGreeting(back)
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errStopping):
		c.dead, c.silent = true, true // the peer left
	}
}

// listenFor reads for as long.
func (c *conn) listenFor(delay time.Duration) (int, error) {
	c.due = time.Now().Add(delay)
	defer func() { c.due = time.Time{} }()
	if err := c.arm(); err != nil {
		return 0, err
	}
	return c.wire.Read(c.first[:])
}

// insteadOfGreeting refuses a connection that has not been greeted.
func (c *conn) insteadOfGreeting(r *refusal) {
	c.out = c.out[:0]
	c.refuse(r)
}

// tarpit holds back the answer to an unknown recipient, the longer the more of its budget the source has used. It gives the
// refusal that takes the place of the answer where it cannot be held back.
func (c *conn) tarpit() *refusal {
	used := c.srv.budgets.Used(c.remote, guard.Unknown)
	wait := time.Duration(float64(c.srv.cfg.Defence.Tarpit) * (2*used - 1))
	if wait <= 0 {
		return nil
	}
	if !c.srv.setAside() {
		return refuseUnknown
	}
	if c.reader != nil && c.reader.Buffered() == 0 {
		c.releaseReader() // others can use the memory
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.srv.quit:
	}
	return c.srv.takeBack()
}
