package storage

import (
	"sync"
	"time"
)

// troubleLasts is how long a failed write speaks for the next one. Whoever sends no mail to a server that is not ready
// would else never learn that it has recovered.
const troubleLasts = time.Minute

// trouble remembers whether mail can be stored.
type trouble struct {
	mu  sync.Mutex
	err error // of the last write; nil: it went well
	at  time.Time
}

// note keeps the outcome of an attempt to store a mail.
func (t *trouble) note(err error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err, t.at = err, now
}

// AcceptTrouble is why the last mail could not be stored, or nil when it could, when that is a minute ago, and when none
// has come yet.
func (s *Store) AcceptTrouble() error {
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	if s.cfg.Now().Sub(s.trouble.at) >= troubleLasts {
		return nil
	}
	return s.trouble.err
}
