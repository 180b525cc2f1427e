package storage

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestACrowdPressesOn: between two batches of a flood no mail is to be seen, and more are on their way all the same.
func TestACrowdPressesOn(t *testing.T) {
	for size, want := range map[int]bool{1: false, crowd - 1: false, crowd: true, 3 * crowd: true} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			for range size {
				q.putAccept(&acceptance{})
			}
			if !q.acceptsPress() {
				t.Errorf("%d that wait do not press", size)
			}
			q.take()
			if !q.acceptsPress() {
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
			if q.acceptsPress() {
				t.Errorf("a batch of %d presses for longer than the lull", size)
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
			if !q.acceptsPress() {
				t.Fatalf("one mail %v after a crowd does not press on", time.Since(began))
			}
		}
		batch(1)
		if q.acceptsPress() {
			t.Errorf("a crowd presses on for longer than %v", crowdLasts)
		}
		batch(crowd)
		<-time.After(lull)
		if q.acceptsPress() {
			t.Errorf("a crowd presses for longer than the lull when nobody comes")
		}
	})
}
