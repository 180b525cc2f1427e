package dispatch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage"
)

const (
	defaultMaxAge = 7 * 24 * time.Hour
	jitterShare   = 0.2

	minRetryAfter = time.Second
	maxRetryAfter = 24 * time.Hour
)

// DefaultSchedule returns the waits after the first, second ... failed attempt: 12 attempts in about 3.2 days.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// verdict is what follows from a failed attempt: another one at retryAt, or, if that is zero, the end with a reason.
type verdict struct {
	retryAt time.Time
	reason  string
}

// failure is a failed attempt.
type failure struct {
	n          int           // counted from 1
	spared     bool          // it does not count in the schedule: the endpoint was known to be broken
	retryAfter time.Duration // what the endpoint asked for
}

// sparedWait is the wait after an attempt that does not count; the endpoint itself rests for longer. It brings the delivery
// behind others that are due, so that the next probe is made with another one.
const sparedWait = 5 * time.Second

// judge decides what follows from a failed attempt of a delivery at the time now. The wait is the schedule's with a jitter
// of a fifth either way, so that what failed together does not come back together; random goes from 0 to 1. It is never
// shorter than what the endpoint asked for. A delivery always gets one attempt, whatever its age.
func judge(ep *storage.Endpoint, fallback []time.Duration, d storage.Delivery, f failure, now time.Time, random float64) verdict {
	schedule := ep.Schedule
	if schedule == nil {
		schedule = fallback
	}
	wait := sparedWait
	if !f.spared {
		counted := f.n - d.Spared
		if counted > len(schedule) {
			if f.n == 1 {
				return verdict{reason: "the only attempt failed"}
			}
			return verdict{reason: fmt.Sprintf("all %d attempts failed", f.n)}
		}
		wait = schedule[counted-1]
	}
	wait += time.Duration(float64(wait) * jitterShare * (2*random - 1))
	wait = max(wait, f.retryAfter)
	maxAge := maxAgeOf(ep)
	if now.Add(wait).Sub(d.CreatedAt) > maxAge {
		return verdict{reason: fmt.Sprintf("attempt %d failed and the next would be older than %s", f.n, maxAge)}
	}
	return verdict{retryAt: now.Add(wait)}
}

// maxAgeOf is how old a delivery to the endpoint may become.
func maxAgeOf(ep *storage.Endpoint) time.Duration {
	if ep.MaxAge <= 0 {
		return defaultMaxAge
	}
	return ep.MaxAge
}

// parseRetryAfter reads the Retry-After field (RFC 9110 section 10.2.3), delta-seconds or a date, and clamps it to
// between a second and a day. Zero: there is none, or it cannot be read.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil || seconds > uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter // more digits than a wait can have
		}
		return max(time.Duration(seconds)*time.Second, minRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), minRetryAfter), maxRetryAfter)
}
