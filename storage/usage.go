package storage

import (
	"context"
	"fmt"
	"time"
)

// Usage is what happened to the mail of an account on one day.
type Usage struct {
	Account   string // id; empty: counted together, where there were too many accounts to count each
	Day       time.Time
	Messages  int64 // accepted
	Octets    int64 // of them
	Delivered int64 // attempts that succeeded
	Dead      int64 // deliveries that were given up
	Filtered  int64 // deliveries
}

const selectUsage = `SELECT account, at / 86400000, name, CAST(sum(n) AS BIGINT) FROM tally
	WHERE span = ? AND at >= ? AND at < ? AND name IN ('accepted', 'octets', 'delivered', 'dead', 'filtered')`

// Usage sums what was counted from a day on up to another one, both in UTC, by day and account. With an account, by its id, it is of
// that alone. What is older than 92 days is not known any more.
func (s *Store) Usage(ctx context.Context, account string, from, until time.Time) ([]Usage, error) {
	text, args := selectUsage, []any{TallyHour.Milliseconds(), from.UnixMilli(), until.UnixMilli()}
	if account != "" {
		text, args = text+" AND account = ?", append(args, account)
	}
	rows, err := s.read.QueryContext(ctx, text+" GROUP BY account, at / 86400000, name ORDER BY 2, 1", args...)
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
