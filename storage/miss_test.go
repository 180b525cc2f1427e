package storage_test

import (
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// What has been due for too long at a shadow endpoint is finished, all of it and nothing else, and retention counts from then.
func TestMiss(t *testing.T) {
	clock := newClock()
	config := newConfig(t, layouts()[0])
	config.Now = clock.now
	s := open(t, config)
	const old = 1100 // more than two steps
	for range old {
		accept(t, s, envelope("ep_shadow"), newBody(content(10)))
	}
	both := accept(t, s, envelope("ep_shadow", "ep_1"), newBody(content(10)))[0]
	clock.at = clock.at.Add(2 * time.Hour)
	fresh := accept(t, s, envelope("ep_shadow"), newBody(content(10)))[0]
	n, err := s.Miss(t.Context(), "ep_shadow", clock.now().Add(-time.Hour), "too late")
	if err != nil || n != old+1 {
		t.Fatalf("%d missed, %v", n, err)
	}
	left, err := s.Deliveries(t.Context(), storage.DeliveryFilter{State: storage.StatePending})
	if err != nil || len(left) != 2 || left[0].Message != fresh || left[1].Message != both || left[1].Endpoint != "ep_1" {
		t.Fatalf("%+v, %v", left, err)
	}
	rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{Message: both, State: storage.StateMissed})
	if err != nil || len(rows) != 1 || rows[0].Reason != "too late" {
		t.Fatalf("%+v, %v", rows, err)
	}
	checkClean(t, s)

	// A replay of it is possible.
	if err := s.Retry(t.Context(), rows[0].ID); err != nil {
		t.Fatal(err)
	}
	// What owes nothing any more goes by its age; what does stays.
	clock.at = clock.at.Add(48 * time.Hour)
	if got := sweep(t, s, storage.Retention{Messages: day}); got.Messages != old {
		t.Errorf("swept %+v, want %d messages", got, old)
	}
	checkClean(t, s)
}
