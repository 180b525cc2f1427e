package storage

import (
	"context"
	"sync"
	"time"
)

const (
	// overviewShare is how many times longer than it took an overview is kept: people who look, however many, take a twentieth of a
	// processor at most.
	overviewShare = 20
	// overviewAge is the oldest that is given.
	overviewAge = time.Second
	// overviewsKept bounds the memory.
	overviewsKept = 64
)

// overviews are those that were made last.
type overviews struct {
	mu   sync.Mutex
	kept map[overviewKey]*keptOverview
}

// overviewKey is a query whose answers are the same for a while.
type overviewKey struct {
	account, endpoint string
	back, span        time.Duration
}

// keptOverview is one. Who holds the mutex makes it, and the others wait for that.
type keptOverview struct {
	mu       sync.Mutex
	overview *Overview
	until    time.Time
}

// RecentOverview is [Store.Overview] for many people who look all the time: what it gives may be a second old where it takes long to
// make, and is not to be changed.
func (s *Store) RecentOverview(ctx context.Context, q OverviewQuery) (*Overview, error) {
	q.setDefaults(s.cfg.Now())
	k := s.recent.of(overviewKey{q.Account, q.Endpoint, s.cfg.Now().Sub(q.Since).Round(time.Minute), q.Span})
	k.mu.Lock()
	defer k.mu.Unlock()
	if began := time.Now(); k.overview == nil || began.After(k.until) {
		o, err := s.Overview(ctx, q)
		if err != nil {
			return nil, err
		}
		k.overview, k.until = o, time.Now().Add(min(overviewShare*time.Since(began), overviewAge))
	}
	return k.overview, nil
}

func (o *overviews) of(key overviewKey) *keptOverview {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.kept) >= overviewsKept || o.kept == nil {
		o.kept = map[overviewKey]*keptOverview{}
	}
	k := o.kept[key]
	if k == nil {
		k = &keptOverview{}
		o.kept[key] = k
	}
	return k
}
