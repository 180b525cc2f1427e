package inbound

import "time"

const (
	// minIdle is how long a connection may get nowhere before its place is given to another.
	minIdle = 30 * time.Second
	// maxLeaving bounds the connections that are on their way out and do not count for the cap any more.
	maxLeaving = 100
	// lookAgain is how long nobody looks for a place after none was found: looking goes through all connections.
	lookAgain = time.Second
)

// makeRoom gives the place of the stranger that has got nowhere for longest to another connection: who waits for a command, and
// has had no message accepted since. It says false where there is none. s.mu is held.
func (s *Server) makeRoom() bool {
	now := time.Now()
	if s.leaving >= maxLeaving || now.Before(s.noRoomUntil) {
		return false
	}
	var longest *conn
	var since time.Time
	for c := range s.conns {
		if !c.stranger || c.leaving {
			continue
		}
		if at, waits := c.nowhereSince(); waits && (longest == nil || at.Before(since)) {
			longest, since = c, at
		}
	}
	if longest == nil || now.Sub(since) < minIdle || !longest.evict() {
		s.noRoomUntil = now.Add(lookAgain)
		return false
	}
	longest.leaving = true
	s.leaving++
	return true
}

// nowhereSince is when the connection began or had a message accepted, and whether it waits for a command.
func (c *conn) nowhereSince() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.progress, c.awaiting
}

// evict ends a connection that waits for a command, inside a transaction too. It says false where it does not wait any more.
func (c *conn) evict() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.awaiting {
		return false
	}
	c.evicted = true
	c.raw.SetReadDeadline(time.Unix(1, 0)) // wakes the read
	return true
}

// setAwaiting says whether the connection waits for a command.
func (c *conn) setAwaiting(awaiting bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaiting = awaiting
}

// gotOn notes that a message was accepted.
func (c *conn) gotOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress = time.Now()
}

// isEvicted says that the place was given to another.
func (c *conn) isEvicted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evicted
}
