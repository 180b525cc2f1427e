package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// places are the kinds of places that a store is copied from and to.
var places = map[string]layout{
	"sqlite and folder":   {},
	"sqlite and bucket":   {bucket: true, packInBlobs: true},
	"postgres and folder": {postgres: true},
	"postgres and bucket": {postgres: true, bucket: true, packInBlobs: true},
}

// emptyPlace is a place that no store was made in. Its keys are those of lived.
func emptyPlace(t *testing.T, l layout) storage.Config {
	t.Helper()
	l.keys = [][]byte{bytes.Repeat([]byte{7}, storage.KeySize)}
	config := newConfig(t, l)
	if l.postgres {
		config.Database = throwaway.Database(t)
	}
	return config
}

// lived is a store that has seen a bit of everything, with what is owed and the raw bytes of its messages.
type lived struct {
	storage.Config
	store *storage.Store
	epoch int64             // of the lease that a server would have
	raw   map[string][]byte // by message
}

// stop stops it in good order.
func (v *lived) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(v.store.LeaveNode(context.Background(), v.epoch), v.store.Close()); err != nil {
		t.Fatal(err)
	}
}

func newLived(t *testing.T, l layout) *lived {
	t.Helper()
	v := &lived{Config: emptyPlace(t, l), raw: map[string][]byte{}}
	v.store = open(t, v.Config)
	ctx := t.Context()
	standing, err := v.store.RenewNode(ctx, 0, "lived")
	if err != nil {
		t.Fatal(err)
	}
	v.epoch = standing.Epoch
	_, err = v.store.Apply(ctx, storage.Declaration{
		Accounts: []string{"a", "b"}, Endpoints: []storage.Endpoint{{Account: "a", Name: "app", StoredSecrets: true}, {Account: "b", Name: "app"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 500, 70_000, 2 << 20} {
		v.accept(t, content(size))
	}
	erased := v.accept(t, content(100))
	delivered := v.accept(t, content(300))
	for _, d := range due(t, v.store, "ep_1") {
		switch d.Message {
		case delivered:
			completeWithAttachment(t, v.store, v.Blobs, d, storage.AttachmentKey("acc_1", delivered, hashOfX))
		case erased:
			if err := complete(v.store, attempt(d)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := v.store.Erase(ctx, storage.Erasure{Message: erased}); err != nil {
		t.Fatal(err)
	}
	delete(v.raw, erased)
	return v
}

func (v *lived) accept(t *testing.T, text []byte) (id string) {
	t.Helper()
	id = accept(t, v.store, envelope("ep_1", "ep_2"), newBody(text))[0]
	v.raw[id] = text
	return id
}

// owedBy are the ids of what an endpoint is owed.
func owedBy(t *testing.T, s *storage.Store, endpoint string) (ids []string) {
	t.Helper()
	for _, d := range due(t, s, endpoint) {
		ids = append(ids, d.ID+" of "+d.Message)
	}
	return ids
}

func openCopy(t *testing.T, from, to storage.Config) *storage.Copy {
	t.Helper()
	c, err := storage.OpenCopy(t.Context(), storage.CopyConfig{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// finish is the last pass of a copy, without a fault.
func finish(t *testing.T, c *storage.Copy) *storage.CopyReport {
	t.Helper()
	r, err := c.Finish(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Finished || len(r.Faults) > 0 {
		t.Fatalf("finished %v, faults %v", r.Finished, r.Faults)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCopy moves a store between every two kinds of places: a pass beside the running store, more mail and other changes, the last
// pass.
func TestCopy(t *testing.T) {
	for from, l := range places {
		for to, m := range places {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				v := newLived(t, l)
				target := emptyPlace(t, m)
				c := openCopy(t, v.Config, target)
				if err := c.Rest(); !errors.Is(err, storage.ErrLocked) {
					t.Errorf("the running source is held: %v", err)
				}
				if _, err := c.Pass(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				v.accept(t, content(1000))
				gone := due(t, v.store, "ep_2")[0]
				if err := complete(v.store, attempt(gone)); err != nil {
					t.Fatal(err)
				}
				owed := [2][]string{owedBy(t, v.store, "ep_1"), owedBy(t, v.store, "ep_2")}
				v.stop(t)
				r := finish(t, c)
				if want := int64(len(owed[0]) + len(owed[1])); r.Pending != want || r.Messages != int64(len(v.raw)+1) {
					t.Errorf("%d pending and %d messages, want %d and %d", r.Pending, r.Messages, want, len(v.raw)+1)
				}

				s := open(t, target)
				for i, endpoint := range []string{"ep_1", "ep_2"} {
					if got := owedBy(t, s, endpoint); fmt.Sprint(got) != fmt.Sprint(owed[i]) {
						t.Errorf("%s is owed\n%q, want\n%q", endpoint, got, owed[i])
					}
				}
				for id, text := range v.raw {
					if !bytes.Equal(readRaw(t, s, id), text) {
						t.Errorf("the bytes of %s changed", id)
					}
				}
				checkClean(t, s)
				id := accept(t, s, envelope("ep_1"), newBody(content(2000)))[0]
				readRaw(t, s, id)
				if _, err := s.Secrets(t.Context()); err != nil {
					t.Error(err)
				}
				checkClean(t, s)
			})
		}
	}
}

// TestCopyIsRefused tries places that are not empty, are the source itself, or are in use; and to open what is half made.
func TestCopyIsRefused(t *testing.T) {
	v := newLived(t, layout{})
	try := func(name string, to storage.Config, want error) {
		t.Helper()
		c, err := storage.OpenCopy(t.Context(), storage.CopyConfig{From: v.Config, To: to})
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	try("the source", v.Config, storage.ErrNotEmpty)
	used := emptyPlace(t, layout{})
	s := open(t, used)
	try("where a server runs", used, storage.ErrLocked)
	s.Close()
	try("where one ran", used, storage.ErrNotEmpty)
	database := emptyPlace(t, layout{postgres: true})
	s = open(t, database)
	if _, err := s.RenewNode(t.Context(), 0, "runs"); err != nil {
		t.Fatal(err)
	}
	other := emptyPlace(t, layout{})
	other.Database = database.Database
	try("a database with a node", other, storage.ErrLocked)
	s.Close()
	taken := emptyPlace(t, layout{bucket: true, packInBlobs: true, postgres: true})
	if err := taken.Blobs.Put(t.Context(), "att/a/b/c", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	try("a bucket with an object", taken, storage.ErrNotEmpty)
	looked := emptyPlace(t, layout{bucket: true, packInBlobs: true, postgres: true})
	if err := looked.Blobs.Put(t.Context(), "probe", strings.NewReader("probe"), 5); err != nil {
		t.Fatal(err)
	}
	try("a bucket that was looked at", looked, nil)

	half := emptyPlace(t, layout{postgres: true})
	c := openCopy(t, v.Config, half)
	try("where another copy goes", half, storage.ErrLocked)
	if _, err := c.Pass(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Open(t.Context(), half); !errors.Is(err, storage.ErrCopying) {
		t.Errorf("a half made copy: %v", err)
	}
	first := v
	v = newLived(t, layout{})
	try("a half made copy of another store", half, storage.ErrNotEmpty)
	v = first
	v.stop(t)
	finish(t, openCopy(t, v.Config, half))
	try("a finished copy", half, storage.ErrNotEmpty)
	open(t, half)
}

// TestCopyKeepsServersOut: while the last pass runs, nobody opens either end.
func TestCopyKeepsServersOut(t *testing.T) {
	for name, l := range places {
		t.Run(name, func(t *testing.T) {
			v := newLived(t, l)
			v.stop(t)
			target := emptyPlace(t, layout{})
			c := openCopy(t, v.Config, target)
			if err := c.Rest(); err != nil {
				t.Fatal(err)
			}
			if _, err := storage.Open(t.Context(), target); !errors.Is(err, storage.ErrLocked) {
				t.Errorf("the target: %v", err)
			}
			if !l.packInBlobs || !l.postgres {
				if _, err := storage.Open(t.Context(), v.Config); !errors.Is(err, storage.ErrLocked) {
					t.Errorf("the source: %v", err)
				}
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			s := open(t, v.Config)
			began := make(chan error, 1)
			go func() {
				_, err := s.RenewNode(ctx, 0, "early")
				began <- err
			}()
			if err := c.Close(); err != nil { // then, and not before, the lease begins
				t.Error(err)
			}
			if err := <-began; err != nil {
				t.Error(err)
			}
			cancel()
		})
	}
}

// TestCopyWaitsForNodesWithoutLease: a node that only takes mail has no lease, and what it took during the last pass would be lost.
func TestCopyWaitsForNodesWithoutLease(t *testing.T) {
	v := newLived(t, places["postgres and bucket"])
	node := storage.Member{Name: "mx", Roles: []string{"smtp"}}
	if err := errors.Join(v.store.LeaveNode(t.Context(), v.epoch), v.store.Enrol(t.Context(), &node)); err != nil {
		t.Fatal(err)
	}
	target := emptyPlace(t, places["postgres and bucket"])
	c := openCopy(t, v.Config, target)
	if _, err := c.Pass(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(t.Context(), false); !errors.Is(err, storage.ErrLocked) {
		t.Errorf("beside a node that takes mail: %v, want %v", err, storage.ErrLocked)
	}
	v.accept(t, content(10))
	if err := errors.Join(v.store.Depart(t.Context(), node.ID), v.store.Close()); err != nil {
		t.Fatal(err)
	}
	r := finish(t, c)
	if got := int64(len(v.raw) + 1); r.Messages != got { // the erased one too
		t.Errorf("%d messages have come along, want %d", r.Messages, got)
	}
	s := open(t, target)
	if members, err := s.Members(t.Context()); err != nil || len(members) > 0 {
		t.Errorf("nodes of the source have come along: %v, %v", members, err)
	}
}

// TestCopyLosesNothingOfASilentNode: a node that only takes mail has been stopped for so long that it seems to have ended. It comes back
// during the last pass and takes mail: that pass does not set the target free, and once the node has ended another one brings the mail over.
func TestCopyLosesNothingOfASilentNode(t *testing.T) {
	for _, during := range []string{storage.CopyingRows, storage.ProvingBytes} {
		t.Run(during, func(t *testing.T) { testSilentNode(t, during) })
	}
}

func testSilentNode(t *testing.T, during string) {
	v := newLived(t, places["postgres and bucket"])
	node := storage.Member{Name: "mx", Roles: []string{"smtp"}}
	if err := errors.Join(v.store.LeaveNode(t.Context(), v.epoch), v.store.Enrol(t.Context(), &node)); err != nil {
		t.Fatal(err)
	}
	damage(t, v.Config, "UPDATE member SET seen_at = seen_at - 20000")
	target, back, taken := emptyPlace(t, places["postgres and bucket"]), false, make(chan error, 1)
	late := content(10)
	c, err := storage.OpenCopy(t.Context(), storage.CopyConfig{From: v.Config, To: target, Progress: func(stage string, done, total int64) {
		if back || stage != during || done < total {
			return
		}
		back = true
		if err := v.store.Say(t.Context(), &node); err != nil {
			t.Error(err)
		}
		go func() { // its mail has to wait for the end of the pass
			ids, err := v.store.Accept(context.Background(), envelope("ep_1"), newBody(late))
			if err == nil {
				v.raw[ids[0]] = late
			}
			taken <- err
		}()
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Finish(t.Context(), false); !errors.Is(err, storage.ErrLocked) || !back {
		t.Fatalf("with a node that came back: %+v, %v, want %v", r, err, storage.ErrLocked)
	}
	if err := <-taken; err != nil {
		t.Errorf("the mail of that node: %v", err)
	}
	if err := c.Rest(); !errors.Is(err, storage.ErrLocked) {
		t.Errorf("the source is at rest beside it: %v", err)
	}
	if err := errors.Join(v.store.Depart(t.Context(), node.ID), v.store.Close()); err != nil {
		t.Fatal(err)
	}
	if r := finish(t, c); r.Messages != int64(len(v.raw)+1) { // the erased one too
		t.Errorf("%d messages have come along, want %d", r.Messages, len(v.raw)+1)
	}
}

// TestCopySharesBlobs changes the engine alone: segments and blobs stay where they are and belong to the copy in the end.
func TestCopySharesBlobs(t *testing.T) {
	for _, l := range []layout{{}, {bucket: true}, {bucket: true, packInBlobs: true}} {
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) {
			v := newLived(t, l)
			target := v.Config
			target.Database = throwaway.Database(t)
			if l.bucket {
				target.Dir, target.PackInBlobs = t.TempDir(), true // segments become packs
			}
			c := openCopy(t, v.Config, target)
			if _, err := c.Pass(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			v.stop(t)
			r := finish(t, c)
			if l.packInBlobs && r.Copied != 0 {
				t.Errorf("%d objects were copied onto themselves", r.Copied)
			}
			s := open(t, target)
			for id, text := range v.raw {
				if !bytes.Equal(readRaw(t, s, id), text) {
					t.Errorf("the bytes of %s changed", id)
				}
			}
			checkClean(t, s)
			s.Close()
			if _, err := storage.Open(t.Context(), v.Config); !errors.Is(err, storage.ErrMoved) {
				t.Errorf("the source is opened again: %v", err)
			}
		})
	}
}
