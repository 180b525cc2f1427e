package dispatch

import "testing"

func TestPaceLearns(t *testing.T) {
	tests := []struct {
		name   string
		result Result
		want   pace
	}{
		{"delivered", Result{Outcome: OutcomeDelivered, Status: 200}, pace{most: 8, limit: 5}},
		{"refused for good", Result{Outcome: OutcomeStatus, Status: 400}, pace{most: 8, limit: 4}},
		{"asked to slow down", Result{Outcome: OutcomeStatus, Status: 429}, pace{most: 8, limit: 2, suspect: true}},
		{"in trouble", Result{Outcome: OutcomeStatus, Status: 503}, pace{most: 8, limit: 2, suspect: true}},
		{"hangs", Result{Outcome: OutcomeTimeout}, pace{most: 8, limit: 2, suspect: true}},
		{"redirects", Result{Outcome: OutcomeRedirect, Status: 302}, pace{most: 8, limit: 4}},
		{"was not asked", Result{Outcome: OutcomeUnreadable}, pace{most: 8, limit: 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pace{most: 8, limit: 4}
			if p.learn(&tt.result); p != tt.want {
				t.Errorf("%+v, want %+v", p, tt.want)
			}
		})
	}
}
