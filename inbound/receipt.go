package inbound

import "slices"

// receipt keeps the ids of messages that were answered 250, until it is proven that the peer has read that.
//
// The proof is a command that came by a read begun after the 250 was written. A command that was there before proves
// nothing: a peer may send MAIL right behind the content of the message before (RFC 2920 section 3.1).
type receipt struct {
	ids    []string
	sent   bool  // the 250 was written
	mark   int64 // octets of the connection that had arrived by then, read or not
	proven bool
}

func (r *receipt) add(ids []string) {
	r.ids = append(r.ids, ids...)
	r.sent, r.proven = false, false
}

// writing notes, right before the replies are written, what the peer has sent already.
func (r *receipt) writing(c *conn) {
	if len(r.ids) > 0 && !r.sent {
		r.mark = c.read + inputWaiting(c.raw)
	}
}

// written says whether this was the first write since ids were added.
func (r *receipt) written() bool {
	if len(r.ids) == 0 || r.sent {
		return false
	}
	r.sent = true
	return true
}

// noteRead notes a read that found the connection at octet before and left it at after. The two are the same when TLS
// gave what it had read ahead.
func (r *receipt) noteRead(before, after int64) {
	if r.sent && before >= r.mark && after > before {
		r.proven = true
	}
}

// take returns the ids if they are proven to be known to the peer, and forgets them.
func (r *receipt) take() []string {
	if !r.proven || len(r.ids) == 0 {
		return nil
	}
	ids := r.ids
	*r = receipt{}
	return ids
}

// drop forgets those of ids that are kept here, and returns them.
func (r *receipt) drop(ids []string) []string {
	var dropped []string
	r.ids = slices.DeleteFunc(r.ids, func(id string) bool {
		if !slices.Contains(ids, id) {
			return false
		}
		dropped = append(dropped, id)
		return true
	})
	return dropped
}
