package dashboard

import (
	"testing"

	"github.com/letterhook/letterhook/admin/api"
)

func TestReplayPlanSaysHowMany(t *testing.T) {
	for want, count := range map[string]api.ReplayCount{
		"Nothing would be sent again. 1 delivery is waiting already.":                                                                             {Owed: 1},
		"Nothing would be sent again. 2 deliveries are waiting already.":                                                                          {Owed: 2},
		"1 delivery would be sent again; 1 is waiting already. The receiver sees the same webhook-id as before, with letterhook-replay: true.":    {Made: 1, Owed: 1},
		"3 deliveries would be sent again; 2 are waiting already. The receiver sees the same webhook-id as before, with letterhook-replay: true.": {Made: 3, Owed: 2},
	} {
		plan := replayPlan{Count: count}
		if got := plan.words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
