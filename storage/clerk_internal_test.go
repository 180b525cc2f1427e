package storage

import (
	"fmt"
	"testing"
	"time"
)

// Counts of a few endpoints are written each second, and those of thousands in larger steps: none is lost, and accounts do not wait for
// endpoints.
func TestSpreadCountsWait(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	c := newClerk(newQueue(), func() time.Time { return now })
	written := map[time.Duration]map[string]int64{TallyMinute: {}, TallyHour: {}}
	rows := 0
	count := func(endpoints int) {
		c.counts.add(tallyKey{spanOf(now.UnixMilli(), TallyMinute), "acc_1", "", TallyAccepted}, 1)
		for i := range endpoints {
			c.spread.add(tallyKey{spanOf(now.UnixMilli(), TallyMinute), "", fmt.Sprintf("ep_%d", i), TallyDelivered}, 1)
		}
	}
	write := func(all bool) {
		c.armed = true // the clock of the test is another
		for _, part := range c.parts(all, now) {
			for _, r := range part {
				written[r.span][r.key.name] += r.n
				rows++
			}
		}
	}
	count(3)
	write(false)
	if rows != 8 {
		t.Errorf("%d rows for three endpoints and an account, want 8", rows)
	}
	rows = 0
	const seconds, endpoints = 50, 2000
	for range seconds {
		now = now.Add(time.Second)
		count(endpoints)
		write(false)
	}
	if most := 2*seconds + endpoints*(seconds/10+1); rows > most {
		t.Errorf("%d rows in %d s, want %d at most", rows, seconds, most)
	}
	for _, span := range []time.Duration{TallyMinute, TallyHour} {
		if n := written[span][TallyAccepted]; n != seconds+1 {
			t.Errorf("%s: %d mails are counted, want %d", span, n, seconds+1)
		}
	}
	write(true)
	for _, span := range []time.Duration{TallyMinute, TallyHour} {
		if n := written[span][TallyDelivered]; n != seconds*endpoints+3 {
			t.Errorf("%s: %d deliveries are counted, want %d", span, n, seconds*endpoints+3)
		}
	}
}
