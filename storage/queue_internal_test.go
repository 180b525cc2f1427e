package storage

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestACrowdPressesOn: between two batches of a flood no mail is to be seen, and more are on their way all the same.
func TestACrowdPressesOn(t *testing.T) {
	for size, want := range map[int]Press{1: PressNone, crowd - 1: PressNone, crowd: PressCrowd, 3 * crowd: PressCrowd} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			for range size {
				q.putAccept(&acceptance{})
			}
			if q.acceptsPress() != PressSome {
				t.Errorf("%d that wait do not press", size)
			}
			q.take()
			if q.acceptsPress() != PressSome {
				t.Errorf("%d that are being written do not press", size)
			}
			q.written()
			if got := q.acceptsPress(); got != want {
				t.Errorf("right after a batch of %d: %v, want %v", size, got, want)
			}
			q.take() // only a record, say
			q.written()
			if got := q.acceptsPress(); got != want {
				t.Errorf("after a batch of %d and one without mails: %v, want %v", size, got, want)
			}
			<-time.After(lull)
			if q.acceptsPress() != PressNone {
				t.Errorf("a batch of %d presses for longer than the lull", size)
			}
			q.putAccept(&acceptance{})
			if got := q.acceptsPress(); got != max(want, PressSome) {
				t.Errorf("a mail soon after a batch of %d: %v, want %v", size, got, max(want, PressSome))
			}
			<-time.After(crowdLasts)
			if got := q.acceptsPress(); got != PressSome {
				t.Errorf("a mail that waits long after a batch of %d: %v", size, got)
			}
		})
	}
}

// TestACrowdIsRemembered: the batches of a flood differ in size, and a small one among them is no end of it.
func TestACrowdIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		batch := func(size int) {
			for range size {
				q.putAccept(&acceptance{})
			}
			q.take()
			q.written()
		}
		batch(crowd)
		for began := time.Now(); time.Since(began) < crowdLasts; <-time.After(lull / 2) {
			batch(1)
			if q.acceptsPress() != PressCrowd {
				t.Fatalf("one mail %v after a crowd does not press on", time.Since(began))
			}
		}
		batch(1)
		if q.acceptsPress() != PressNone {
			t.Errorf("a crowd presses on for longer than %v", crowdLasts)
		}
		batch(crowd)
		<-time.After(lull)
		if q.acceptsPress() != PressNone {
			t.Errorf("a crowd presses for longer than the lull when nobody comes")
		}
	})
}
