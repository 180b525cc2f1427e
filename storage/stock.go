package storage

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Stock is what is stored of an account.
type Stock struct {
	Account  string // id
	Messages int64  // the tombstones of erased ones included
	Octets   int64  // of the raw messages
	Backlog  int64  // deliveries that are not finished
}

const oneDay = 24 * time.Hour

// stocked is a change of what is stored of an account by messages of one day.
type stocked struct {
	account          string
	day              int64
	messages, octets int64
}

// stockOf is the change that one message makes.
func stockOf(account, message string, messages, octets int64) stocked {
	at, _ := dayOf(message)
	return stocked{account, spanOf(at.UnixMilli(), oneDay), messages, octets}
}

var upsertStock = &rowStatement{
	head: "INSERT INTO stock (account, day, writer, messages, octets) VALUES ", row: "(?,?,?,?,?)",
	tail: ` ON CONFLICT (account, day, writer) DO UPDATE SET messages = stock.messages + excluded.messages,
		octets = stock.octets + excluded.octets`, types: "text bigint bigint bigint bigint",
}

// appendStock adds changes as upsertStock wants them: no row twice, and in one order, so that no two transactions wait for each other
// in a circle. It sorts the list.
func appendStock(args []driver.Value, list []stocked, writer int64) []driver.Value {
	slices.SortFunc(list, func(a, b stocked) int { return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.day, b.day)) })
	for start := 0; start < len(list); {
		sum := list[start]
		end := start + 1
		for ; end < len(list) && list[end].account == sum.account && list[end].day == sum.day; end++ {
			sum.messages += list[end].messages
			sum.octets += list[end].octets
		}
		args = append(args, sum.account, sum.day, writer, sum.messages, sum.octets)
		start = end
	}
	return args
}

// countOut counts messages that a rare write removes. Those take their turns on all nodes, so one writer does for all.
func (w *writer) countOut(list []stocked) error {
	_, err := w.execRows(upsertStock, appendStock(nil, list, 0))
	return err
}

const (
	// stockWriters is how many writers a store that accepts mail takes turns with. A row that every batch changed would have as many versions
	// as there were batches, for as long as a snapshot keeps them, and each change walks past all of them. More of them help little, and
	// every reader sums the rows of a day until it is folded, see foldDays.
	stockWriters = 16
	// stockPlaces is how many stores can write without one that has the writers of another.
	stockPlaces = 64
)

// newStockWriter is the first of the writers of a store that accepts mail. Two that happen to have the same one wait for each other, no more.
func newStockWriter() int64 { return 1 + stockWriters*rand.Int64N(stockPlaces) }

