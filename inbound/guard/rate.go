package guard

import "time"

// Rate is a budget that fills up again: Count events at once, and Count more in each Per, evenly. A negative Count is no
// limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Unlimited says that the rate is no limit.
func (r Rate) Unlimited() bool { return r.Count < 0 }

// half is what a part of a source may use.
func (r Rate) half() Rate {
	if r.Unlimited() {
		return r
	}
	return Rate{(r.Count + 1) / 2, r.Per}
}

// level is what of a budget is used: it leaks as the budget fills up. Its zero value is an unused one.
type level struct {
	count float64
	at    time.Time // when it was count
}

// left is what is not forgiven yet.
func (l level) left(r Rate, now time.Time) float64 {
	if r.Per <= 0 {
		return 0
	}
	return max(0, l.count-float64(now.Sub(l.at))*float64(r.Count)/float64(r.Per))
}

// full says that one event more is beyond the budget.
func (l level) full(r Rate, now time.Time) bool {
	return !r.Unlimited() && l.left(r, now)+1 > float64(r.Count)
}

// add counts n events; a negative n takes them back.
func (l *level) add(r Rate, n float64, now time.Time) {
	if !r.Unlimited() {
		*l = level{max(0, l.left(r, now)+n), now}
	}
}
