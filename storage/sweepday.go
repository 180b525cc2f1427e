package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"
)

// wholeDays is the retention from which on rows go by whole days on PostgreSQL: up to a day late, but by emptying a partition,
// which costs nothing and leaves nothing behind for a vacuum.
const wholeDays = 48 * time.Hour

// dayTurn is how long a day is waited for; everybody who comes for it meanwhile, be it to read, waits behind that. It is shorter than the
// second of PostgreSQL's deadlock_timeout: so the wait is never looked at as a deadlock, which might end another transaction in the place
// of this one, and an autovacuum of that day, which would give way at that second, is let finish. The day goes with the next sweep.
const dayTurn = 500 * time.Millisecond

// endOf is what is old after a retention: before that time. Where rows go by whole days it is the beginning of one.
func (s *Store) endOf(now time.Time, age time.Duration) time.Time {
	end := now.Add(-age)
	if _, ok := s.engine.(*postgresEngine); ok && age >= wholeDays {
		end = end.UTC().Truncate(24 * time.Hour)
	}
	return end
}

// The conditions under which all rows of a day may go: nothing is owed for one, and each is old enough. They take the bounds of the
// day, and then the end of the retention, which for messages is that of their account.
const (
	dayIsOwed = `SELECT (SELECT count(*) FROM (SELECT 1 FROM delivery WHERE message >= ? AND message < ? LIMIT 1) AS owed)
		+ (SELECT count(*) FROM (SELECT 1 FROM held WHERE message >= ? AND message < ? LIMIT 1) AS held)`
	dayHasYoungMessage = `SELECT count(*) FROM (SELECT 1 FROM message AS m LEFT JOIN summary AS s ON s.message = m.id WHERE m.id >= ? AND m.id < ?
		AND (coalesce(s.finished_at, m.received_at) >= %s OR s.attachments <> 0) LIMIT 1) AS young`
	dayHasYoungAttempt = "SELECT count(*) FROM (SELECT 1 FROM attempt WHERE message >= ? AND message < ? AND at >= ? LIMIT 1) AS young"
	dayHasYoungResult  = "SELECT count(*) FROM (SELECT 1 FROM delivery_result WHERE message >= ? AND message < ? AND finished_at >= ? LIMIT 1) AS young"
	dayHasMessage      = "SELECT count(*) FROM (SELECT 1 FROM message WHERE id >= ? AND id < ? LIMIT 1) AS rest"
	countDayOut        = "UPDATE pack SET live = pack.live - gone.n, emptied = CASE WHEN pack.live = gone.n THEN 1 ELSE 0 END FROM (SELECT pack, count(*) AS n FROM %s GROUP BY pack) AS gone WHERE pack.key = gone.pack"
)

// tendDays makes the partitions that will be needed, empties those whose retention has ended, and drops those that are empty.
func (s *Store) tendDays(ctx context.Context, now time.Time, r Retention, terms []term, swept *Swept) error {
	if _, ok := s.engine.(*postgresEngine); !ok {
		return nil
	}
	// A connection of its own: what is waited for here nobody else shall wait for.
	w, err := newWriter(s.engine)
	if err != nil {
		return err
	}
	defer func() { _ = w.close() }()
	var messages, attempts []string
	err = makePartitions(w, daysAhead(now)...)
	if err == nil {
		err = partitions(w, "message", func(name string) { messages = append(messages, name) })
	}
	if err == nil {
		err = partitions(w, "attempt", func(name string) { attempts = append(attempts, name) })
	}
	if err != nil {
		return err
	}
	if end, ends := s.dayEnds(now, terms); !end.IsZero() {
		empty := func(w *writer, d day, swept *Swept) error { return emptyMessages(w, d, ends, swept) }
		if err := s.emptyDays(ctx, messages, end, swept, empty); err != nil {
			return err
		}
	}
	if r.Attempts >= wholeDays {
		if err := s.emptyDays(ctx, attempts, s.endOf(now, r.Attempts), swept, emptyLog); err != nil {
			return err
		}
	}
	return dropDays(w, now)
}

// dayEnds gives the time before which days may go whole at all, zero where none may, and the end of the retention of each message: a day
// goes when the last of them is old enough. Until then what is old goes row by row.
func (s *Store) dayEnds(now time.Time, terms []term) (latest time.Time, ends ends) {
	for i := range terms {
		k := &terms[i]
		end := int64(0) // for ever
		if k.messages > 0 {
			end = s.endOf(now, k.messages).UnixMilli()
		}
		if k.messages >= wholeDays && s.endOf(now, k.messages).After(latest) {
			latest = s.endOf(now, k.messages)
		}
		if k.accounts == nil {
			ends.text += "CAST(? AS BIGINT)"
			ends.args = append(ends.args, end)
			continue
		}
		ends.text += "CASE WHEN m.account IN (" + placeholders(len(k.accounts)) + ") THEN CAST(? AS BIGINT) ELSE "
		ends.close += " END"
		for _, id := range k.accounts {
			ends.args = append(ends.args, id)
		}
		ends.args = append(ends.args, end)
	}
	return latest, ends
}

// ends is an expression that gives the end of the retention of a message m, with its arguments.
type ends struct {
	text, close string
	args        []driver.Value
}

// day is a day whose rows may go.
type day struct {
	at        time.Time
	low, high string // ids of messages
	end       int64  // what is older is old enough
}

