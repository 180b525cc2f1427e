package storage

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/oklog/ulid/v2"
)

// partitioned are the tables that PostgreSQL keeps in a partition for each day, by the column that names a message.
var partitioned = []struct{ table, column string }{
	{"message", "id"}, {"summary", "message"}, {"delivery_result", "message"}, {"attempt", "message"},
}

// partitionsAhead is for how many days partitions are made before they are needed.
const partitionsAhead = 3

// partitionName is that of the partition of a table for the day of a time, in UTC.
func partitionName(table string, day time.Time) string {
	return table + "_" + day.UTC().Format("20060102")
}

// makePartitions makes the partitions of the days, in a transaction of its own for each. A table is made and attached rather than
// made as a partition: that would lock the whole table against everybody.
func makePartitions(w *writer, days ...time.Time) error {
	for _, day := range days {
		day = day.UTC().Truncate(24 * time.Hour)
		there, err := hasPartitions(w, day)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		err = w.transact(func() error {
			if _, err := w.exec("SELECT pg_advisory_xact_lock(?)", int64(schemaLock)); err != nil {
				return err
			}
			if there, err := hasPartitions(w, day); there || err != nil {
				return err
			}
			return w.script(partitionScript(day))
		})
		if err != nil {
			return fmt.Errorf("make the partitions of %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// daysAhead are those for which there are to be partitions.
func daysAhead(now time.Time) (days []time.Time) {
	for i := range partitionsAhead + 1 {
		days = append(days, now.AddDate(0, 0, i))
	}
	return days
}

func hasPartitions(w *writer, day time.Time) (bool, error) {
	names := make([]driver.Value, len(partitioned))
	for i, p := range partitioned {
		names[i] = partitionName(p.table, day)
	}
	n, err := w.queryInt("SELECT count(*) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent::regclass::text = ANY (ARRAY['message', 'summary', 'delivery_result', 'attempt']) AND c.relname IN ("+
		placeholders(len(names))+")", names...)
	return n == int64(len(names)), err
}

func partitionScript(day time.Time) string {
	var b strings.Builder
	low, high := firstMessageID(day), firstMessageID(day.AddDate(0, 0, 1))
	for _, p := range partitioned {
		name := partitionName(p.table, day)
		fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS);\n", name, p.table)
		// Rows are written once and go with the table: a vacuum has nothing to win but the visibility map and the statistics.
		fmt.Fprintf(&b, "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s');\n", p.table, name, low, high)
	}
	return b.String()
}

// isWithoutPartition says that a row has no partition that it may lie in.
func isWithoutPartition(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23514" && e.ConstraintName == "" && strings.HasPrefix(e.Message, "no partition of relation")
}

// dayOf is when a message with the id was made.
func dayOf(id string) (time.Time, bool) {
	parsed, err := ulid.Parse(strings.TrimPrefix(id, messagePrefix))
	return parsed.Timestamp(), err == nil
}

// days are those of the messages of a batch.
func (b *batch) days() (days []time.Time) {
	add := func(id string) {
		if day, ok := dayOf(id); ok {
			days = append(days, day)
		}
	}
	for _, a := range b.accepts {
		for _, m := range a.messages {
			add(m.mail.ID)
		}
	}
	for _, c := range b.completions {
		add(c.Attempt.Message)
	}
	return days
}
