package storage_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// moved is a store that was moved from one place to another, with a lived source.
func moved(t *testing.T, from, to layout) (v *lived, target storage.Config) {
	t.Helper()
	v = newLived(t, from)
	v.stop(t)
	target = emptyPlace(t, to)
	finish(t, openCopy(t, v.Config, target))
	return v, target
}

// TestMovedStoreServesNoMore: no server opens the source of a finished copy, it is the source of no other one, and it serves again once it
// is taken back, with everything that it had.
func TestMovedStoreServesNoMore(t *testing.T) {
	for name, l := range places {
		t.Run(name, func(t *testing.T) {
			v, target := moved(t, l, layout{})
			if _, err := storage.Open(t.Context(), v.Config); !errors.Is(err, storage.ErrMoved) || !strings.Contains(err.Error(), "--take-back") {
				t.Errorf("the source is opened again: %v", err)
			}
			for _, again := range []storage.Config{target, emptyPlace(t, layout{})} {
				c, err := storage.OpenCopy(t.Context(), storage.CopyConfig{From: v.Config, To: again})
				if err == nil {
					c.Close()
				}
				if !errors.Is(err, storage.ErrMoved) && !errors.Is(err, storage.ErrNotEmpty) {
					t.Errorf("it is copied again: %v", err)
				}
			}
			s := open(t, target)
			if _, err := storage.TakeBack(t.Context(), target); !errors.Is(err, storage.ErrNotMoved) {
				t.Errorf("the target is taken back: %v", err)
			}
			s.Close()
			to, err := storage.TakeBack(t.Context(), v.Config)
			if err != nil || !strings.HasPrefix(to, "store_") {
				t.Fatalf("taken back from %q, %v", to, err)
			}
			if _, err := storage.TakeBack(t.Context(), v.Config); !errors.Is(err, storage.ErrNotMoved) {
				t.Errorf("taken back twice: %v", err)
			}
			v.store = open(t, v.Config)
			for id, text := range v.raw {
				if !bytes.Equal(readRaw(t, v.store, id), text) {
					t.Errorf("the bytes of %s changed", id)
				}
			}
			v.accept(t, content(10))
			checkClean(t, v.store)
		})
	}
}

// TestTakeBackOfSharedBlobs: blobs that both places use belong to the source again.
func TestTakeBackOfSharedBlobs(t *testing.T) {
	v := newLived(t, places["postgres and bucket"])
	v.stop(t)
	target := emptyPlace(t, places["sqlite and bucket"])
	target.Blobs = v.Blobs
	finish(t, openCopy(t, v.Config, target))
	if _, err := storage.TakeBack(t.Context(), v.Config); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Open(t.Context(), target); !errors.Is(err, storage.ErrForeign) {
		t.Errorf("the target opens: %v", err)
	}
	checkClean(t, open(t, v.Config))
}

