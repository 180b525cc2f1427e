package storage_test

import (
	"fmt"
	"maps"
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
