package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Work on deliveries gives way to mails that wait to be accepted, for as long as there are any, and never for long.
func TestGiveWay(t *testing.T) {
	for name, test := range map[string]struct {
		busy time.Duration // for how long mails wait
		want time.Duration
	}{
		"nothing waits":           {0, 0},
		"mails wait for a while":  {5 * time.Millisecond, 5 * time.Millisecond},
		"mails wait all the time": {time.Hour, maxYield},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				waiting := func() bool { return time.Since(start) < test.busy }
				if err := giveWay(t.Context(), waiting); err != nil || time.Since(start) != test.want {
					t.Errorf("gave way for %s, want %s; error %v", time.Since(start), test.want, err)
				}
			})
		})
	}
}

func TestGiveWayEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := giveWay(ctx, func() bool { return true }); err == nil {
		t.Error("no error although the context has ended")
	}
}
