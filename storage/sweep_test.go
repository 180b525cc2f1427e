package storage_test

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/storage"
)

// clock is a time that the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

const day = 24 * time.Hour

func sweep(t *testing.T, s *storage.Store, r storage.Retention) storage.Swept {
	t.Helper()
	swept, err := s.Sweep(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	checkClean(t, s)
	return swept
}

// files counts the files below a folder of the data folder, but for the mark of the owner.
func files(t *testing.T, folder string) (n int) {
	t.Helper()
	err := filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "owner" {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func segmentsDir(config storage.Config) string { return filepath.Join(config.Dir, "segments") }

func TestSweepTakesWhatIsOldAndFinished(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		old := accept(t, s, envelope("ep_1"), newBody(content(100)))[0]
		large := accept(t, s, envelope("ep_1"), newBody(content(2<<20)))[0]
		owedStill := accept(t, s, envelope("ep_2"), newBody(content(100)))[0]
		discarded := accept(t, s, envelope(), newBody(content(100)))[0]
		for _, d := range fetchAll(t, s, clock, "ep_1") {
			c := attempt(d)
			c.Attempt.At = clock.now()
			c.Summary = &storage.Summary{Attachments: []storage.AttachmentBlob{}}
			if d.Message == old {
				key := storage.AttachmentKey("acc_1", old, "00ff")
				c.Summary.Attachments = append(c.Summary.Attachments, storage.AttachmentBlob{Key: key, Size: 1, SHA256: hashOfX})
				if err := config.Blobs.Put(t.Context(), key, bytes.NewReader([]byte("x")), 1); err != nil {
					t.Fatal(err)
				}
			}
			clock.at = clock.at.Add(time.Hour) // finished a little later than it came
			if err := complete(s, c); err != nil {
				t.Fatal(err)
			}
		}
		retention := storage.Retention{Messages: 10 * day, Attachments: 5 * day, Attempts: 20 * day}

		clock.at = clock.at.Add(5*day - time.Hour)
		if got := sweep(t, s, retention); got != (storage.Swept{}) {
			t.Errorf("too young, but swept %+v", got)
		}
		clock.at = clock.at.Add(time.Hour + time.Minute)
		if got := sweep(t, s, retention); got != (storage.Swept{Attachments: 1}) {
			t.Errorf("after 5 days swept %+v, want the attachment", got)
		}
		recent := accept(t, s, envelope("ep_1"), newBody(content(100)))[0]
		clock.at = clock.at.Add(5 * day)
		if config.Database != "" {
			clock.at = clock.at.Add(day) // there they go by whole days
		}
		got := sweep(t, s, retention)
		got.Packs = 0 // which depends on the layout
		if diff := cmp.Diff(storage.Swept{Messages: 3}, got); diff != "" {
			t.Errorf("after 10 days (-want +swept):\n%s", diff)
		}
		for id, kept := range map[string]bool{old: false, large: false, discarded: false, owedStill: true, recent: true} {
			_, err := s.Mail(t.Context(), id)
			if (err == nil) != kept || err != nil && !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("message %s: %v, kept should be %v", id, err, kept)
			}
		}
		if as, err := s.Attempts(t.Context(), old); err != nil || len(as) != 1 {
			t.Errorf("the log is kept longer: %v, error %v", as, err)
		}
		clock.at = clock.at.Add(10 * day)
		if got := sweep(t, s, retention); got.Attempts != 2 {
			t.Errorf("after 20 days swept %+v, want 2 attempts", got)
		}
		readRaw(t, s, owedStill)
		if rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{}); err != nil || len(rows) != 2 {
			t.Errorf("%d deliveries in the log, error %v; want the two pending", len(rows), err)
		}
	})
}

