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
