package storage_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/storage"
)

func TestCompletionFinishesADelivery(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	id := accept(t, s, envelope("ep_1"), newBody(content(10)))[0]
	d := due(t, s, "ep_1")[0]
	c := attempt(d)
	c.Attempt.At = time.UnixMilli(c.Attempt.At.UnixMilli())
	c.Attempt.Detail = storage.AttemptDetail{RemoteAddr: "192.0.2.9:443", Header: map[string]string{"Server": "x"}, Body: "thanks"}
	c.Summary = &storage.Summary{From: "a@example.org", Subject: "One", Attachments: []storage.AttachmentBlob{}}
	if err := complete(s, c); err != nil {
		t.Fatal(err)
	}
	if ds := due(t, s, "ep_1"); len(ds) != 0 {
		t.Errorf("still owed: %v", ds)
	}
	for _, by := range []string{id, d.ID} {
		as, err := s.Attempts(t.Context(), by)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]storage.Attempt{c.Attempt}, as); diff != "" {
			t.Errorf("attempts of %s (-made +stored):\n%s", by, diff)
		}
	}
	m, err := s.Mail(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Summary, m.Summary); diff != "" {
		t.Errorf("summary (-given +stored):\n%s", diff)
	}
	rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{ID: d.ID})
	if err != nil || len(rows) != 1 || rows[0].State != storage.StateDelivered || rows[0].Attempts != 1 || rows[0].FinishedAt.IsZero() {
		t.Errorf("rows %+v, error %v", rows, err)
	}
	checkClean(t, s)
}

func TestCompletionReschedules(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	for n := 1; n <= 3; n++ {
		d := due(t, s, "ep_1")[0]
		if d.Attempts != n-1 {
			t.Fatalf("attempts %d, want %d", d.Attempts, n-1)
		}
		c := attempt(d)
		c.Attempt.Outcome, c.Attempt.Status = "status", 500
		c.RetryAt = time.Now().Add(time.Duration(n) * time.Minute).Truncate(time.Millisecond)
		c.Summary = &storage.Summary{Subject: string(rune('0' + n))}
		if err := complete(s, c); err != nil {
			t.Fatal(err)
		}
		if at := due(t, s, "ep_1")[0].DueAt; !at.Equal(c.RetryAt) {
			t.Errorf("due at %v, want %v", at, c.RetryAt)
		}
	}
	d := due(t, s, "ep_1")[0]
	if m, err := s.Mail(t.Context(), d.Message); err != nil || m.Summary.Subject != "1" {
		t.Errorf("the summary is set once: %+v, error %v", m.Summary, err)
	}
	if as, err := s.Attempts(t.Context(), d.ID); err != nil || len(as) != 3 {
		t.Errorf("%d attempts, error %v", len(as), err)
	}
	checkClean(t, s)
}

