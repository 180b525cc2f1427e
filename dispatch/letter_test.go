package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// Work on deliveries gives way to mails that wait to be accepted, for as long as there are any, and never for long.
func TestGiveWay(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		press storage.Press
		busy  time.Duration // for how long mails press
		want  time.Duration
	}{
		"nothing waits":              {storage.PressNone, 0, 0},
		"mails wait for a while":     {storage.PressSome, 3 * ms, 3 * ms},
		"mails wait all the time":    {storage.PressSome, time.Hour, someYield},
		"a crowd waits for a while":  {storage.PressCrowd, 3 * someYield, 3 * someYield},
		"a crowd waits all the time": {storage.PressCrowd, time.Hour, crowdYield},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				waiting := func() storage.Press {
					if time.Since(start) < test.busy {
						return test.press
					}
					return storage.PressNone
				}
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
	if err := giveWay(ctx, func() storage.Press { return storage.PressCrowd }); err == nil {
		t.Error("no error although the context has ended")
	}
}
