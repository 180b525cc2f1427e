package dispatch

// defaultConcurrency is the number of attempts that an endpoint may have in flight when it does not say.
const defaultConcurrency = 8

// firstConcurrency is where an endpoint of which nothing is known begins.
const firstConcurrency = 2

// pace is how many attempts a lane may have in flight: one more after each success up to the endpoint's limit, half
// after each failure that says the endpoint is overwhelmed or away. So a backlog drains slowly at first after an outage,
// and a hanging endpoint soon holds one slot.
type pace struct {
	most  int // the endpoint's own limit
	limit int
	// suspect says that the last attempt found the endpoint overwhelmed or away. Suspect lanes share a bounded part of
	// all slots.
	suspect bool
}

func newPace(most int) pace {
	if most <= 0 {
		most = defaultConcurrency
	}
	return pace{most: most, limit: min(firstConcurrency, most)}
}

func (p *pace) learn(r *Result) {
	switch {
	case r.Outcome == OutcomeDelivered:
		p.suspect = false
		p.limit = min(p.limit+1, p.most)
	case r.Outcome == OutcomeStatus && r.Status < 500 && r.Status != 429:
		p.suspect = false // it is there and quick to say no
	case r.Outcome == OutcomeRedirect, r.Outcome == OutcomeURL:
	case r.Outcome == OutcomeUnreadable: // the endpoint was not asked
	default:
		p.suspect = true
		p.limit = max(p.limit/2, 1)
	}
}
