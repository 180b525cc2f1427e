package storage

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// The spans that a tally counts by, and how long each is kept.
const (
	TallyMinute = time.Minute
	TallyHour   = time.Hour

	minutesKept = 26 * time.Hour
	hoursKept   = 92 * 24 * time.Hour
)

// The names that are counted. Refusals and failures have their reason behind a slash, durations of attempts their bound in
// milliseconds.
const (
	TallyAccepted  = "accepted"  // messages
	TallyOctets    = "octets"    // of accepted messages
	TallyRefused   = "refused/"  // and the reason, as the label of the metric has it
	TallyDelivered = "delivered" // attempts that succeeded
	TallyFailed    = "failed/"   // attempts that did not, and their outcome
	TallyDead      = "dead"      // deliveries that were given up
	TallyFiltered  = "filtered"  // deliveries
	TallyTook      = "took/"     // attempts that took no longer than so many milliseconds, and longer than the bound before
)

// tookBounds are the bounds of durations in milliseconds; the last one is for all above.
var tookBounds = []int64{10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 1 << 31}

func tookName(d time.Duration) string {
	ms := d.Milliseconds()
	for _, bound := range tookBounds {
		if ms <= bound {
			return TallyTook + strconv.FormatInt(bound, 10)
		}
	}
	return TallyTook + strconv.FormatInt(tookBounds[len(tookBounds)-1], 10)
}

// maxTallies bounds what is counted apart until it is written; beyond it endpoints, then accounts, are counted together.
const maxTallies = 80_000

// tallyKey is what is counted apart.
type tallyKey struct {
	minute                  int64 // milliseconds; in counts by the hour that of the hour
	account, endpoint, name string
}

// tallies are counts that are not written yet.
type tallies map[tallyKey]int64

func (t tallies) add(key tallyKey, n int64) {
	if _, ok := t[key]; !ok && len(t) >= maxTallies {
		key.account, key.endpoint = "", ""
	}
	t[key] += n
}

// merge adds other counts.
func (t tallies) merge(other tallies) {
	for key, n := range other {
		t[key] += n
	}
}

// hours are the counts of minutes by the hour.
func (t tallies) hours() tallies {
	hours := tallies{}
	for key, n := range t {
		key.minute = spanOf(key.minute, TallyHour)
		hours[key] += n
	}
	return hours
}

// tallyRow is a row of the table.
type tallyRow struct {
	span time.Duration
	key  tallyKey
	n    int64
}

// rows gives the counts as upsertTallies wants them: no row twice, and all nodes in one order, so that none waits for another in a
// circle.
func (t tallies) rows(span time.Duration) []tallyRow {
	rows := make([]tallyRow, 0, len(t))
	for key, n := range t {
		rows = append(rows, tallyRow{span, key, n})
	}
	slices.SortFunc(rows, func(x, y tallyRow) int {
		a, b := &x.key, &y.key
		return cmp.Or(cmp.Compare(a.minute, b.minute), cmp.Compare(a.account, b.account), cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.name, b.name))
	})
	return rows
}

var upsertTallies = &rowStatement{
	head: "INSERT INTO tally (span, at, account, endpoint, name, n) VALUES ", row: "(?,?,?,?,?,?)",
	tail:  " ON CONFLICT (span, at, account, endpoint, name) DO UPDATE SET n = tally.n + excluded.n",
	types: "bigint bigint text text text bigint",
}

// beginning of the span that a time lies in.
func spanOf(ms int64, span time.Duration) int64 { return ms - ms%span.Milliseconds() }

// tookNames are the bounds as names have them.
func tookNames() []string {
	names := make([]string, len(tookBounds))
	for i, bound := range tookBounds {
		names[i] = strconv.FormatInt(bound, 10)
	}
	return names
}
