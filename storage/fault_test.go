package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

func TestAcceptFailsWholeAndRecovers(t *testing.T) {
	tests := []struct{ name, event, table string }{
		{"dedupe key", "INSERT", "dedupe"},
		{"pack", "INSERT", "pack"},
		{"message", "INSERT", "message"},
		{"delivery", "INSERT", "delivery"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			forEachLayout(t, func(t *testing.T, config storage.Config) {
				s := open(t, config)
				remove := plant(t, config, test.event, test.table, "1 = 1")
				text := content(10)
				if ids, err := s.Accept(t.Context(), envelope("ep_1"), newBody(text)); err == nil {
					t.Fatalf("accepted as %q", ids)
				}
				checkEmpty(t, s)
				if s.AcceptTrouble() == nil {
					t.Error("no trouble after a mail that was not stored")
				}
				remove()
				s.ProbeTrouble(t.Context())
				if err := s.AcceptTrouble(); (err == nil) != config.PackInBlobs {
					t.Errorf("trouble after a probe: %v", err)
				}
				ids := accept(t, s, envelope("ep_1"), newBody(text))
				if err := s.AcceptTrouble(); err != nil {
					t.Errorf("trouble after a mail that was stored: %v", err)
				}
				if !bytes.Equal(readRaw(t, s, ids[0]), text) {
					t.Error("other bytes came back")
				}
				checkClean(t, s)
			})
		})
	}
}

func checkEmpty(t *testing.T, s *storage.Store) {
	t.Helper()
	mails, err := s.Messages(t.Context(), storage.MessageFilter{})
	if err != nil || len(mails) != 0 {
		t.Errorf("%d messages stand, error %v", len(mails), err)
	}
	ds, err := s.Deliveries(t.Context(), storage.DeliveryFilter{})
	if err != nil || len(ds) != 0 {
		t.Errorf("%d deliveries stand, error %v", len(ds), err)
	}
	checkClean(t, s)
}

// TestOneBadRowFailsAlone refuses the mails of one account while many come at once.
func TestOneBadRowFailsAlone(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		plant(t, config, "INSERT", "message", "NEW.account = 'acc_bad'")
		var group sync.WaitGroup
		for i := range 64 {
			group.Go(func() {
				env := envelope("ep_1")
				bad := i%16 == 3
				if bad {
					env.Recipients[0].Account = "acc_bad"
				}
				_, err := s.Accept(context.Background(), env, newBody(content(100)))
				if (err != nil) != bad {
					t.Errorf("mail %d: %v", i, err)
				}
			})
		}
		group.Wait()
		if n := len(due(t, s, "ep_1")); n != 60 {
			t.Errorf("%d deliveries, want 60", n)
		}
		checkClean(t, s)
	})
}

// TestMailOfSeveralAccountsIsOne refuses one of the accounts of a mail: none of it may stand.
func TestMailOfSeveralAccountsIsOne(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	plant(t, config, "INSERT", "message", "NEW.account = 'acc_2'")
	env := envelope("ep_1")
	env.Recipients = append(env.Recipients, env.Recipients[0])
	env.Recipients[1].Account = "acc_2"
	if ids, err := s.Accept(t.Context(), env, newBody(content(10))); err == nil {
		t.Fatalf("accepted as %q", ids)
	}
	checkEmpty(t, s)
}

func TestCompletionFailsWholeAndRecovers(t *testing.T) {
	tests := []struct{ name, event, table string }{
		{"attempt", "INSERT", "attempt"},
		{"delivery", "DELETE", "delivery"},
		{"result", "INSERT", "delivery_result"},
		{"summary", "INSERT", "summary"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := newConfig(t, layouts()[0])
			s := open(t, config)
			id := accept(t, s, envelope("ep_1"), newBody(content(10)))[0]
			accept(t, s, envelope("ep_1"), newBody(content(11)))
			ds := due(t, s, "ep_1")
			if ds[0].Message != id {
				ds[0], ds[1] = ds[1], ds[0]
			}
			row := "NEW"
			if test.event == "DELETE" {
				row = "OLD"
			}
			remove := plant(t, config, test.event, test.table, row+".message = '"+id+"'")
			answers := make(chan error, 2)
			s.Complete(attempt(ds[0]), func(err error) { answers <- err })
			s.Complete(attempt(ds[1]), func(err error) { answers <- err })
			if err := errors.Join(<-answers, <-answers); err == nil || errors.Is(err, storage.ErrStale) {
				t.Fatalf("answers: %v", err)
			}
			left := due(t, s, "ep_1")
			if len(left) != 1 || left[0].ID != ds[0].ID {
				t.Errorf("owed %v, want the bad one alone", left)
			}
			if as, err := s.Attempts(t.Context(), ds[0].ID); err != nil || len(as) != 0 {
				t.Errorf("attempts %v, error %v", as, err)
			}
			remove()
			if err := complete(s, attempt(ds[0])); err != nil {
				t.Error(err)
			}
			checkClean(t, s)
		})
	}
}

// TestFolderOfBytesIsGone takes the folder of the bytes away and gives it back. Root may write anywhere, so it is replaced by a
// file rather than protected.
func TestFolderOfBytesIsGone(t *testing.T) {
	for i, folder := range []string{"segments", "blobs/pack"} {
		t.Run(folder, func(t *testing.T) {
			config := newConfig(t, layouts()[i])
			s := open(t, config)
			path := filepath.Join(config.Dir, folder)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Accept(t.Context(), envelope("ep_1"), newBody(content(10))); err == nil {
				t.Fatal("accepted")
			} else if !strings.Contains(err.Error(), "write pack") {
				t.Errorf("error %v", err)
			}
			checkEmpty(t, s)
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
			accept(t, s, envelope("ep_1"), newBody(content(10)))
			checkClean(t, s)
		})
	}
}

// TestSlowBucketDelaysNoCompletion holds a pack back and records an attempt meanwhile.
func TestSlowBucketDelaysNoCompletion(t *testing.T) {
	config := newConfig(t, layouts()[1])
	slow := &slowBlobs{Blobs: config.Blobs, entered: make(chan struct{}, 1), leave: make(chan struct{})}
	close(slow.leave)
	config.Blobs = slow
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	<-slow.entered
	d := due(t, s, "ep_1")[0]

	slow.leave = make(chan struct{})
	accepted := make(chan error)
	go func() {
		_, err := s.Accept(context.Background(), envelope("ep_1"), newBody(content(10)))
		accepted <- err
	}()
	<-slow.entered
	if err := complete(s, attempt(d)); err != nil {
		t.Error(err)
	}
	select {
	case err := <-accepted:
		t.Errorf("accepted before its bytes were stored: %v", err)
	default:
	}
	close(slow.leave)
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}

// slowBlobs is a real store whose Put of bytes waits.
type slowBlobs struct {
	storage.Blobs
	entered chan struct{}
	leave   chan struct{}
}

func (b *slowBlobs) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	if key == "owner" || key == "probe" {
		return b.Blobs.Put(ctx, key, r, size)
	}
	b.entered <- struct{}{}
	<-b.leave
	return b.Blobs.Put(ctx, key, r, size)
}
