package dispatch

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// The whole state machine: every state and every occasion.
func TestLifeOfAnEndpoint(t *testing.T) {
	const enabled, paused, broken, disabled = storage.EndpointEnabled, storage.EndpointPaused, storage.EndpointBroken, storage.EndpointDisabled
	table := []struct {
		occasion occasion
		// After the occasion, from enabled, paused, broken and disabled.
		want [4]storage.EndpointState
	}{
		{delivered, [4]storage.EndpointState{enabled, paused, enabled, disabled}},
		{looksForGood, [4]storage.EndpointState{broken, paused, broken, disabled}},
		{isGone, [4]storage.EndpointState{disabled, paused, disabled, disabled}},
		{nobodyThere, [4]storage.EndpointState{enabled, paused, broken, disabled}},
		{inTrouble, [4]storage.EndpointState{enabled, paused, broken, disabled}},
		{failsTooLong, [4]storage.EndpointState{disabled, paused, disabled, disabled}},
		{testedWell, [4]storage.EndpointState{enabled, paused, enabled, enabled}},
		{reconfigured, [4]storage.EndpointState{enabled, paused, enabled, disabled}},
		{wasPaused, [4]storage.EndpointState{paused, paused, paused, paused}},
		{wasResumed, [4]storage.EndpointState{enabled, enabled, enabled, enabled}},
	}
	if len(table) != int(wasResumed)+1 {
		t.Errorf("%d occasions of %d", len(table), wasResumed+1)
	}
	for _, row := range table {
		for i, from := range []storage.EndpointState{enabled, paused, broken, disabled} {
			if got := next(from, row.occasion); got != row.want[i] {
				t.Errorf("%s, occasion %d: %s, want %s", from, row.occasion, got, row.want[i])
			}
		}
	}
}

func TestOccasions(t *testing.T) {
	for _, c := range []struct {
		name   string
		result Result
		want   occasion
	}{
		{"delivered", Result{Outcome: OutcomeDelivered, Status: 204}, delivered},
		{"delivered, but no more", Result{Outcome: OutcomeDelivered, Status: 200, Disable: true}, isGone},
		{"401", Result{Outcome: OutcomeStatus, Status: 401}, looksForGood},
		{"403", Result{Outcome: OutcomeStatus, Status: 403}, looksForGood},
		{"404", Result{Outcome: OutcomeStatus, Status: 404}, looksForGood},
		{"410", Result{Outcome: OutcomeStatus, Status: 410}, isGone},
		{"413", Result{Outcome: OutcomeStatus, Status: 413}, inTrouble},
		{"429", Result{Outcome: OutcomeStatus, Status: 429}, inTrouble},
		{"500", Result{Outcome: OutcomeStatus, Status: 500}, inTrouble},
		{"503 and no more", Result{Outcome: OutcomeStatus, Status: 503, Disable: true}, isGone},
		{"a redirect", Result{Outcome: OutcomeRedirect, Status: 301}, looksForGood},
		{"a bad certificate", Result{Outcome: OutcomeTLS}, looksForGood},
		{"no such name", Result{Outcome: OutcomeDNS, Err: &net.DNSError{IsNotFound: true}}, looksForGood},
		{"no resolver", Result{Outcome: OutcomeDNS, Err: &net.DNSError{IsTemporary: true}}, nobodyThere},
		{"a private address", Result{Outcome: OutcomeBlocked}, looksForGood},
		{"hangs", Result{Outcome: OutcomeTimeout}, nobodyThere},
		{"refuses", Result{Outcome: OutcomeRefused}, nobodyThere},
		{"breaks off", Result{Outcome: OutcomeReset}, nobodyThere},
		{"no HTTP", Result{Outcome: OutcomeProtocol}, inTrouble},
	} {
		if got, ok := occasionOf(&c.result); !ok || got != c.want {
			t.Errorf("%s: occasion %d, %v; want %d", c.name, got, ok, c.want)
		}
	}
	if _, ok := occasionOf(&Result{Outcome: OutcomeUnreadable, Err: errors.New("lost")}); ok {
		t.Error("trouble of our own is held against the endpoint")
	}
}

// The operator is warned when half, 70 and 90 percent of the time without a success have passed, and the clock begins with the
// first failure. A success ends it, and so does a long silence.
func TestWarnedThenDisabled(t *testing.T) {
	const limit = 10 * 24 * time.Hour
	l := newLife("ep")
	fail := func(day float64) (seen []int) {
		now := epoch.Add(time.Duration(day * float64(24*time.Hour)))
		changes, _ := l.learn(&Result{Outcome: OutcomeStatus, Status: 500}, false, limit, now)
		for _, c := range changes {
			if c.Warning > 0 && (c.From != c.To || !c.DisableAt.Equal(l.FailingSince.Add(limit))) {
				t.Errorf("day %v: %+v", day, c)
			}
			seen = append(seen, c.Warning)
			if c.To == storage.EndpointDisabled && !strings.Contains(c.Reason, "no success since") {
				t.Errorf("day %v: %+v", day, c)
			}
		}
		return seen
	}
	for _, step := range []struct {
		day  float64
		want []int
	}{{0, nil}, {1, nil}, {4.9, nil}, {5, []int{50}}, {5.5, nil}, {7.2, []int{70}}, {9.1, []int{90}}, {9.9, nil}, {10, []int{0}}} {
		if got := fail(step.day); !slices.Equal(got, step.want) {
			t.Errorf("day %v: told %v, want %v", step.day, got, step.want)
		}
	}
	if l.State != storage.EndpointDisabled {
		t.Errorf("after ten days it is %s", l.State)
	}
	l = newLife("ep")
	fail(0)
	l.learn(&Result{Outcome: OutcomeDelivered}, false, limit, epoch.Add(24*time.Hour))
	if fail(3); !l.FailingSince.Equal(epoch.Add(3 * 24 * time.Hour)) {
		t.Errorf("the clock goes on over a success: since %s", l.FailingSince)
	}
	if got := fail(20); len(got) != 0 || l.State != storage.EndpointEnabled {
		t.Errorf("after seventeen days in which nothing was tried it is %s, told %v", l.State, got)
	}
}

// The breaker opens after five attempts in a row that found nobody; a failed probe doubles the wait, stragglers do not, and any
// answer closes it.
func TestBreaker(t *testing.T) {
	l := newLife("ep")
	now := epoch
	away := &Result{Outcome: OutcomeRefused}
	for i := range breakerOpensAfter {
		if l.probing() {
			t.Fatalf("open after %d", i)
		}
		l.learn(away, false, 0, now)
	}
	for i, pause := range append(slices.Clone(breakerPauses), 5*time.Minute) {
		l.learn(away, false, 0, now) // begun before it opened
		if wait := l.RestUntil.Sub(now); !l.probing() || wait < pause || wait > pause+time.Millisecond || l.RestReason != restBreaker {
			t.Fatalf("probe %d: waits %s, want %s, for %s", i+1, wait, pause, l.RestReason)
		}
		now = l.RestUntil
		l.learn(away, true, 0, now)
	}
	l.learn(&Result{Outcome: OutcomeStatus, Status: 503}, true, 0, now)
	if l.probing() || l.State != storage.EndpointEnabled {
		t.Errorf("after an answer: %+v", l)
	}
}
