package dispatch

import (
	"testing"
	"time"
)

func TestPaceLearns(t *testing.T) {
	tests := []struct {
		name         string
		result       Result
		limit, width int
		suspect      bool
	}{
		{"delivered", Result{Outcome: OutcomeDelivered, Status: 200}, 5, 5, false},
		{"refused for good", Result{Outcome: OutcomeStatus, Status: 400}, 4, 4, false},
		{"asked to slow down", Result{Outcome: OutcomeStatus, Status: 429}, 2, 1, true},
		{"in trouble", Result{Outcome: OutcomeStatus, Status: 503}, 2, 1, true},
		{"hangs", Result{Outcome: OutcomeTimeout}, 2, 1, true},
		{"redirects", Result{Outcome: OutcomeRedirect, Status: 302}, 4, 4, false},
		{"was not asked", Result{Outcome: OutcomeUnreadable}, 4, 4, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pace{most: 8, limit: 4, careful: 8}
			if p.learn(&tt.result); p.limit != tt.limit || p.width() != tt.width || p.suspect != tt.suspect {
				t.Errorf("%+v, want %+v", p, tt)
			}
		})
	}
}

// The pace doubles with each round until the first trouble, is halved once for what was in flight together, and then grows
// by one a round.
func TestPaceIsAdaptive(t *testing.T) {
	p := newPace(32)
	round := func(r Result) int {
		for range p.limit {
			p.learn(&r)
		}
		return p.limit
	}
	good := Result{Outcome: OutcomeDelivered}
	for _, want := range []int{4, 8, 16, 32, 32} {
		if got := round(good); got != want {
			t.Fatalf("%d at once, want %d", got, want)
		}
	}
	if got := round(Result{Outcome: OutcomeTimeout, At: epoch, Duration: time.Second}); got != 16 || p.width() != 1 {
		t.Errorf("after a round of timeouts %d at once, %d now; want 16 and 1", got, p.width())
	}
	if got := round(Result{Outcome: OutcomeTimeout, At: epoch.Add(2 * time.Second)}); got != 8 {
		t.Errorf("after another %d at once, want 8", got)
	}
	for _, want := range []int{9, 10, 11} {
		if got := round(good); got != want {
			t.Errorf("%d at once, want %d", got, want)
		}
	}
	p.bound(5)
	if got := round(good); got != 5 {
		t.Errorf("%d at once with a limit of 5", got)
	}
	p.restart()
	if got := round(good); got != 2 {
		t.Errorf("%d at once after the first round of a new start, want 2", got)
	}
}
