package storage_test

import (
	"bytes"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestCrashAtEveryStep copies the data folder at each named step, which is what kill -9 there would leave, and goes on from
// the copy: what was committed is there, what was not is not, and the resend of the peer makes it one message.
func TestCrashAtEveryStep(t *testing.T) {
	steps := []struct {
		name   string
		stored bool // the second mail
	}{
		{"pack-written", false},
		{"pack-synced", false},
		{"tx-begun", false},
		{"tx-written", false},
		{"tx-committed", true},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			forEachLayout(t, func(t *testing.T, config storage.Config) {
				copied := config
				copied.Dir = t.TempDir()
				var armed, hit atomic.Bool
				config.Step = func(name string) {
					if name == step.name && armed.CompareAndSwap(true, false) {
						copyOf(t, config, &copied)
						hit.Store(true)
					}
				}
				s := open(t, config)
				first, second := content(100), content(200)
				firstID := accept(t, s, envelope("ep_1"), newBody(first))[0]
				armed.Store(true)
				secondID := accept(t, s, envelope("ep_2"), newBody(second))[0]
				if !hit.Load() {
					t.Fatal("the step was not taken")
				}

				after := open(t, copied)
				if !bytes.Equal(readRaw(t, after, firstID), first) {
					t.Error("the first mail came back changed")
				}
				checkClean(t, after)
				if _, err := after.Mail(t.Context(), secondID); (err == nil) != step.stored {
					t.Errorf("second mail: %v, stored should be %v", err, step.stored)
				}
				ids := accept(t, after, envelope("ep_2"), newBody(second))
				if step.stored && !slices.Equal(ids, []string{secondID}) {
					t.Errorf("the resend got %q, want %s", ids, secondID)
				}
				if n := len(due(t, after, "ep_2")); n != 1 {
					t.Errorf("the second mail is owed %d times", n)
				}
				checkClean(t, after)
			})
		})
	}
}

// TestCrashAfterACompletion goes on from a copy made when the record of an attempt was committed.
func TestCrashAfterACompletion(t *testing.T) {
	config := newConfig(t, layouts()[0])
	copied := config
	copied.Dir = t.TempDir()
	config.Step = func(name string) {
		if name == "completions-committed" {
			copyOf(t, config, &copied)
		}
	}
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(100)))
	if err := complete(s, attempt(due(t, s, "ep_1")[0])); err != nil {
		t.Fatal(err)
	}
	after := open(t, copied)
	if ds := due(t, after, "ep_1"); len(ds) != 0 {
		t.Errorf("owed again: %v", ds)
	}
	checkClean(t, after)
}
