package storage_test

import (
	"database/sql"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

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
	shrink := func(want bool) {
		t.Helper()
		run("VACUUM ANALYZE delivery") // as autovacuum does, and tells of at once
		if got, err := s.Shrink(t.Context()); err != nil || got != want {
			t.Errorf("shrunk %v, want %v; error %v; %d octets", got, want, err, size())
		}
	}
	run(`INSERT INTO delivery (message, id, endpoint, due_at, attempts, replay, created_at) SELECT 'msg_' || lpad(n::text, 26, '0'), 'dlv_' || lpad(n::text, 26, '0'),
		'ep_' || lpad((n % 1000)::text, 26, '0'), n, 0, 0, n FROM generate_series(1, 250000) AS n`)
	shrink(false)
	full := size()
	old, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec("SELECT count(*) FROM delivery"); err != nil {
		t.Fatal(err)
	}
	run("DELETE FROM delivery WHERE due_at % 100 <> 0")
	shrink(false)
	if err := old.Rollback(); err != nil {
		t.Fatal(err)
	}
	shrink(true)
	if got := size(); got > full/20 {
		t.Errorf("%d octets are left of %d", got, full)
	}
	shrink(false)
	var left int
	if err := db.QueryRow("SELECT count(*) FROM delivery").Scan(&left); err != nil || left != 2500 {
		t.Errorf("%d deliveries are left, error %v", left, err)
	}
}

// TestAGrowingPackStaysInPlace: the count of the segment that grows changes with every batch. Its versions stay within a page or two of the
// table and one entry of each index, or an old snapshot would make each change walk past all before it.
func TestAGrowingPackStaysInPlace(t *testing.T) {
	config := newConfig(t, layout{})
	config.Database = throwaway.Database(t)
	s := open(t, config)
	for range 400 {
		accept(t, s, envelope("ep_1"), newBody(content(10)))
	}
	var octets int64
	err := database(t, config).QueryRow(
		"SELECT sum(pg_relation_size(indexrelid)) FROM pg_index WHERE indrelid = 'pack'::regclass").Scan(&octets)
	if err != nil {
		t.Fatal(err)
	}
	if pages := octets / 8192; pages > 4 {
		t.Errorf("the indexes of packs take %d pages after 400 batches of one segment", pages)
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
	old, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Rollback() }()
	if _, err := old.Exec("SELECT count(*) FROM delivery"); err != nil {
		t.Fatal(err)
	}
	const mails = 500
	for range mails {
		mail()
	}
	if err := s.Close(); err != nil { // which has the database count what its connections did
		t.Fatal(err)
	}
	var read int64
	err = db.QueryRow("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname IN ('delivery', 'dedupe', 'parsing')").Scan(&read)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f entries of indexes read for a mail", float64(read)/mails)
	if read > 6*mails { // 3 are enough; plans that walk the tables read 10 by then, and more with every mail
		t.Errorf("%d entries of indexes were read for %d mails", read, mails)
	}
}
