package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Overview is what an operator wants to know first.
type Overview struct {
	Accepted  int64   // messages since the time asked for
	Refused   int64   // replies to peers
	Delivered int64   // attempts that succeeded
	Failed    int64   // attempts that did not
	RefusedBy []Tally // by reason, the most first
	FailedBy  []Tally // by outcome, the most first

	Waiting   int64     // deliveries that are not finished now
	Retrying  int64     // of those, with an attempt that failed
	Dead      int64     // deliveries that were given up, and not replayed
	AtLeast   bool      // Retrying and Dead are at least so many: there was too much to count
	OldestDue time.Time // of the deliveries that should have been attempted by now; zero: none is behind

	Endpoints []EndpointHealth // those that are declared, or are owed something
	Points    []Point          // one for each span, without gaps, the oldest first
}

// overviewCounts is how many rows an overview looks at to count what is retried and what is dead.
const overviewCounts = 100_000

// Tally is how often something happened.
type Tally struct {
	Name string
	N    int64
}

// Point is what happened in one span of time.
type Point struct {
	At                                           time.Time // its beginning
	Accepted, Refused, Delivered, Failed, Octets int64
	Took                                         []Tally // attempts by the bound of their duration in milliseconds, in its order
}

// EndpointHealth is how an endpoint has fared since the time asked for.
type EndpointHealth struct {
	KnownEndpoint
	DueAt                   time.Time // of its oldest delivery; zero: nothing is owed
	Delivered, Failed, Dead int64
	Retrying                int64   // now; see Overview.AtLeast
	FailedBy                []Tally // by outcome
	Took                    []Tally // as of a Point
}

// OverviewQuery says what an overview is about.
type OverviewQuery struct {
	Account  string        // id; empty: everything, for the operator alone
	Endpoint string        // id: points of it alone
	Since    time.Time     // zero: an hour ago
	Span     time.Duration // of a point: TallyMinute, which is kept for a day, or TallyHour; 0: what suits Since
}

// span is that of the points.
func (q *OverviewQuery) setDefaults(now time.Time) {
	if q.Since.IsZero() {
		q.Since = now.Add(-time.Hour)
	}
	if q.Span != TallyMinute && q.Span != TallyHour {
		q.Span = TallyMinute
		if now.Sub(q.Since) > 6*time.Hour {
			q.Span = TallyHour
		}
	}
}

// Overview counts what happened since a time, and what waits now. It costs what there is to count, up to a bound;
// [Store.RecentOverview] is for every request of many people.
func (s *Store) Overview(ctx context.Context, q OverviewQuery) (*Overview, error) {
	now := s.cfg.Now()
	q.setDefaults(now)
	o := &Overview{}
	for _, read := range []func(context.Context, *OverviewQuery, time.Time, *Overview) error{s.readPoints, s.readHealth, s.readWaiting} {
		if err := read(ctx, &q, now, o); err != nil {
			return nil, fmt.Errorf("read overview: %w", err)
		}
	}
	return o, nil
}

// tallied narrows a selection from tally to the query.
func (q *OverviewQuery) tallied(text string) selection {
	sel := selection{text: text}
	sel.where(true, "span = ? AND at >= ?", q.Span.Milliseconds(), spanOf(q.Since.UnixMilli(), q.Span))
	sel.where(q.Account != "", "(account = ? OR endpoint IN (SELECT id FROM endpoint WHERE account = ?))", q.Account, q.Account)
	sel.where(q.Endpoint != "", "endpoint = ?", q.Endpoint)
	return sel
}

// readPoints fills in what happened.
func (s *Store) readPoints(ctx context.Context, q *OverviewQuery, now time.Time, o *Overview) error {
	first := spanOf(q.Since.UnixMilli(), q.Span)
	for at := first; at <= now.UnixMilli(); at += q.Span.Milliseconds() {
		o.Points = append(o.Points, Point{At: time.UnixMilli(at)})
	}
	sel := q.tallied("SELECT at, name, sum(n) FROM tally")
	rows, err := s.read.QueryContext(ctx, sel.text+" GROUP BY at, name", sel.args...)
	if err != nil {
		return err
	}
	refused, failed := map[string]int64{}, map[string]int64{}
	took := make([]map[string]int64, len(o.Points))
	err = each(rows, func() error {
		var at, n int64
		var name string
		if err := rows.Scan(&at, &name, &n); err != nil {
			return err
		}
		i := int((at - first) / q.Span.Milliseconds())
		if i < 0 || i >= len(o.Points) {
			return nil // a clock that was set back
		}
		if bound, ok := strings.CutPrefix(name, TallyTook); ok {
			if took[i] == nil {
				took[i] = map[string]int64{}
			}
			took[i][bound] += n
			return nil
		}
		o.note(&o.Points[i], name, n, refused, failed)
		return nil
	})
	for i := range took {
		o.Points[i].Took = tookTallies(took[i])
	}
	o.RefusedBy, o.FailedBy = sortedTallies(refused), sortedTallies(failed)
	return err
}

