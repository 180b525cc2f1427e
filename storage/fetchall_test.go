package storage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/storage"
)

// Questions that go together have the answers that each has alone, in their order.
func TestFetchAll(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		for range 12 {
			accept(t, s, envelope("ep_1", "ep_2"), newBody(content(10)))
		}
		accept(t, s, envelope("ep_3"), newBody(content(10)))
		third := due(t, s, "ep_2")[2]
		questions := []storage.Question{
			{Endpoint: "ep_2", After: storage.Cursor{DueAt: third.DueAt, ID: third.ID}, Limit: 5},
			{Endpoint: "ep_none", Limit: 5},
			{Endpoint: "ep_1", Limit: 100},
			{Endpoint: "ep_3", Limit: 1},
			{Endpoint: "ep_1", Limit: 3},
		}
		for _, by := range []time.Time{time.Now().Add(time.Minute), third.DueAt, third.DueAt.Add(-time.Hour)} {
			for _, asked := range [][]storage.Question{questions, questions[2:3], nil} {
				answers, err := s.FetchAll(t.Context(), asked, by)
				if err != nil || len(answers) != len(asked) {
					t.Fatalf("%d answers to %d questions, %v", len(answers), len(asked), err)
				}
				for i, q := range asked {
					want, err := s.Fetch(t.Context(), q.Endpoint, q.After, by, q.Limit)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, answers[i]); diff != "" {
						t.Errorf("%+v (-alone +together):\n%s", q, diff)
					}
				}
			}
		}
	})
}
