package dispatch

import "time"

// stored says that rows of a lane were just stored that are due.
func (b *board) stored(endpoint string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.mine(endpoint)
	if l == nil {
		return
	}
	l.straggles(now)
	b.review(l, now)
	b.signal()
}

// holds says that memory knows of the delivery: it waits for its turn, is attempted, or is being recorded.
func (b *board) holds(endpoint, delivery string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[endpoint]
	if l == nil {
		return false
	}
	_, held := l.held[delivery]
	return held
}

// drop forgets the deliveries of a replay that wait in memory, so that they can be taken back in the store. Those under way
// end as they end.
func (b *board) drop(replay string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped[replay] = struct{}{}
	for _, l := range b.lanes {
		if l.stored.len() > 0 && l.stored.first().delivery.Job == replay {
			b.unhold(l)
		}
		l.stored = b.without(l, l.stored, replay)
		for i := range l.putOff {
			var kept queue[deferral]
			for _, p := range l.putOff[i].all() {
				if p.job.delivery.Job == replay {
					b.release(l, p.job)
				} else {
					kept.push(p)
				}
			}
			l.putOff[i] = kept
		}
		b.review(l, now)
	}
}

func (b *board) without(l *lane, from queue[*job], replay string) (kept queue[*job]) {
	for _, j := range from.all() {
		if j.delivery.Job == replay {
			b.release(l, j)
		} else {
			kept.push(j)
		}
	}
	return kept
}

func (b *board) release(l *lane, j *job) {
	delete(l.held, j.delivery.ID)
	b.letGoLocked(j)
}
