package dispatch

import "time"

// defaultConcurrency is the number of attempts that an endpoint may have in flight when it does not say.
const defaultConcurrency = 32

// firstConcurrency is where an endpoint of which nothing is known begins.
const firstConcurrency = 2

// pace is how many attempts a lane may have in flight. It starts small, doubles with each round of successes until the first
// trouble, is halved by trouble that says the endpoint is overwhelmed or away, and then grows by one a round, up to the
// endpoint's limit. So a backlog drains slowly at first after an outage, and a hanging endpoint soon holds one slot.
type pace struct {
	most  int // the endpoint's own limit
	limit int
	// suspect says that the last attempt found the endpoint overwhelmed or away. Suspect lanes make one attempt at a time and
	// share a bounded part of all slots.
	suspect bool

	careful int       // from here on it grows by one a round
	good    int       // successes of this round
	cutAt   time.Time // attempts that began before it do not cut again
}

func newPace(most int) pace {
	return pace{most: most, limit: min(firstConcurrency, most), careful: most}
}

// width is how many attempts may be in flight now.
func (p *pace) width() int {
	if p.suspect {
		return 1
	}
	return p.limit
}

// bound sets the endpoint's own limit.
func (p *pace) bound(most int) {
	if p.careful == p.most {
		p.careful = most // it has met no trouble
	}
	p.most, p.limit = most, min(p.limit, most)
}

func (p *pace) learn(r *Result) {
	switch {
	case r.Outcome == OutcomeDelivered:
		p.suspect = false
		p.grow()
	case r.Outcome == OutcomeStatus && r.Status < 500 && r.Status != 429:
		p.suspect = false // it is there and quick to say no
	case r.Outcome == OutcomeRedirect, r.Outcome == OutcomeURL:
	case r.Outcome == OutcomeUnreadable, r.Outcome == outcomeFiltered: // the endpoint was not asked
	default:
		p.suspect = true
		p.cut(r)
	}
}

func (p *pace) grow() {
	if p.good++; p.limit < p.careful || p.good >= p.limit {
		p.limit, p.good = min(p.limit+1, p.most), 0
	}
}

// cut halves the limit, once for all the attempts that were in flight together.
func (p *pace) cut(r *Result) {
	if !p.cutAt.IsZero() && !r.At.After(p.cutAt) {
		return
	}
	p.limit = max(p.limit/2, 1)
	p.careful, p.good = p.limit, 0
	p.cutAt = r.At.Add(r.Duration)
}

// restart begins anew from one attempt at a time.
func (p *pace) restart() { p.limit, p.careful, p.good = 1, 1, 0 }
