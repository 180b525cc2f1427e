package dispatch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/storage"
)

func TestPace(t *testing.T) {
	good, hang := &Result{Outcome: OutcomeDelivered}, &Result{Outcome: OutcomeTimeout}
	busy, gone := &Result{Outcome: OutcomeStatus, Status: 503}, &Result{Outcome: OutcomeStatus, Status: 404}
	many := func(r *Result, n int) []*Result { return slices.Repeat([]*Result{r}, n) }
	tests := map[string]struct {
		most    int
		results []*Result
		limit   int
		suspect bool
	}{
		"unknown":                    {0, nil, firstConcurrency, false},
		"an endpoint that wants one": {1, many(good, 5), 1, false},
		"all is well":                {0, many(good, 3), 5, false},
		"at its limit":               {0, many(good, 100), defaultConcurrency, false},
		"a limit of its own":         {20, many(good, 100), 20, false},
		"one timeout":                {0, append(many(good, 100), hang), defaultConcurrency / 2, true},
		"many timeouts":              {0, append(many(good, 100), many(hang, 50)...), 1, true},
		"overwhelmed":                {0, append(many(good, 100), busy, busy), 2, true},
		"back again":                 {0, append(many(hang, 9), good, good), 3, false},
		"quick to say no":            {0, append(many(good, 2), many(gone, 9)...), 4, false},
		"away, then quick to say no": {0, []*Result{hang, gone}, 1, false},
		"redirects say nothing":      {0, []*Result{hang, {Outcome: OutcomeRedirect}}, 1, true},
		"too many requests":          {0, append(many(good, 100), &Result{Outcome: OutcomeStatus, Status: 429}), 4, true},
	}
	for name, tt := range tests {
		p := newPace(tt.most)
		for _, r := range tt.results {
			p.learn(r)
		}
		if p.limit != tt.limit || p.suspect != tt.suspect {
			t.Errorf("%s: limit %d, suspect %t", name, p.limit, p.suspect)
		}
	}
}

// What suspect lanes hold leaves the others their part of the memory.
func TestSharesAreApart(t *testing.T) {
	h := build(t)
	defer h.close()
	d := h.dispatcher(func(c *Config) { c.BytesInFlight = 4 << 20 })
	ep := &storage.Endpoint{MaxBody: 1 << 20}
	ctx := t.Context()
	first, err := d.reserve(ctx, &job{suspect: true}, ep)
	if err != nil || first.size != 1<<20 {
		t.Fatalf("a suspect got %+v, %v", first, err)
	}
	healthy, err := d.reserve(ctx, &job{}, ep)
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan error)
	go func() {
		s, err := d.reserve(ctx, &job{suspect: true}, ep)
		if err == nil {
			s.release()
		}
		waits <- err
	}()
	first.shrink(1000)
	if first.size != 1000+attemptCost {
		t.Errorf("it keeps %d", first.size)
	}
	first.release()
	if err := <-waits; err != nil {
		t.Errorf("the next suspect: %v", err)
	}
	// One that may be larger than the whole gets the whole, when nobody else has any of it.
	go func() {
		s, err := d.reserve(ctx, &job{}, &storage.Endpoint{MaxBody: 25 << 20})
		if err == nil {
			s.release()
		}
		waits <- err
	}()
	healthy.release()
	if err := <-waits; err != nil {
		t.Errorf("the largest: %v", err)
	}
}

func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue[int]
		var want []int
		for i := range rapid.IntRange(0, 500).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "push") > 0 || len(want) == 0 {
				q.push(i)
				want = append(want, i)
			} else {
				if q.first() != want[0] || q.pop() != want[0] {
					t.Fatal("not the first")
				}
				want = want[1:]
			}
			if q.len() != len(want) || !slices.Equal(q.all(), want) {
				t.Fatalf("%v, want %v", q.all(), want)
			}
		}
	})
}

func FuzzParseRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sat, 21 Nov 2026 18:35:00 GMT")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, value string) {
		if d := parseRetryAfter(value, epoch); d != 0 && (d < minRetryAfter || d > maxRetryAfter) {
			t.Errorf("%q: %s", value, d)
		}
	})
}

func TestNewWantsItsRooms(t *testing.T) {
	h := build(t)
	defer h.close()
	for name, forget := range map[string]func(*Config){
		"store": func(c *Config) { c.Store = nil }, "blobs": func(c *Config) { c.Blobs = nil },
		"directory": func(c *Config) { c.Directory = nil }, "links": func(c *Config) { c.Links = nil },
	} {
		cfg := h.config()
		forget(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("a dispatcher without %s", name)
		}
	}
}

// A prepare that is cut lets go of the letter.
func TestPrepareIsCut(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one", URL: "http://127.0.0.1:1"})
	defer h.close()
	id := h.accept(mail("x"), "one")
	d := h.dispatcher(nil)
	l := newLetter(id)
	l.turn <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := d.prepare(ctx, l); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another has its turn: %v", err)
	}
	<-l.turn
	if m, c, err := d.prepare(t.Context(), l); err != nil || m.ID != id || c.data.Subject != "x" {
		t.Errorf("after that: %v", err)
	}
}