// fetchAll fetches what an endpoint is owed by the test's clock.
func fetchAll(t *testing.T, s *storage.Store, c *clock, endpoint string) []storage.Delivery {
	t.Helper()
	ds, err := s.Fetch(t.Context(), endpoint, storage.Cursor{}, c.now().Add(time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func TestReplayIsKeptFromTheSweep(t *testing.T) {
	clock := newClock()
	config := newConfig(t, layouts()[0])
	config.Now = clock.now
	s := open(t, config)
	id := accept(t, s, envelope("ep_1"), newBody(content(100)))[0]
	d := fetchAll(t, s, clock, "ep_1")[0]
	if err := complete(s, attempt(d)); err != nil {
		t.Fatal(err)
	}
	clock.at = clock.at.Add(20 * day)
	if err := s.Retry(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if got := sweep(t, s, storage.Retention{Messages: day, Attempts: day}); got != (storage.Swept{}) {
		t.Errorf("swept %+v of a message that is owed again", got)
	}
	readRaw(t, s, id)
	if err := complete(s, attempt(fetchAll(t, s, clock, "ep_1")[0])); err != nil {
		t.Fatal(err)
	}
	if got := sweep(t, s, storage.Retention{Messages: day}); got != (storage.Swept{}) {
		t.Errorf("swept %+v though its last result is new", got)
	}
	clock.at = clock.at.Add(2 * day)
	if got := sweep(t, s, storage.Retention{Messages: day}); got.Messages != 1 {
		t.Errorf("swept %+v, want the message", got)
	}
}

func TestSweepTakesEmptyPacks(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		folder := segmentsDir(config)
		if config.PackInBlobs {
			folder = blobsDir(config)
		}
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		for range 3 {
			accept(t, s, envelope(), newBody(content(100))) // one batch each, in a segment of its own
			clock.at = clock.at.Add(11 * time.Minute)
		}
		last := accept(t, s, envelope("ep_1"), newBody(content(100)))[0]
		if n := files(t, folder); n != 4 {
			t.Fatalf("%d files, want 4", n)
		}
		clock.at = clock.at.Add(2 * day)
		if got := sweep(t, s, storage.Retention{Messages: day}); got.Messages != 3 || got.Packs != 3 {
			t.Errorf("swept %+v, want 3 messages and 3 packs", got)
		}
		if n := files(t, folder); n != 1 {
			t.Errorf("%d files are left, want 1", n)
		}
		readRaw(t, s, last)
		clock.at = clock.at.Add(8 * day)
		sweep(t, s, storage.Retention{Messages: day})
		var keys int
		if err := database(t, config).QueryRow("SELECT count(*) FROM pack").Scan(&keys); err != nil || keys != 1 {
			t.Errorf("%d keys of packs are remembered, error %v; want 1", keys, err)
		}
	})
}

// TestDoomedPackTakesNoMessage plays the sweeper that was quicker than the accept: the mail is refused, and its bytes may go.
func TestDoomedPackTakesNoMessage(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		// The key of the next pack is not known before, so every key is doomed just before its row is inserted.
		const doom = "INSERT INTO pack (key, created_at, live, doomed_at) VALUES (NEW.key, 0, 0, 1);"
		drop := "DROP TRIGGER doom"
		if config.Database == "" {
			damage(t, config, "CREATE TRIGGER doom BEFORE INSERT ON pack WHEN NEW.doomed_at IS NULL BEGIN "+doom+" END")
		} else {
			damage(t, config, "CREATE FUNCTION doom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+doom+" RETURN NEW; END $$")
			damage(t, config, "CREATE TRIGGER doom BEFORE INSERT ON pack FOR EACH ROW WHEN (NEW.doomed_at IS NULL) EXECUTE FUNCTION doom()")
			drop += " ON pack"
		}
		if ids, err := s.Accept(t.Context(), envelope("ep_1"), newBody(content(10))); err == nil {
			t.Fatalf("accepted as %q", ids)
		}
		damage(t, config, drop)
		checkEmpty(t, s)
		accept(t, s, envelope("ep_1"), newBody(content(10)))
		checkClean(t, s)
	})
}

// TestSweepShortensALongLog has more old rows than one step takes, with rows between them that stay.
func TestSweepShortensALongLog(t *testing.T) {
	clock := newClock()
	config := newConfig(t, layout{})
	config.Now = clock.now
	s := open(t, config)
	const fill = `WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 1000) `
	damage(t, config, fill+`INSERT INTO attempt SELECT 'msg_00' || (n / 10), 'dlv_1', n, 'ep_1', n % 2 * 9e15, 0, '', 0, '{}' FROM i`)
	damage(t, config, fill+`INSERT INTO delivery_result (message, id, endpoint, state, reason, attempts, replay, created_at, finished_at, replayed_by, part)
		SELECT 'msg_00' || (n / 10), 'dlv_' || n, 'ep_1', 'dead', '', 1, 0, 0, n % 2 * 9e15, NULL, 0 FROM i`)
	damage(t, config, fill+`INSERT INTO dedupe SELECT CAST(n AS BLOB), 'msg_1', n % 2 * 9e15 FROM i`)
	if got := sweep(t, s, storage.Retention{Attempts: day}); got != (storage.Swept{Attempts: 500}) {
		t.Errorf("swept %+v, want 500 attempts", got)
	}
	for _, table := range []string{"attempt", "delivery_result", "dedupe"} {
		var n int
		if err := database(t, config).QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 500 {
			t.Errorf("%s has %d rows, error %v; want the 500 young ones", table, n, err)
		}
	}
}

// A resend leaves bytes that hold no message. They go, as do those of a pack that was emptied and not marked so.
func TestSweepTakesPacksWithoutMessages(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		same := newBody(content(2 << 20))
		first, again := accept(t, s, envelope("ep_1"), same), accept(t, s, envelope("ep_1"), same)
		if !slices.Equal(first, again) {
			t.Fatalf("%s was not taken for a resend of %s", again, first)
		}
		db := database(t, config)
		count := func(where string) (n int) {
			if err := db.QueryRow("SELECT count(*) FROM pack WHERE " + where).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := count("live = 0"); config.PackInBlobs && n != 1 {
			t.Fatalf("%d packs hold a resend, want 1", n)
		}
		if n := count("live = 0 AND emptied = 0"); n > 0 {
			t.Errorf("%d packs that hold a resend are not marked as empty", n)
		}
		if _, err := db.Exec("UPDATE pack SET emptied = 0 WHERE live = 0"); err != nil { // as an older node leaves it
			t.Fatal(err)
		}
		for _, d := range due(t, s, "ep_1") {
			if err := complete(s, attempt(d)); err != nil {
				t.Fatal(err)
			}
		}
		clock.at = clock.at.Add(2 * day)
		sweep(t, s, storage.Retention{Messages: day, Attempts: day})
		if n := count("live = 0 AND gone = 0"); n > 1 || (n > 0 && config.PackInBlobs) { // a segment that grows stays
			t.Errorf("%d packs without a message are left", n)
		}
	})
}
