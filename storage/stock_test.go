package storage_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// stockIsExact holds what is known of what is stored against the messages themselves.
func stockIsExact(t testing.TB, config storage.Config) {
	t.Helper()
	db := database(t, config)
	defer db.Close()
	read := func(query string) map[string][2]int64 {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		found := map[string][2]int64{}
		for rows.Next() {
			var account string
			var messages, octets int64
			if err := rows.Scan(&account, &messages, &octets); err != nil {
				t.Fatal(err)
			}
			if messages != 0 || octets != 0 {
				found[account] = [2]int64{messages, octets}
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return found
	}
	want := read("SELECT account, count(*), CAST(sum(CASE WHEN length(key) > 0 THEN size ELSE 0 END) AS BIGINT) FROM message GROUP BY account")
	if got := read("SELECT account, CAST(sum(messages) AS BIGINT), CAST(sum(octets) AS BIGINT) FROM stock GROUP BY account"); !maps.Equal(got, want) {
		t.Errorf("messages and octets by account: %v are known, and there are %v", got, want)
	}
}

// TestStock: what is stored is known exactly through all that adds to it and takes from it, and over restarts.
func TestStock(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		want := func(s *storage.Store, messages, octets int64) {
			t.Helper()
			stockIsExact(t, config)
			list, err := s.Stocks(t.Context(), "acc_1")
			if messages == 0 && len(list) == 0 && err == nil {
				return
			}
			if err != nil || fmt.Sprint(list) != fmt.Sprint([]storage.Stock{{Account: "acc_1", Messages: messages, Octets: octets}}) {
				t.Errorf("%+v %v, want %d messages, %d octets", list, err, messages, octets)
			}
		}
		want(s, 0, 0)
		same := newBody(content(100))
		first := accept(t, s, envelope("ep_1"), same)[0]
		accept(t, s, envelope("ep_1"), same) // the resend of what got no 250 is stored once
		want(s, 1, 100)
		clock.at = clock.at.Add(day)
		large := accept(t, s, envelope("ep_1"), newBody(content(2<<20)))[0]
		both := envelope("ep_1")
		other := both.Recipients[0]
		other.Account, other.Path.LocalPart, other.Endpoints = "acc_2", "other", []string{"ep_2"}
		both.Recipients = append(both.Recipients, other)
		accept(t, s, both, newBody(content(10)))
		want(s, 3, 100+2<<20+10)
		if _, err := s.Erase(t.Context(), storage.Erasure{Message: large}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Erase(t.Context(), storage.Erasure{Message: large}); err != nil { // it counts once
			t.Fatal(err)
		}
		want(s, 3, 110)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, config)
		want(s, 3, 110)
		for _, d := range due(t, s, "ep_1") {
			c := attempt(d)
			c.Summary = &storage.Summary{Attachments: []storage.AttachmentBlob{}}
			if err := complete(s, c); err != nil {
				t.Fatal(err)
			}
		}
		clock.at = clock.at.Add(40 * day)
		sweep(t, s, storage.Retention{Messages: 10 * day})
		if _, err := s.Mail(t.Context(), first); err == nil {
			t.Error("the message is still there")
		}
		want(s, 0, 0)
	})
}

// TestStockIsCountedAfresh: what a program wrote that does not know of the count, as beside one that is brought forward, is counted in,
// once, whoever writes and counts meanwhile.
func TestStockIsCountedAfresh(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s := open(t, config)
		for range 5 {
			accept(t, s, envelope("ep_1"), newBody(content(100)))
		}
		damage(t, config, "DELETE FROM stock")
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					accept(t, s, envelope("ep_1"), newBody(content(7)))
				}
			}
		}()
		counting := make(chan error, 2)
		for range cap(counting) {
			go func() { counting <- s.CountStock(t.Context()) }()
		}
		for range cap(counting) {
			if err := <-counting; err != nil {
				t.Error(err)
			}
		}
		close(stop)
		<-stopped
		stockIsExact(t, config)

		// A day that was counted is left alone until it is over, and then for a week.
		damage(t, config, "UPDATE stock SET octets = octets + 1")
		known := func() (n int64) {
			t.Helper()
			if err := s.CountStock(t.Context()); err != nil {
				t.Fatal(err)
			}
			list, err := s.Stocks(t.Context(), "")
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			return list[0].Octets
		}
		wrong := known()
		for _, later := range []struct {
			by    time.Duration
			right bool
		}{{time.Hour, false}, {13 * time.Hour, true}} {
			clock.at = clock.at.Add(later.by)
			if got := known(); (got != wrong) != later.right {
				t.Errorf("after %v more: %d octets, and %d before", later.by, got, wrong)
			}
		}
		stockIsExact(t, config)
		damage(t, config, "UPDATE stock SET octets = octets + 1")
		wrong = known()
		clock.at = clock.at.Add(7 * day)
		if got := known(); got == wrong {
			t.Error("a day is never counted again")
		}
		stockIsExact(t, config)
	})
}

