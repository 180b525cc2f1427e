package storage_test

import (
	"strings"
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
	erased := ""
	for range 3 {
		erased = accept(t, s, envelope("ep_1"), newBody(content(100)))[0]
	}
	deliverNow()
	if _, err := s.Erase(t.Context(), storage.Erasure{Message: erased}); err != nil {
		t.Fatal(err)
	}
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
	left := 0
	if err := database(t, config).QueryRow("SELECT count(*) FROM erasure").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows tell of erased messages that are gone, %v", left, err)
	}
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

// TestRetentionOfAccounts: the messages and attachments of an account go when its own retention ends, sooner or later than those of others
// of the same day; what is owed stays. On PostgreSQL the day goes with the last of them.
func TestRetentionOfAccounts(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		first := clock.at
		accounts := []string{"acc_short", "acc_1", "acc_long"}
		of := func(account string, endpoint string) string {
			env := envelope(endpoint)
			env.Recipients[0].Account = account
			return accept(t, s, env, newBody(content(100)))[0]
		}
		mails := map[string]string{}
		for _, account := range accounts {
			mails[account] = of(account, "ep_1")
		}
		owed := of("acc_short", "ep_2")
		for _, d := range fetchAll(t, s, clock, "ep_1") {
			m, err := s.Mail(t.Context(), d.Message)
			if err != nil {
				t.Fatal(err)
			}
			key := storage.AttachmentKey(m.Account, m.ID, "00ff")
			completeWithAttachment(t, s, config.Blobs, d, key)
		}
		keep := storage.Retention{Messages: 10 * day, Attachments: 8 * day, Accounts: map[string]storage.AccountRetention{
			"acc_short": {Messages: 3 * day, Attachments: 2 * day}, "acc_long": {Messages: 20 * day, Attachments: 30 * day}, "acc_none": {Messages: time.Hour},
		}}
		for _, step := range []struct {
			after time.Duration
			swept storage.Swept
			there string // those of accounts whose message is there
		}{
			{2*day - time.Hour, storage.Swept{}, "acc_short acc_1 acc_long"},
			{2*day + time.Hour, storage.Swept{Attachments: 1}, "acc_short acc_1 acc_long"},
			{4*day + time.Hour, storage.Swept{Messages: 1}, "acc_1 acc_long"},
			{8*day + time.Hour, storage.Swept{Attachments: 1}, "acc_1 acc_long"},
			{11*day + time.Hour, storage.Swept{Messages: 1}, "acc_long"},
			{19 * day, storage.Swept{}, "acc_long"},
			{21*day + time.Hour, storage.Swept{Messages: 1, Attachments: 1}, ""},
		} {
			clock.at = first.Add(step.after)
			got := sweep(t, s, keep)
			got.Packs = 0 // where they are objects they go with it
			if got != step.swept {
				t.Errorf("after %v swept %+v, want %+v", step.after, got, step.swept)
			}
			var there []string
			for _, account := range accounts {
				if _, err := rawOf(s, mails[account]); err == nil {
					there = append(there, account)
				}
			}
			if got := strings.Join(there, " "); got != step.there {
				t.Errorf("after %v there is the mail of %s, want %s", step.after, got, step.there)
			}
			stockIsExact(t, config)
		}
		readRaw(t, s, owed)
		if config.Database != "" && !hasPartition(t, config, "message", first) {
			t.Error("the day of what is owed has gone")
		}
		for _, d := range due(t, s, "ep_2") {
			c := attempt(d)
			c.Summary = &storage.Summary{Attachments: []storage.AttachmentBlob{}}
			if err := complete(s, c); err != nil {
				t.Fatal(err)
			}
		}
		clock.at = clock.at.Add(3*day + time.Hour) // it counts from the result
		if config.Database != "" {
			clock.at = clock.at.Add(day)
		}
		sweep(t, s, keep)
		if _, err := rawOf(s, owed); err == nil {
			t.Error("what was owed is kept for ever")
		}
		if config.Database != "" && hasPartition(t, config, "message", first) {
			t.Error("the day is kept although nothing is left of it")
		}
	})
}

// TestKeptForEver: an account whose messages have an end loses them where all others are kept for ever.
func TestKeptForEver(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		kept := accept(t, s, envelope(), newBody(content(100)))[0]
		env := envelope()
		env.Recipients[0].Account = "acc_short"
		gone := accept(t, s, env, newBody(content(100)))[0]
		clock.at = clock.at.Add(400 * day)
		if got := sweep(t, s, storage.Retention{Accounts: map[string]storage.AccountRetention{"acc_short": {Messages: 3 * day}}}); got.Messages != 1 {
			t.Errorf("swept %+v", got)
		}
		readRaw(t, s, kept)
		if _, err := rawOf(s, gone); err == nil {
			t.Error("it is still there")
		}
	})
}