// note counts one row of the tally.
func (o *Overview) note(p *Point, name string, n int64, refused, failed map[string]int64) {
	switch name {
	case TallyAccepted:
		p.Accepted += n
		o.Accepted += n
	case TallyOctets:
		p.Octets += n
	case TallyDelivered:
		p.Delivered += n
		o.Delivered += n
	}
	if reason, ok := strings.CutPrefix(name, TallyRefused); ok {
		p.Refused += n
		o.Refused += n
		refused[reason] += n
	}
	if outcome, ok := strings.CutPrefix(name, TallyFailed); ok {
		p.Failed += n
		o.Failed += n
		failed[outcome] += n
	}
}

// readHealth fills in the endpoints.
func (s *Store) readHealth(ctx context.Context, q *OverviewQuery, now time.Time, o *Overview) error {
	known, err := s.KnownEndpoints(ctx)
	if err != nil {
		return err
	}
	heads, err := s.Lanes(ctx)
	if err != nil {
		return err
	}
	due := make(map[string]time.Time, len(heads))
	for _, h := range heads {
		due[h.Endpoint] = h.DueAt
	}
	at := map[string]int{}
	for _, e := range known {
		if q.Account != "" && e.Account != q.Account || q.Endpoint != "" && e.ID != q.Endpoint || !e.Declared && e.Pending == 0 {
			continue
		}
		at[e.ID] = len(o.Endpoints)
		o.Endpoints = append(o.Endpoints, EndpointHealth{KnownEndpoint: e, DueAt: due[e.ID]})
		if head := due[e.ID]; !head.IsZero() && head.Before(now) && (o.OldestDue.IsZero() || head.Before(o.OldestDue)) {
			o.OldestDue = head
		}
		o.Waiting += e.Pending
	}
	sel := q.tallied("SELECT endpoint, name, sum(n) FROM tally")
	sel.where(true, "endpoint > ''")
	rows, err := s.read.QueryContext(ctx, sel.text+" GROUP BY endpoint, name ORDER BY name", sel.args...)
	if err != nil {
		return err
	}
	took := map[string]map[string]int64{}
	err = each(rows, func() error {
		var endpoint, name string
		var n int64
		if err := rows.Scan(&endpoint, &name, &n); err != nil {
			return err
		}
		i, ok := at[endpoint]
		if !ok {
			return nil
		}
		if bound, ok := strings.CutPrefix(name, TallyTook); ok {
			if took[endpoint] == nil {
				took[endpoint] = map[string]int64{}
			}
			took[endpoint][bound] += n
			return nil
		}
		o.Endpoints[i].note(name, n)
		return nil
	})
	for endpoint, counts := range took {
		o.Endpoints[at[endpoint]].Took = tookTallies(counts)
	}
	return err
}

func (e *EndpointHealth) note(name string, n int64) {
	switch name {
	case TallyDelivered:
		e.Delivered += n
	case TallyDead:
		e.Dead += n
	}
	if outcome, ok := strings.CutPrefix(name, TallyFailed); ok {
		e.Failed += n
		e.FailedBy = append(e.FailedBy, Tally{outcome, n})
	}
}

// readWaiting counts what an index gives, up to a bound.
func (s *Store) readWaiting(ctx context.Context, q *OverviewQuery, _ time.Time, o *Overview) error {
	retrying := map[string]int64{}
	for _, c := range []struct {
		from, among, is string
		count           func(endpoint string, n int64)
	}{
		{"delivery", "1 = 1", "attempts > 0", func(endpoint string, n int64) {
			o.Retrying += n
			retrying[endpoint] = n
		}},
		{"delivery_result", "state = 'dead'", "replayed_by IS NULL", func(_ string, n int64) { o.Dead += n }},
	} {
		sel := selection{text: "SELECT endpoint, CASE WHEN " + c.is + " THEN 1 ELSE 0 END AS counts FROM " + c.from}
		sel.where(true, c.among)
		sel.where(q.Account != "", "endpoint IN (SELECT id FROM endpoint WHERE account = ?)", q.Account)
		sel.where(q.Endpoint != "", "endpoint = ?", q.Endpoint)
		rows, err := s.read.QueryContext(ctx, "SELECT endpoint, count(*), sum(counts) FROM ("+sel.text+" LIMIT ?) AS bounded GROUP BY endpoint",
			append(sel.args, overviewCounts)...)
		if err != nil {
			return err
		}
		var looked int64
		err = each(rows, func() error {
			var endpoint string
			var all, n int64
			err := rows.Scan(&endpoint, &all, &n)
			looked += all
			c.count(endpoint, n)
			return err
		})
		if err != nil {
			return err
		}
		o.AtLeast = o.AtLeast || looked == overviewCounts
	}
	for i := range o.Endpoints {
		o.Endpoints[i].Retrying = retrying[o.Endpoints[i].ID]
	}
	return nil
}

// sortedTallies are counts, the largest first.
func sortedTallies(counts map[string]int64) []Tally {
	list := make([]Tally, 0, len(counts))
	for name, n := range counts {
		list = append(list, Tally{name, n})
	}
	slices.SortFunc(list, func(a, b Tally) int {
		if a.N != b.N {
			return int(min(max(b.N-a.N, -1), 1))
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// tookTallies are counts by a bound, the smallest bound first.
func tookTallies(counts map[string]int64) []Tally {
	var list []Tally
	for _, name := range tookNames() {
		if n := counts[name]; n > 0 {
			list = append(list, Tally{name, n})
		}
	}
	return list
}
