package storage

import (
	"context"
	"fmt"
	"time"
)

// Usage is what happened to the mail of an account on one day.
type Usage struct {
	Account   string // id; empty: counted together, where there was too much to count each
	Day       time.Time
	Messages  int64 // accepted
	Octets    int64 // of them
	Delivered int64 // attempts that succeeded
	Dead      int64 // deliveries that were given up
	Filtered  int64 // deliveries
}

// Deliveries are counted by their endpoint alone, and so is mail that it decided about. Its account is known for ever: an endpoint that is
// removed keeps its row. A replay with a URL of its own stands in the place of one and has none, so it is counted with its account.
const selectUsage = `SELECT COALESCE(e.account, t.account), t.at / 86400000, t.name, CAST(sum(t.n) AS BIGINT)
	FROM tally AS t LEFT JOIN endpoint AS e ON e.id = t.endpoint
	WHERE t.span = ? AND t.at >= ? AND t.at < ? AND t.name IN ('accepted', 'octets', 'delivered', 'dead', 'filtered')`

// Usage sums what was counted from a day on up to another one, both in UTC, by day and account. With an account, by its id, it is of
// that alone. What is older than 92 days is not known any more.
func (s *Store) Usage(ctx context.Context, account string, from, until time.Time) ([]Usage, error) {
	text, args := selectUsage, []any{TallyHour.Milliseconds(), from.UnixMilli(), until.UnixMilli()}
	if account != "" {
		text, args = text+" AND COALESCE(e.account, t.account) = ?", append(args, account)
	}
	rows, err := s.read.QueryContext(ctx, text+" GROUP BY 1, 2, 3 ORDER BY 2, 1", args...)
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	var list []Usage
	err = each(rows, func() error {
		var of, name string
		var day, n int64
		if err := rows.Scan(&of, &day, &name, &n); err != nil {
			return err
		}
		at := time.UnixMilli(day * 24 * time.Hour.Milliseconds()).UTC()
		if last := len(list) - 1; last < 0 || list[last].Account != of || !list[last].Day.Equal(at) {
			list = append(list, Usage{Account: of, Day: at})
		}
		u := &list[len(list)-1]
		switch name {
		case TallyAccepted:
			u.Messages = n
		case TallyOctets:
			u.Octets = n
		case TallyDelivered:
			u.Delivered = n
		case TallyDead:
			u.Dead = n
		case TallyFiltered:
			u.Filtered = n
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	return list, nil
}