// emptyDays empties those of the partitions that lie before the end, each in a transaction of its own.
func (s *Store) emptyDays(ctx context.Context, names []string, end time.Time, swept *Swept, empty func(*writer, day, *Swept) error) error {
	for _, name := range names {
		at, err := time.Parse("20060102", name[strings.LastIndexByte(name, '_')+1:])
		if err != nil || at.AddDate(0, 0, 1).After(end) {
			continue
		}
		d := day{at: at, low: firstMessageID(at), high: firstMessageID(at.AddDate(0, 0, 1)), end: end.UnixMilli()}
		err = s.do(ctx, func(w *writer) error {
			// Whoever reads the day is let finish.
			if _, err := w.exec(fmt.Sprintf("SET LOCAL lock_timeout = %d", dayTurn.Milliseconds())); err != nil {
				return err
			}
			return empty(w, d, swept)
		})
		if isBusy(err) {
			s.cfg.Log.Debug("a day is being read and goes with the next sweep", "day", at.Format(time.DateOnly))
			continue
		}
		if err != nil {
			return fmt.Errorf("empty the day %s: %w", at.Format(time.DateOnly), err)
		}
	}
	return nil
}

// allows says whether a day has nothing of what the statement counts.
func (d *day) allows(w *writer, statement string, more ...driver.Value) (bool, error) {
	args := append([]driver.Value{d.low, d.high}, more...)
	n, err := w.queryInt(statement, args...)
	return n == 0, err
}

// isFree says whether nothing is owed for the day.
func (d *day) isFree(w *writer) (bool, error) { return d.allows(w, dayIsOwed, d.low, d.high) }

// emptyMessages removes the messages of a day, if all may go, and counts them out of their packs. Their keys go with them.
func emptyMessages(w *writer, d day, ends ends, swept *Swept) error {
	partition := partitionName("message", d.at)
	n, err := w.queryInt("SELECT count(*) FROM " + partition)
	if err != nil || n == 0 {
		return err
	}
	free, err := d.isFree(w)
	if err == nil && free {
		free, err = d.allows(w, fmt.Sprintf(dayHasYoungMessage, ends.text+ends.close), ends.args...)
	}
	if err != nil || !free {
		return err
	}
	if _, err := w.exec(fmt.Sprintf(countDayOut, partition)); err != nil {
		return err
	}
	for _, table := range []string{"parsing", "erasure"} {
		if _, err := w.exec("DELETE FROM "+table+" WHERE message >= ? AND message < ?", d.low, d.high); err != nil {
			return err
		}
	}
	if _, err := w.exec("DELETE FROM stock WHERE day = ?", d.at.UnixMilli()); err != nil {
		return err
	}
	if _, err := w.exec("TRUNCATE " + partition + ", " + partitionName("summary", d.at)); err != nil {
		return err
	}
	swept.Messages += int(n)
	return nil
}

// emptyLog removes the attempts of a day, and its results if its messages are gone.
func emptyLog(w *writer, d day, swept *Swept) error {
	free, err := d.isFree(w)
	if err == nil && free {
		free, err = d.allows(w, dayHasYoungAttempt, d.end)
	}
	if err != nil || !free {
		return err
	}
	partition := partitionName("attempt", d.at)
	n, err := w.queryInt("SELECT count(*) FROM " + partition)
	if err != nil {
		return err
	}
	if n > 0 {
		if _, err := w.exec("TRUNCATE " + partition); err != nil {
			return err
		}
		swept.Attempts += int(n)
	}
	gone, err := d.allows(w, dayHasMessage)
	if err == nil && gone {
		gone, err = d.allows(w, dayHasYoungResult, d.end)
	}
	if err != nil || !gone {
		return err
	}
	missing, err := missingPartitions(w, d.at)
	if err == nil && !slices.Contains(missing, "delivery_result") {
		_, err = w.exec("TRUNCATE " + partitionName("delivery_result", d.at))
	}
	return err
}

// dropDays drops partitions of days gone by that are empty. They are detached first, without a lock that anybody would wait for.
func dropDays(w *writer, now time.Time) error {
	before := now.UTC().AddDate(0, 0, -2)
	for _, table := range partitioned {
		var old []string
		err := partitions(w, table, func(name string) {
			if name < partitionName(table, before) {
				old = append(old, name)
			}
		})
		for _, name := range old {
			if err == nil {
				err = dropIfEmpty(w, table, name)
			}
		}
		if err != nil {
			return fmt.Errorf("drop a partition of %s: %w", table, err)
		}
	}
	return nil
}

func dropIfEmpty(w *writer, table, name string) error {
	n, err := w.queryInt("SELECT count(*) FROM (SELECT 1 FROM " + name + " LIMIT 1) AS rows")
	if err != nil || n > 0 {
		return err
	}
	// What an earlier sweep began and did not end is ended.
	pending, err := w.queryInt("SELECT count(*) FROM pg_inherits WHERE inhrelid = CAST(CAST(? AS text) AS regclass) AND inhdetachpending", name)
	if err != nil {
		return err
	}
	how := "CONCURRENTLY"
	if pending > 0 {
		how = "FINALIZE"
	}
	if _, err := w.exec("ALTER TABLE " + table + " DETACH PARTITION " + name + " " + how); err != nil {
		return err
	}
	_, err = w.exec("DROP TABLE " + name)
	return err
}