// stockRows gives what each writer counts of an account's day: rows are account/writer messages octets.
func stockRows(t *testing.T, config storage.Config, at time.Time) (list []string) {
	t.Helper()
	db := database(t, config)
	defer db.Close()
	rows, err := db.Query(fmt.Sprintf("SELECT account, writer, messages, octets FROM stock WHERE day = %d ORDER BY account, writer", at.UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		var writer, messages, octets int64
		if err := rows.Scan(&account, &writer, &messages, &octets); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s/%d %d %d", account, writer, messages, octets))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestStockIsFolded: what many writers counted of a day is one row of each account when the day is over, and means the same. What is removed
// later is subtracted there.
func TestStockIsFolded(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		first := clock.at.Truncate(day)
		var ids []string
		var s *storage.Store
		for range 5 { // one of 64 first writers each time, so that all five alike is one run in 16 million
			s = open(t, config)
			other := envelope()
			other.Recipients[0].Account = "acc_2"
			ids = append(ids, accept(t, s, envelope(), newBody(content(100)))...)
			accept(t, s, other, newBody(content(7)))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s = open(t, config)
		erase := func(id string) {
			t.Helper()
			if _, err := s.Erase(t.Context(), storage.Erasure{Message: id}); err != nil {
				t.Fatal(err)
			}
		}
		erase(ids[0])
		count := func(want ...string) {
			t.Helper()
			if err := s.CountStock(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := stockRows(t, config, first); !slices.Equal(got, want) {
				t.Errorf("rows %q, want %q", got, want)
			}
			stockIsExact(t, config)
		}
		loose := stockRows(t, config, first)
		if len(loose) < 4 {
			t.Fatalf("rows %q, want some of several writers", loose)
		}
		clock.at = first.Add(day + time.Hour - time.Second)
		accept(t, s, envelope(), newBody(content(5)))
		count(loose...) // servers may still write to the day
		before, err := s.Stocks(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		clock.at = clock.at.Add(time.Second)
		count("acc_1/0 5 400", "acc_2/0 5 35")
		if after, err := s.Stocks(t.Context(), ""); err != nil || !slices.Equal(after, before) {
			t.Errorf("%+v %v, want %+v as before", after, err, before)
		}
		if young := stockRows(t, config, first.Add(day)); len(young) != 1 || strings.HasPrefix(young[0], "acc_1/0 ") {
			t.Errorf("rows %q of the day that is not over, want one of the writer", young)
		}
		erase(ids[1])
		count("acc_1/0 5 300", "acc_2/0 5 35")
		clock.at = clock.at.Add(2 * time.Hour)
		last := envelope()
		last.ReceivedAt = clock.at
		accept(t, s, last, newBody(content(3)))
		clock.at = clock.at.Add(25 * time.Hour)
		sweep(t, s, storage.Retention{Messages: 26 * time.Hour}) // row by row on both engines
		if list, err := s.Stocks(t.Context(), ""); err != nil || fmt.Sprint(list) != "[{acc_1 1 3 0}]" {
			t.Errorf("%+v %v, want the last mail alone", list, err)
		}
		clock.at = clock.at.Add(day)
		count() // nothing is left
	})
}

// TestStockIsFoldedBesideALateServer: a server whose clock is late goes on counting on a day that another one folds. Nothing is lost and
// nothing counted twice, and what it adds is folded too.
func TestStockIsFoldedBesideALateServer(t *testing.T) {
	clock, late := newClock(), newClock()
	config := newConfig(t, layout{postgres: true})
	beside := newConfig(t, layout{})
	beside.Database, beside.Blobs, beside.Now = config.Database, config.Blobs, late.now
	config.Now = clock.now
	first := clock.at.Truncate(day)
	clock.at = first.Add(day + 2*time.Hour)
	s, slow := open(t, config), open(t, beside)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		both := envelope()
		other := both.Recipients[0]
		other.Account, other.Path.LocalPart = "acc_2", "other"
		both.Recipients = append(both.Recipients, other)
		for {
			select {
			case <-stop:
				return
			default:
				accept(t, slow, both, newBody(content(7)))
			}
		}
	}()
	folded := 0
	for folded < 10 {
		if err := s.CountStock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rows := stockRows(t, config, first); len(rows) > 0 && strings.HasPrefix(rows[0], "acc_1/0 ") {
			folded++
		}
	}
	close(stop)
	<-stopped
	if err := s.CountStock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows := stockRows(t, config, first); len(rows) != 2 {
		t.Errorf("rows %q, want one of each account", rows)
	}
	stockIsExact(t, config)
}