func TestStaleCompletionChangesNothing(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	d := due(t, s, "ep_1")[0]
	retry := attempt(d)
	retry.RetryAt = time.Now()
	if err := complete(s, retry); err != nil {
		t.Fatal(err)
	}
	unknown := d
	unknown.ID = d.ID[:len(d.ID)-1] + "0"
	final := attempt(due(t, s, "ep_1")[0])
	for name, c := range map[string]storage.Completion{"same number again": retry, "finish with an old number": attempt(d), "unknown": attempt(unknown)} {
		if err := complete(s, c); !errors.Is(err, storage.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := complete(s, final); err != nil {
		t.Fatal(err)
	}
	if err := complete(s, final); !errors.Is(err, storage.ErrStale) {
		t.Errorf("after the end: %v", err)
	}
	if as, err := s.Attempts(t.Context(), d.ID); err != nil || len(as) != 2 {
		t.Errorf("%d attempts, error %v; want 2", len(as), err)
	}
}

// TestStaleCompletionInABatch mixes good and stale ones in one transaction, the same delivery twice among them.
func TestStaleCompletionInABatch(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	const n = 40
	for range n {
		accept(t, s, envelope("ep_1"), newBody(content(10)))
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	fine, stale := 0, 0
	for i, d := range due(t, s, "ep_1") {
		cs := []storage.Completion{attempt(d)}
		if i%4 == 0 {
			cs = append(cs, cs[0])
		}
		if i%5 == 0 {
			retry := cs[0]
			retry.RetryAt = time.Now()
			cs = append([]storage.Completion{retry}, attempt(d))
			cs[1].Attempt.N = 2
		}
		for _, c := range cs {
			group.Add(1)
			s.Complete(c, func(err error) {
				defer group.Done()
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					fine++
				case errors.Is(err, storage.ErrStale):
					stale++
				default:
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	if fine != n+n/5 || stale != 8 {
		t.Errorf("%d fine and %d stale, want %d and 8", fine, stale, n+n/5)
	}
	if ds := due(t, s, "ep_1"); len(ds) != 0 {
		t.Errorf("%d are still owed", len(ds))
	}
	checkClean(t, s)
}

func TestFetchPagesALane(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	for range 25 {
		accept(t, s, envelope("ep_1", "ep_2"), newBody(content(10)))
	}
	accept(t, s, envelope("ep_3"), newBody(content(10)))
	lanes, err := s.Lanes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := due(t, s, "ep_1")
	var names []string
	for _, l := range lanes {
		names = append(names, l.Endpoint)
	}
	if !slices.Equal(names, []string{"ep_1", "ep_2", "ep_3"}) || !lanes[0].DueAt.Equal(all[0].DueAt) {
		t.Errorf("lanes %v", lanes)
	}
	var paged []storage.Delivery
	var at storage.Cursor
	for {
		page, err := s.Fetch(t.Context(), "ep_1", at, time.Now(), 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		last := page[len(page)-1]
		at = storage.Cursor{DueAt: last.DueAt, ID: last.ID}
	}
	if diff := cmp.Diff(all, paged); diff != "" || len(all) != 25 {
		t.Errorf("%d rows; pages (-whole +paged):\n%s", len(all), diff)
	}
	early, err := s.Fetch(t.Context(), "ep_1", storage.Cursor{}, all[0].DueAt.Add(-time.Millisecond), 7)
	if err != nil || len(early) != 0 {
		t.Errorf("not due yet: %v, error %v", early, err)
	}
	if lanes, err := open(t, newConfig(t, layouts()[0])).Lanes(t.Context()); err != nil || len(lanes) != 0 {
		t.Errorf("lanes of an empty store: %v, error %v", lanes, err)
	}
}

func TestRetry(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	id := accept(t, s, envelope("ep_1"), newBody(content(10)))[0]
	first := due(t, s, "ep_1")[0]
	dead := attempt(first)
	dead.State, dead.Reason = storage.StateDead, "status"
	if err := complete(s, dead); err != nil {
		t.Fatal(err)
	}

	for range 2 { // the second time the replay stands already
		if err := s.Retry(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
	}
	ds := due(t, s, "ep_1")
	if len(ds) != 1 || ds[0].Message != id || !ds[0].Replay || ds[0].Attempts != 0 || ds[0].ID == first.ID {
		t.Fatalf("owed %+v, want one replay", ds)
	}
	rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{State: storage.StateDead})
	if err != nil || len(rows) != 1 || rows[0].ReplayedBy != ds[0].ID {
		t.Errorf("dead rows %+v, error %v", rows, err)
	}
	later := attempt(ds[0])
	later.RetryAt = time.Now().Add(30 * time.Minute)
	if err := complete(s, later); err != nil {
		t.Fatal(err)
	}
	if err := s.Retry(t.Context(), ds[0].ID); err != nil {
		t.Fatal(err)
	}
	if d := due(t, s, "ep_1")[0]; d.DueAt.After(time.Now()) {
		t.Errorf("a pending delivery is due at %v, want now", d.DueAt)
	}
	last := "0" // another last character than the id has
	if strings.HasSuffix(first.ID, last) {
		last = "1"
	}
	for _, bad := range []string{"", "dlv_", id, first.ID[:len(first.ID)-1] + last} {
		if err := s.Retry(t.Context(), bad); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("retry %q: %v", bad, err)
		}
	}
	checkClean(t, s)
}

func TestForeignChange(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	changed := func() bool {
		t.Helper()
		c, err := s.ForeignChange(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	changed()
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	if changed() {
		t.Error("our own write was taken for a foreign one")
	}
	d := due(t, s, "ep_1")[0]
	config.Beside = true
	beside := open(t, config)
	if changed() {
		t.Error("opening beside changed something")
	}
	if err := beside.Retry(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if !changed() {
		t.Error("the retry beside was not seen")
	}
	if changed() {
		t.Error("it was seen twice")
	}
	if _, err := beside.Accept(t.Context(), envelope("ep_1"), newBody(content(10))); !errors.Is(err, storage.ErrBeside) {
		t.Errorf("accept beside: %v", err)
	}
}
