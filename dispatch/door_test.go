package dispatch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/letterhook/letterhook/inbound/breaker"
)

// TestLineAtADoorIsBounded: a receiver that answers slowly, and so is never given up, does not take the connections of all others.
func TestLineAtADoorIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(1)
		leave, err := d.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		entered := make(chan error, maxInLine)
		for range maxInLine {
			go func() {
				leave, err := d.enter(t.Context())
				if err == nil {
					leave(breaker.Answered)
				}
				entered <- err
			}()
		}
		synctest.Wait()
		if _, err := d.enter(t.Context()); !errors.Is(err, errBusy) {
			t.Errorf("behind a full line: %v", err)
		}
		leave(breaker.Answered)
		for range maxInLine {
			if err := <-entered; err != nil {
				t.Errorf("in the line: %v", err)
			}
		}
		if leave, err := d.enter(t.Context()); err != nil {
			t.Errorf("after the line: %v", err)
		} else {
			leave(breaker.Answered)
		}
	})
}

// TestLineAtADeadDoor: who waited while others found out that nobody is there does not ask any more.
func TestLineAtADeadDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(1)
		leave, err := d.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		entered := make(chan error, 20)
		for range cap(entered) {
			go func() {
				leave, err := d.enter(context.Background())
				if err == nil {
					leave(breaker.Failed)
				}
				entered <- err
			}()
		}
		synctest.Wait()
		leave(breaker.Failed)
		asked := 1
		for range cap(entered) {
			if err := <-entered; err == nil {
				asked++
			} else if !errors.Is(err, errResting) {
				t.Errorf("%v", err)
			}
		}
		if asked != breaker.After {
			t.Errorf("%d asked", asked)
		}
	})
}
