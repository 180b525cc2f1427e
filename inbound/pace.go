package inbound

import "time"

// pace tells a message that comes slowly from one that is held up for good. It counts the time that we wait for the peer, and
// none that the peer waits for us. Its zero value is no message.
type pace struct {
	on   bool
	from int64 // octets of the connection before the message
	wait time.Duration
}

// begin starts a message at that octet of the connection, or goes on with one.
func (p *pace) begin(at int64) {
	if !p.on {
		*p = pace{on: true, from: at}
	}
}

// end is the end of the message.
func (p *pace) end() { *p = pace{} }

// waited counts a wait. Between chunks too: many small ones are no way around.
func (p *pace) waited(d time.Duration) {
	if p.on {
		p.wait += d
	}
}

// due is when the message has lagged behind for too long; not ok where there is no message or no rate to keep.
func (p *pace) due(c *conn, now time.Time) (time.Time, bool) {
	rate := c.srv.cfg.Defence.MinDataRate
	if !p.on || rate <= 0 {
		return time.Time{}, false
	}
	earned := time.Duration(float64(c.read-p.from) / float64(rate) * float64(time.Second))
	return now.Add(c.srv.cfg.DataIdleTimeout + earned - p.wait), true
}
