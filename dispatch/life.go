package dispatch

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// The reasons of a rest.
const (
	restAsked   = "asked"   // the endpoint sent Retry-After
	restBreaker = "breaker" // it hung or refused several times in a row
	restBroken  = "broken"  // its answers look permanent
	restProxy   = "proxy"   // its proxy lets nothing through
	restOrder   = "order"   // strict order: everything waits for the next attempt of the first delivery
)

const (
	// breakerOpensAfter is how many attempts in a row must find nobody until only single probes are made.
	breakerOpensAfter = 5
	// silenceEnds the clock of failure: an endpoint at which nothing was tried for so long begins anew.
	silenceEnds = 48 * time.Hour
	// leastSaved is the shortest rest that is worth a write of its own.
	leastSaved = 5 * time.Second
	// failedAtStep is how precisely the time of the last failure is kept over a restart.
	failedAtStep = time.Hour
)

// The waits before the first, second ... probe; the last is repeated.
var (
	breakerPauses = []time.Duration{
		5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute,
	}
	brokenPauses = []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	}
	warnings = []int{90, 70, 50} // percent of the time until an endpoint is disabled
)

// occasion is what happens in the life of an endpoint.
type occasion int

const (
	delivered    occasion = iota // an attempt was answered 2xx
	looksForGood                 // 401, 403, 404, a redirect, a name that does not exist, a bad certificate: somebody must mend it
	isGone                       // 410, or it asked to be disabled
	nobodyThere                  // it hung, refused or broke off
	inTrouble                    // any other answer
	failsTooLong                 // the time without a success is over
	testedWell                   // a test event was answered 2xx
	reconfigured                 // URL, secrets or header fields are others now
	wasPaused                    // the operator paused it
	wasResumed                   // the operator resumed it
)

// next is the state of an endpoint after an occasion. What the operator paused nothing else changes, and what is disabled
// only he or a test event enables.
func next(s storage.EndpointState, o occasion) storage.EndpointState {
	switch o {
	case wasPaused:
		return storage.EndpointPaused
	case wasResumed:
		return storage.EndpointEnabled
	}
	switch s {
	case storage.EndpointEnabled, "":
		switch o {
		case looksForGood:
			return storage.EndpointBroken
		case isGone, failsTooLong:
			return storage.EndpointDisabled
		}
		return storage.EndpointEnabled
	case storage.EndpointBroken:
		switch o {
		case delivered, testedWell, reconfigured:
			return storage.EndpointEnabled
		case isGone, failsTooLong:
			return storage.EndpointDisabled
		}
	case storage.EndpointDisabled:
		if o == testedWell {
			return storage.EndpointEnabled
		}
	}
	return s
}

// occasionOf sorts the result of an attempt; false: it says nothing about the endpoint.
func occasionOf(r *Result) (o occasion, ok bool) {
	switch {
	case r.Disable || r.Status == http.StatusGone:
		return isGone, true
	case r.Outcome == OutcomeDelivered:
		return delivered, true
	case r.Outcome == OutcomeUnreadable, r.Outcome == outcomeFiltered, r.Outcome == outcomeCut, r.Outcome == OutcomeProxy:
		return 0, false
	}
	if r.Refused {
		return inTrouble, true // with this mail, not with the endpoint
	}
	switch r.Outcome {
	case OutcomeRedirect, OutcomeTLS, OutcomeBlocked, OutcomeURL:
		return looksForGood, true
	case OutcomeDNS:
		// A resolver that is away says nothing about the name.
		if dns, ok := errors.AsType[*net.DNSError](r.Err); ok && !dns.IsNotFound {
			return nobodyThere, true
		}
		return looksForGood, true
	case OutcomeToken:
		return occasionOfToken(r.Err), true
	case OutcomeTimeout, OutcomeRefused, OutcomeUnreachable, OutcomeReset:
		return nobodyThere, true
	}
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return looksForGood, true
	}
	return inTrouble, true
}

// occasionOfToken sorts what kept an endpoint from its token.
func occasionOfToken(err error) occasion {
	e, ok := errors.AsType[*tokenError](err)
	switch {
	case ok && e.forGood():
		return looksForGood
	case ok && e.status > 0:
		return inTrouble
	}
	return nobodyThere
}

// life is the health of an endpoint: what survives a restart, and what only this run knows.
type life struct {
	storage.EndpointLife
	straight int               // attempts in a row that found nobody
	proxied  int               // rests in a row for the proxy
	declared *storage.Endpoint // as it was last seen
	unsaved  bool
}

func newLife(endpoint string) *life {
	return &life{EndpointLife: storage.EndpointLife{Endpoint: endpoint, State: storage.EndpointEnabled}}
}

// runs says whether attempts are made in this state, be they single ones.
func (l *life) runs() bool {
	return l.State == storage.EndpointEnabled || l.State == storage.EndpointBroken
}

// probing says that one attempt at a time is made, to see whether the endpoint is back.
func (l *life) probing() bool { return l.Probes > 0 }

// rests says that no attempt may begin yet.
func (l *life) rests(now time.Time) bool { return now.Before(l.RestUntil) }

// known says whether there is anything to remember.
func (l *life) known() bool {
	return l.State != storage.EndpointEnabled || l.Revision > 0 || !l.FailingSince.IsZero() || !l.RestUntil.IsZero() || l.straight > 0
}

