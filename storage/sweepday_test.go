package storage_test

import (
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestDaysGoWhole: on PostgreSQL a day of which nothing is owed and all is old is emptied and dropped; of a day with a debt the other
// rows go, and the debt stays.
func TestDaysGoWhole(t *testing.T) {
	clock := newClock()
	config := newConfig(t, layout{postgres: true})
	config.Now = clock.now
	s := open(t, config)
	first := clock.at
	deliverNow := func() {
		for _, d := range due(t, s, "ep_1") {
			c := attempt(d)
			c.Attempt.At = clock.at
			if err := complete(s, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		accept(t, s, envelope("ep_1"), newBody(content(100)))
	}
	deliverNow()
	clock.at = first.Add(day)
	accept(t, s, envelope("ep_1"), newBody(content(100)))
	deliverNow()
	owed := accept(t, s, envelope("ep_2"), newBody(content(100)))[0]

	keep := storage.Retention{Messages: 30 * day, Attachments: 60 * day, Attempts: 90 * day}
	clock.at = first.Add(30 * day)
	if got := sweep(t, s, keep); got.Messages != 0 {
		t.Errorf("swept %+v before a day was over", got)
	}
	clock.at = first.Add(33 * day)
	if got := sweep(t, s, keep); got.Messages != 4 || got.Attempts != 0 {
		t.Errorf("swept %+v, want 4 messages", got)
	}
	checkClean(t, s)
	readRaw(t, s, owed)
	for table, want := range map[string]bool{"message": false, "summary": false, "attempt": true, "delivery_result": true} {
		if got := hasPartition(t, config, table, first); got != want {
			t.Errorf("%s has a partition for the first day: %v", table, got)
		}
	}
	if !hasPartition(t, config, "message", first.Add(day)) || !hasPartition(t, config, "message", clock.at.Add(3*day)) {
		t.Error("the day with a debt, or a day ahead, has no partition")
	}

	clock.at = first.Add(93 * day)
	if got := sweep(t, s, keep); got.Attempts != 4 {
		t.Errorf("swept %+v, want the 4 attempts", got)
	}
	for _, table := range []string{"attempt", "delivery_result"} {
		if hasPartition(t, config, table, first) {
			t.Errorf("%s still has a partition for the first day", table)
		}
	}
	// What was owed for so long can still be recorded, where its day has no partition any more.
	for _, d := range due(t, s, "ep_2") {
		if err := complete(s, attempt(d)); err != nil {
			t.Error(err)
		}
	}
	checkClean(t, s)
}

func hasPartition(t *testing.T, config storage.Config, table string, at time.Time) bool {
	t.Helper()
	var there bool
	err := database(t, config).QueryRow("SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = $1)", table+"_"+at.UTC().Format("20060102")).Scan(&there)
	if err != nil {
		t.Fatal(err)
	}
	return there
}
