package storage_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// holdSnapshot keeps a snapshot open, as a long report on something else does, until release is called.
func holdSnapshot(t *testing.T, db *sql.DB) (release func()) {
	t.Helper()
	return throwaway.LeaveOpen(t, db, "SELECT 1")
}

// TestShrink has an old snapshot open while deliveries come and go: the table is left as it is then, and packed once the snapshot is gone.
func TestShrink(t *testing.T) {
	config := newConfig(t, layout{})
	config.Database = throwaway.Database(t)
	s := open(t, config)
	db := database(t, config)
	run := func(text string) {
		t.Helper()
		if _, err := db.Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	size := func() (n int64) {
		if err := db.QueryRow("SELECT pg_total_relation_size('delivery')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	shrink := func(want storage.ShrinkOutcome) {
		t.Helper()
		run("VACUUM ANALYZE delivery") // as autovacuum does, and tells of at once
		if got, err := s.Shrink(t.Context()); err != nil || got != want {
			t.Errorf("outcome %d, want %d; error %v; %d octets", got, want, err, size())
		}
	}
	run(`INSERT INTO delivery (message, id, endpoint, due_at, attempts, replay, created_at) SELECT 'msg_' || lpad(n::text, 26, '0'), 'dlv_' || lpad(n::text, 26, '0'),
		'ep_' || lpad((n % 1000)::text, 26, '0'), n, 0, 0, n FROM generate_series(1, 250000) AS n`)
	shrink(storage.ShrinkNotDue)
	full := size()
	release := holdSnapshot(t, db)
	run("DELETE FROM delivery WHERE due_at % 100 <> 0")
	shrink(storage.ShrinkLeft)
	release()
	release = throwaway.LeaveOpen(t, db, "SELECT count(*) FROM delivery") // sees no dead row, and nobody gets the whole table
	shrink(storage.ShrinkLeft)
	release()
	shrink(storage.ShrinkDone)
	if got := size(); got > full/20 {
		t.Errorf("%d octets are left of %d", got, full)
	}
	shrink(storage.ShrinkNotDue)
	var left int
	if err := db.QueryRow("SELECT count(*) FROM delivery").Scan(&left); err != nil || left != 2500 {
		t.Errorf("%d deliveries are left, error %v", left, err)
	}
}

// TestAGrowingPackStaysInPlace: the count of the segment that grows changes with every batch. A version that lies beside the one before needs
// no entry in an index; else an old snapshot would make each change walk past an entry for each before it. What an account has stored changes as
// often, and is spread over rows.
func TestAGrowingPackStaysInPlace(t *testing.T) {
	config := newConfig(t, layout{})
	config.Database = throwaway.Database(t)
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	db := database(t, config)
	release := holdSnapshot(t, db)
	defer release()
	const batches = 400
	for range batches {
		accept(t, s, envelope("ep_1"), newBody(content(10)))
	}
	if err := s.Close(); err != nil { // which has the database count what its connections did
		t.Fatal(err)
	}
	var changes, inPlace int
	if err := db.QueryRow("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'pack'").Scan(&changes, &inPlace); err != nil {
		t.Fatal(err)
	}
	if changes < batches || inPlace < changes*9/10 {
		t.Errorf("%d of %d changes of a pack needed no entry in an index", inPlace, changes)
	}
	var writers, messages int
	if err := db.QueryRow("SELECT count(DISTINCT writer), sum(messages) FROM stock").Scan(&writers, &messages); err != nil {
		t.Fatal(err)
	}
	if writers != 16 || messages != batches+1 {
		t.Errorf("%d writers count %d messages of one account, want 16 that take turns and %d", writers, messages, batches+1)
	}
}

// TestOldSnapshotCostsNoReads: what a mail costs does not grow while a snapshot keeps every row that was deleted since. The plans are made while
// the tables are nearly empty, when walking all of them would be cheapest.
func TestOldSnapshotCostsNoReads(t *testing.T) {
	config := newConfig(t, layout{})
	config.Database = throwaway.Database(t)
	s := open(t, config)
	mail := func() {
		ids := accept(t, s, envelope("ep_1"), newBody(content(10)))
		s.Acknowledged(ids)
		found, err := s.Deliveries(t.Context(), storage.DeliveryFilter{Message: ids[0], Limit: 1})
		if err != nil || len(found) != 1 {
			t.Fatalf("%d deliveries, error %v", len(found), err)
		}
		if err := complete(s, attempt(storage.Delivery{ID: found[0].ID, Message: ids[0], Endpoint: "ep_1"})); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // from the sixth time on a plan stays
		mail()
	}
	db := database(t, config)
	for _, table := range []string{"delivery", "dedupe", "parsing"} {
		if _, err := db.Exec("VACUUM ANALYZE " + table); err != nil { // as autovacuum does when nothing waits
			t.Fatal(err)
		}
	}
	release := holdSnapshot(t, db)
	defer release()
	const mails = 500
	for range mails {
		mail()
	}
	if err := s.Close(); err != nil { // which has the database count what its connections did
		t.Fatal(err)
	}
	var read int64
	err := db.QueryRow("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname IN ('delivery', 'dedupe', 'parsing')").Scan(&read)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f entries of indexes read for a mail", float64(read)/mails)
	if read > 6*mails { // 3 are enough; plans that walk the tables read 10 by then, and more with every mail
		t.Errorf("%d entries of indexes were read for %d mails", read, mails)
	}
}

// TestPacksOfAnOlderNodeGo: a node of the version before empties a pack and does not mark it. The bytes go all the same.
func TestPacksOfAnOlderNodeGo(t *testing.T) {
	config := newConfig(t, layout{})
	config.Database = throwaway.Database(t)
	s := open(t, config)
	const key = "raw/acc_1/msg_left"
	if err := config.Blobs.Put(t.Context(), key, strings.NewReader("sealed"), 6); err != nil {
		t.Fatal(err)
	}
	damage(t, config, "INSERT INTO pack (key, created_at, live) VALUES ('"+key+"', 1, 0)")
	if swept := sweep(t, s, storage.Retention{}); swept.Packs != 1 {
		t.Errorf("swept %+v, want the pack", swept)
	}
	if _, err := config.Blobs.OpenRange(t.Context(), key, 0, -1); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("its bytes are there: %v", err)
	}
}
