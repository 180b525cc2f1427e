package storage_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// What a parse tells of a message that was indexed by its envelope long before is found, in the same run and after a crash that
// the index heard nothing of.
func TestSearchLearnsHeaders(t *testing.T) { forEachLayout(t, learnHeaders) }

func learnHeaders(t *testing.T, config storage.Config) {
	s := open(t, config)
	parse := func(id, subject string) {
		for _, d := range due(t, s, "ep_of_acc_1") {
			if d.Message == id {
				c := attempt(d)
				c.Summary = &storage.Summary{Subject: subject}
				if err := complete(s, c); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	index := func() {
		if err := s.IndexNow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := func(subject, id string) {
		t.Helper()
		if got := search(t, s, storage.Search{Subject: subject}); !slices.Equal(got, []string{id}) {
			t.Errorf("%q gives %q, want %q", subject, got, id)
		}
	}
	first := receive(t, s, mailbox{account: "acc_1", from: "a@b.example", to: "c@d.example"})
	second := receive(t, s, mailbox{account: "acc_1", from: "a@b.example", to: "c@d.example"})
	index()
	parse(first, "early bird")
	index()
	want("early", first)

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config) // the first thing that it does is to look through the index
	parse(second, "late worm")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	index()
	want("late", second)
	want("early", first)
}

// What retention takes is gone from the index, and a message that gets the row of one that is gone is found.
func TestSearchForgets(t *testing.T) { forEachLayout(t, forgetSwept) }

func forgetSwept(t *testing.T, config storage.Config) {
	now := &clock{at: time.Now()}
	config.Now = now.now
	s := open(t, config)
	var ids []string
	for i := range 5 {
		ids = append(ids, receive(t, s, mailbox{"acc_1", "a@b.example", "c@d.example", "e@f.example", fmt.Sprintf("secret word%d", i), "message", ""}))
	}
	if err := s.IndexNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := search(t, s, storage.Search{Subject: "secret"}); len(got) != 5 {
		t.Fatalf("%q of %q", got, ids)
	}
	if err := s.Close(); err != nil { // the clock is changed
		t.Fatal(err)
	}
	now.at = now.at.Add(48 * time.Hour)
	s = open(t, config)
	swept, err := s.Sweep(t.Context(), storage.Retention{Messages: 24 * time.Hour})
	if err != nil || swept.Messages != 5 {
		t.Fatalf("%+v, %v", swept, err)
	}
	db := database(t, config)
	if config.Database == "" {
		if db, err = sql.Open("sqlite", filepath.Join(config.Dir, "search-2.db")); err != nil {
			t.Fatal(err)
		}
		defer db.Close()
	}
	for _, query := range []string{"SELECT count(*) FROM search_segment", "SELECT count(*) FROM search_page"} {
		var n int
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", query, n, err)
		}
	}
	id := receive(t, s, mailbox{account: "acc_1", from: "a@b.example", to: "c@d.example"})
	if err := s.IndexNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := search(t, s, storage.Search{From: "a@b.example"}); !slices.Equal(got, []string{id}) {
		t.Errorf("%q, want %q", got, id)
	}
}