// Stocks gives what each account has now, those that have nothing left out, in the order of their ids. With an account it is of that
// alone. It counts the deliveries that wait, and is not for every request of many people.
func (s *Store) Stocks(ctx context.Context, account string) (list []Stock, err error) {
	if list, err = s.readStock(ctx, account); err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, k := range list {
		at[k.Account] = i
	}
	sel := selection{text: "SELECT e.account, count(*) FROM delivery AS d JOIN endpoint AS e ON e.id = d.endpoint"}
	sel.where(account != "", "e.account = ?", account)
	rows, err := s.read.QueryContext(ctx, sel.text+" GROUP BY e.account ORDER BY e.account", sel.args...)
	if err == nil {
		err = each(rows, func() error {
			var id string
			var n int64
			err := rows.Scan(&id, &n)
			if i, ok := at[id]; ok {
				list[i].Backlog = n
			} else {
				list = append(list, Stock{Account: id, Backlog: n})
			}
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read what waits: %w", err)
	}
	slices.SortFunc(list, func(a, b Stock) int { return cmp.Compare(a.Account, b.Account) })
	return list, nil
}

// readStock is Stocks without what waits.
func (s *Store) readStock(ctx context.Context, account string) (list []Stock, err error) {
	sel := selection{text: "SELECT account, CAST(sum(messages) AS BIGINT), CAST(sum(octets) AS BIGINT) FROM stock"}
	sel.where(account != "", "account = ?", account)
	rows, err := s.read.QueryContext(ctx, sel.text+" GROUP BY account HAVING sum(messages) <> 0 ORDER BY account", sel.args...)
	if err == nil {
		err = each(rows, func() error {
			var k Stock
			err := rows.Scan(&k.Account, &k.Messages, &k.Octets)
			list = append(list, k)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read what is stored: %w", err)
	}
	return list, nil
}

const (
	// countAgain is after how long a day that is over is counted once more.
	countAgain = 7 * 24 * time.Hour
	// dayIsOver is how long after its end no server writes to a day any more.
	dayIsOver = time.Hour
)

// CountStock counts the messages of days afresh that were never counted, are over since, or were counted long ago, and corrects what
// is known of them. What is known of a day that is over it puts in one row for each account. It is exact whatever is written meanwhile.
// Stopped anywhere, it goes on with the next call.
func (s *Store) CountStock(ctx context.Context) error {
	for id := ""; ; {
		var first sql.NullString
		if err := s.read.QueryRowContext(ctx, "SELECT min(id) FROM message WHERE id >= ?", id).Scan(&first); err != nil {
			return fmt.Errorf("find the next day: %w", err)
		}
		at, ok := dayOf(first.String)
		if !first.Valid || !ok {
			break
		}
		at = at.UTC().Truncate(24 * time.Hour)
		if err := s.countDay(ctx, at); err != nil {
			return fmt.Errorf("count what is stored of %s: %w", at.Format(time.DateOnly), err)
		}
		id = firstMessageID(at.AddDate(0, 0, 1))
	}
	if err := s.foldDays(ctx); err != nil {
		return fmt.Errorf("fold what is stored of days that are over: %w", err)
	}
	// What is gone needs no rows, once nobody adds to them.
	before := s.cfg.Now().Add(-2 * oneDay).UnixMilli()
	return s.do(ctx, func(w *writer) error {
		_, err := w.exec(`DELETE FROM stock WHERE day < ? AND (account, day) IN
			(SELECT account, day FROM stock GROUP BY account, day HAVING sum(messages) = 0 AND sum(octets) = 0)`, before)
		if err == nil {
			_, err = w.exec("DELETE FROM stock_day WHERE day < ? AND NOT EXISTS (SELECT 1 FROM stock WHERE stock.day = stock_day.day)", before)
		}
		return err
	})
}

// foldAtOnce bounds the days of accounts that one transaction folds: no other rare write shall wait long for it.
const foldAtOnce = 500

// foldDays puts what several writers counted of a day that is over into the one row that countOut changes from then on. The sums stay
// what they are, so it matters to nobody who counts or removes meanwhile. What a server whose clock is wrong still adds, or one of the
// version before, the next call folds.
func (s *Store) foldDays(ctx context.Context) error {
	over := s.cfg.Now().Add(-oneDay - dayIsOver).UnixMilli()
	// In the order in which mail takes the rows, see appendStock.
	rows, err := s.read.QueryContext(ctx, "SELECT DISTINCT account, day FROM stock WHERE day <= ? AND writer <> 0 ORDER BY account, day", over)
	if err != nil {
		return err
	}
	var loose []stocked
	err = each(rows, func() error {
		var k stocked
		err := rows.Scan(&k.account, &k.day)
		loose = append(loose, k)
		return err
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(loose, foldAtOnce) {
		if err := s.do(ctx, func(w *writer) error { return foldStock(w, some) }); err != nil {
			return err
		}
	}
	return nil
}

// foldStock takes what all writers counted of some days of accounts to writer 0. It sums what it deletes, not what it read before: mail that is
// counted at the same moment is in the row that is deleted, or makes a new one.
func foldStock(w *writer, days []stocked) error {
	var sums []stocked
	for _, k := range days {
		err := w.query(func(row []driver.Value) error {
			sums = append(sums, stocked{k.account, k.day, row[0].(int64), row[1].(int64)})
			return nil
		}, "DELETE FROM stock WHERE account = ? AND day = ? AND writer <> 0 RETURNING messages, octets", k.account, k.day)
		if err != nil {
			return err
		}
	}
	_, err := w.execRows(upsertStock, appendStock(nil, sums, 0))
	return err
}

// countDay counts a day if it is due.
func (s *Store) countDay(ctx context.Context, at time.Time) error {
	var millis int64
	err := s.read.QueryRowContext(ctx, "SELECT counted_at FROM stock_day WHERE day = ?", at.UnixMilli()).Scan(&millis)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	now, counted, over := s.cfg.Now(), time.UnixMilli(millis), at.Add(oneDay+dayIsOver)
	if err == nil && (now.Before(over) || !counted.Before(over)) && now.Sub(counted) < countAgain {
		return nil
	}
	changes, err := s.miscounted(ctx, at)
	if err != nil {
		return err
	}
	return s.do(ctx, func(w *writer) error {
		// Of two that counted at the same time one has corrected it already.
		if seen, err := w.queryInt("SELECT counted_at FROM stock_day WHERE day = ?", at.UnixMilli()); err != nil || seen != millis {
			return err
		}
		if err := w.countOut(changes); err != nil {
			return err
		}
		_, err := w.exec("INSERT INTO stock_day (day, counted_at) VALUES (?,?) ON CONFLICT (day) DO UPDATE SET counted_at = excluded.counted_at",
			at.UnixMilli(), now.UnixMilli())
		return err
	})
}

// miscounted compares the messages of a day with what is known of them. Both are read as they stood at one time, and were written in
// the same transactions: so the difference stays what it is.
func (s *Store) miscounted(ctx context.Context, at time.Time) (changes []stocked, err error) {
	tx, err := s.read.BeginTx(ctx, s.engine.snapshot())
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	off := map[string]*stocked{}
	read := func(sign int64, text string, args ...any) error {
		rows, err := tx.QueryContext(ctx, s.engine.text(text), args...)
		if err != nil {
			return err
		}
		return each(rows, func() error {
			var account string
			var messages, octets int64
			if err := rows.Scan(&account, &messages, &octets); err != nil {
				return err
			}
			if off[account] == nil {
				off[account] = &stocked{account: account, day: at.UnixMilli()}
			}
			off[account].messages += sign * messages
			off[account].octets += sign * octets
			return nil
		})
	}
	err = read(1, `SELECT account, count(*), CAST(coalesce(sum(CASE WHEN length(key) > 0 THEN size ELSE 0 END), 0) AS BIGINT) FROM message
		WHERE id >= ? AND id < ? GROUP BY account`, firstMessageID(at), firstMessageID(at.AddDate(0, 0, 1)))
	if err == nil {
		err = read(-1, "SELECT account, CAST(sum(messages) AS BIGINT), CAST(sum(octets) AS BIGINT) FROM stock WHERE day = ? GROUP BY account", at.UnixMilli())
	}
	for _, c := range off {
		if c.messages != 0 || c.octets != 0 {
			changes = append(changes, *c)
		}
	}
	return changes, err
}