// rest makes the endpoint rest until a time, if it does not rest for longer already.
func (l *life) rest(until time.Time, reason string) {
	if until.After(l.RestUntil) {
		l.RestUntil, l.RestReason = until.Truncate(time.Millisecond).Add(time.Millisecond), reason
	}
}

// enter changes the state and forgets what belonged to the one before.
func (l *life) enter(s storage.EndpointState, reason string, now time.Time) EndpointChange {
	c := EndpointChange{Endpoint: l.Endpoint, From: l.State, To: s, Reason: reason, At: now}
	l.State, l.Reason, l.Since = s, reason, now
	l.Probes, l.straight, l.RestUntil, l.RestReason = 0, 0, time.Time{}, ""
	if s == storage.EndpointEnabled || s == storage.EndpointPaused {
		l.FailingSince, l.FailedAt, l.Warned = time.Time{}, time.Time{}, 0
	}
	return c
}

// learn takes the result of an attempt. single says that it was the one attempt allowed. disableAfter is how long an endpoint
// may fail without a success; 0: for ever. urgent says that what changed should not be lost.
func (l *life) learn(r *Result, single bool, disableAfter time.Duration, now time.Time) (changes []EndpointChange, urgent bool) {
	o, ok := occasionOf(r)
	if !ok {
		if r.Outcome == OutcomeProxy && l.runs() {
			if !l.rests(now) || l.RestReason != restProxy { // else begun before this rest
				l.proxied++
			}
			l.rest(now.Add(proxyPauses[min(max(l.proxied, 1), len(proxyPauses))-1]), restProxy)
		}
		return nil, false
	}
	l.proxied = 0
	if o == delivered {
		return l.succeeded(now)
	}
	if l.State == storage.EndpointPaused || l.State == storage.EndpointDisabled {
		return nil, false // an attempt from before
	}
	if r.Outcome != OutcomeDelivered {
		if changes = l.count(disableAfter, now); l.State == storage.EndpointDisabled {
			return changes, true
		}
	}
	if to := next(l.State, o); to != l.State {
		changes = append(changes, l.enter(to, reasonOf(r), now))
		if to == storage.EndpointDisabled {
			return changes, true
		}
		single = true
	}
	before := l.RestUntil
	l.space(o, reasonOf(r), single, now)
	if r.RetryAfter > 0 {
		l.rest(now.Add(r.RetryAfter), restAsked)
	}
	moved := !l.RestUntil.Equal(before) && l.RestUntil.Sub(now) > leastSaved
	return changes, len(changes) > 0 || moved
}

// reasonOf is why a result changes the state of its endpoint, for its owner.
func reasonOf(r *Result) string {
	if r.Disable {
		return "it asked to be disabled (webhook-delivery: disable)"
	}
	return r.Detail.Error
}

// succeeded ends whatever was held against the endpoint, but a rest that it asked for.
func (l *life) succeeded(now time.Time) (changes []EndpointChange, urgent bool) {
	if to := next(l.State, delivered); to != l.State {
		return []EndpointChange{l.enter(to, "an attempt was delivered", now)}, true
	}
	if !l.runs() {
		return nil, false
	}
	urgent = l.Probes > 0 || l.Warned > 0
	if l.RestReason != restAsked || !l.rests(now) {
		l.RestUntil, l.RestReason = time.Time{}, ""
	}
	l.Probes, l.straight = 0, 0
	l.FailingSince, l.FailedAt, l.Warned = time.Time{}, time.Time{}, 0
	return nil, urgent
}

// space sets the time of the next attempt where only single ones are made.
func (l *life) space(o occasion, text string, single bool, now time.Time) {
	pauses, reason := breakerPauses, restBreaker
	switch {
	case l.State == storage.EndpointBroken:
		pauses, reason = brokenPauses, restBroken
		l.Reason = text
	case o == nobodyThere:
		if l.straight++; l.straight < breakerOpensAfter && !l.probing() {
			return
		}
		single = single || !l.probing()
	default:
		l.straight, l.Probes = 0, 0 // it is there, however unwell
		return
	}
	if !single {
		return // begun before the probes
	}
	l.Probes++
	l.rest(now.Add(pauses[min(l.Probes, len(pauses))-1]), reason)
}

// count runs the clock of failure: it begins with the first failure, tells when half, 70 and 90 percent of the time have
// passed, and disables the endpoint in the end.
func (l *life) count(disableAfter time.Duration, now time.Time) []EndpointChange {
	if l.FailingSince.IsZero() || now.Sub(l.FailedAt) > max(silenceEnds, disableAfter/2) {
		l.FailingSince, l.FailedAt, l.Warned = now, now, 0
	}
	if now.Sub(l.FailedAt) >= failedAtStep {
		l.FailedAt = now
	}
	if disableAfter <= 0 {
		return nil
	}
	failing := now.Sub(l.FailingSince)
	if failing >= disableAfter {
		to := next(l.State, failsTooLong)
		return []EndpointChange{l.enter(to, "no success since "+l.FailingSince.UTC().Format(time.RFC3339), now)}
	}
	for _, percent := range warnings {
		if failing < disableAfter*time.Duration(percent)/100 {
			continue
		}
		if percent <= l.Warned {
			return nil
		}
		l.Warned = percent
		return []EndpointChange{{
			Endpoint: l.Endpoint, From: l.State, To: l.State, At: now, Warning: percent, DisableAt: l.FailingSince.Add(disableAfter),
			Reason: "no success since " + l.FailingSince.UTC().Format(time.RFC3339),
		}}
	}
	return nil
}
