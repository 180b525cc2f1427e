package storage_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/lease"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// Nodes to which mail comes for each other's lanes look at their own at the same time. None of them waits for another in a circle: the
// server would see that after a second only, and all lanes of both would stand still.
func TestTurnsDoNotWaitInACircle(t *testing.T) {
	url, ctx := throwaway.Database(t), t.Context()
	var stores []*storage.Store
	var epochs []int64
	lanes := make([][]string, 3)
	for i := range lanes {
		config := newConfig(t, layouts()[0])
		config.Database = url
		s := open(t, config)
		standing, err := s.RenewNode(ctx, 0, "n")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			lanes[i] = append(lanes[i], fmt.Sprintf("lane%02d", 3*n+i))
		}
		if _, err := s.TurnLanes(ctx, standing.Epoch, lease.Wishes{Wake: lanes[i]}); err != nil {
			t.Fatal(err)
		}
		stores, epochs = append(stores, s), append(epochs, standing.Epoch)
	}
	var nodes sync.WaitGroup
	woken := make([]map[string]bool, len(stores))
	for i, s := range stores {
		var others []string
		for n := range lanes {
			if n != i {
				others = append(others, lanes[n]...)
			}
		}
		woken[i] = map[string]bool{}
		nodes.Go(func() {
			for range 100 {
				mine, err := s.TurnLanes(ctx, epochs[i], lease.Wishes{Wake: others})
				if err != nil {
					t.Error(err)
				}
				for _, name := range mine {
					woken[i][name] = true
				}
			}
		})
	}
	nodes.Wait()
	for i, s := range stores {
		mine, err := s.TurnLanes(ctx, epochs[i], lease.Wishes{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range mine {
			woken[i][name] = true
		}
		if len(woken[i]) != len(lanes[i]) {
			t.Errorf("node %d has heard of %d lanes of %d", i, len(woken[i]), len(lanes[i]))
		}
		if err := s.Close(); err != nil { // so that the server counts what its connections met
			t.Fatal(err)
		}
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var circles int
	if err := conn.QueryRow(ctx, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&circles); err != nil {
		t.Fatal(err)
	}
	if circles > 0 {
		t.Errorf("%d times nodes waited for each other in a circle", circles)
	}
}
