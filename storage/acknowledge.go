package storage

import (
	"sync"
)

// maxUnacknowledged bounds the keys kept in memory; a peer that closes without another command leaves one behind.
const maxUnacknowledged = 16 << 10

// unacknowledged remembers the dedupe keys of mails whose peers have not shown yet that they read our 250. It only saves
// the committer from reading the messages again: a key that is not here is found by the message's row.
type unacknowledged struct {
	mu   sync.Mutex
	keys map[string][32]byte // by message id
}

func (u *unacknowledged) put(ms []*incoming) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.keys == nil {
		u.keys = make(map[string][32]byte)
	}
	for _, m := range ms {
		for id := range u.keys {
			if len(u.keys) < maxUnacknowledged {
				break
			}
			delete(u.keys, id) // any one: the order of a map is random
		}
		u.keys[m.id] = m.dedupe
	}
}

// take gives the keys of the messages, and the ids of those whose keys are not here.
func (u *unacknowledged) take(ids []string) (r retired) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		if key, ok := u.keys[id]; ok {
			r.keys = append(r.keys, key)
			delete(u.keys, id)
		} else {
			r.ids = append(r.ids, id)
		}
	}
	return r
}

// retired is dedupe keys that are to be deleted, some of them known only by their messages.
type retired struct {
	keys [][32]byte
	ids  []string
}

func (r *retired) len() int { return len(r.keys) + len(r.ids) }

func (r *retired) add(more retired) {
	r.keys = append(r.keys, more.keys...)
	r.ids = append(r.ids, more.ids...)
}

// Acknowledged implements [inbound.Spool]: the dedupe keys of the messages retire with one of the next transactions, and
// before that of any mail accepted after this call.
func (s *Store) Acknowledged(ids []string) {
	if len(ids) == 0 {
		return
	}
	s.queue.putAcks(s.unacked.take(ids))
}