// TestTakeBackIsRefused while a copy that was killed is being finished.
func TestTakeBackIsRefused(t *testing.T) {
	for name, l := range places {
		t.Run(name, func(t *testing.T) {
			v, target := moved(t, l, layout{})
			markAsCopying(t, v.Config, target)
			c := openCopy(t, v.Config, target)
			if err := c.Rest(); err != nil {
				t.Fatal(err)
			}
			if _, err := storage.TakeBack(t.Context(), v.Config); !errors.Is(err, storage.ErrLocked) {
				t.Errorf("beside a copy: %v", err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := storage.TakeBack(t.Context(), v.Config); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCopyGoesOnOnceItsSourceHasMoved: a copy that was killed after its source was marked, and before its target was set free, is finished by
// the next one. No other place takes that source.
func TestCopyGoesOnOnceItsSourceHasMoved(t *testing.T) {
	for name, l := range places {
		t.Run(name, func(t *testing.T) {
			v, target := moved(t, l, layout{})
			markAsCopying(t, v.Config, target)
			if _, err := storage.Open(t.Context(), target); !errors.Is(err, storage.ErrCopying) {
				t.Fatalf("the target opens: %v", err)
			}
			if _, err := storage.OpenCopy(t.Context(), storage.CopyConfig{From: v.Config, To: emptyPlace(t, layout{})}); !errors.Is(err, storage.ErrMoved) {
				t.Errorf("to another place: %v", err)
			}
			r := finish(t, openCopy(t, v.Config, target))
			if r.Messages != int64(len(v.raw)+1) { // the erased one too
				t.Errorf("%d messages, want %d", r.Messages, len(v.raw)+1)
			}
			checkClean(t, open(t, target))
		})
	}
}

// markAsCopying makes the target what it was when the source had just been marked.
func markAsCopying(t *testing.T, source, target storage.Config) {
	t.Helper()
	var mark string
	if err := database(t, source).QueryRow("SELECT id FROM store").Scan(&mark); err != nil {
		t.Fatal(err)
	}
	damage(t, target, fmt.Sprintf("UPDATE store SET id = 'copying %s into ' || id", strings.Fields(mark)[1]))
}

// TestNobodyWakesUpInAMovedStore: nodes that had fallen silent wake up during the last pass or after it. They take no mail, for it would be
// in none of both places or in the old one, begin no lease and renew none, and are told to end.
func TestNobodyWakesUpInAMovedStore(t *testing.T) {
	v := newLived(t, places["postgres and bucket"])
	v.stop(t) // with all that it would count later, during the pass
	v.store = open(t, v.Config)
	node := storage.Member{Name: "mx", Roles: []string{"smtp"}}
	standing, err := v.store.RenewNode(t.Context(), 0, "mx")
	if err = errors.Join(err, v.store.Enrol(t.Context(), &node)); err != nil {
		t.Fatal(err)
	}
	v.epoch = standing.Epoch
	damage(t, v.Config, "UPDATE member SET seen_at = seen_at - 20000")
	damage(t, v.Config, "UPDATE node SET lease_until = lease_until - 20000")
	woken, db := make(chan error, 1), database(t, v.Config)
	target, wakes := emptyPlace(t, places["postgres and bucket"]), false
	c, err := storage.OpenCopy(t.Context(), storage.CopyConfig{From: v.Config, To: target, Progress: func(stage string, done, total int64) {
		if wakes || stage != storage.ProvingBytes || done < total {
			return
		}
		wakes = true
		go func() {
			_, err := v.store.Accept(context.Background(), envelope("ep_1"), newBody(content(10)))
			woken <- err
		}()
		for len(woken) == 0 && number(t, db, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'message'::regclass") == 0 {
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r := finish(t, c); r.Messages != int64(len(v.raw)+1) || !wakes { // the erased one too
		t.Errorf("%d messages have come along, want %d", r.Messages, len(v.raw)+1)
	}
	if err := <-woken; !errors.Is(err, storage.ErrMoved) {
		t.Errorf("mail during the last pass: %v", err)
	}
	if _, err := v.store.Accept(t.Context(), envelope("ep_1"), newBody(content(20))); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("mail after it: %v", err)
	}
	if v.store.AcceptTrouble() == nil {
		t.Error("the node says that it takes mail")
	}
	if err := v.store.Say(t.Context(), &node); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("it says that it serves: %v", err)
	}
	if err := v.store.Enrol(t.Context(), &storage.Member{Name: "new"}); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("it enrols: %v", err)
	}
	for _, epoch := range []int64{v.epoch, 0} {
		if _, err := v.store.RenewNode(t.Context(), epoch, "mx"); !errors.Is(err, storage.ErrMoved) {
			t.Errorf("lease %d: %v", epoch, err)
		}
	}
	if n := number(t, db, "SELECT count(*) FROM message"); n != len(v.raw)+1 {
		t.Errorf("%d messages at the source, want %d", n, len(v.raw)+1)
	}
	if _, err := storage.TakeBack(t.Context(), v.Config); err != nil {
		t.Fatal(err)
	}
	if err := v.store.Say(t.Context(), &node); err != nil {
		t.Errorf("it does not serve again: %v", err)
	}
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
