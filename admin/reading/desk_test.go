package reading

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: whoever finds all turns taken waits, and is told in time that it was in vain.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(nil, "test")
		first, err := d.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := d.take(t.Context()); !errors.Is(err, ErrBusy) || time.Since(began) != patience {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.take(gone); !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
		time.AfterFunc(patience/2, first)
		if _, err := d.take(t.Context()); err != nil {
			t.Errorf("a turn came free, and %v", err)
		}
	})
}
