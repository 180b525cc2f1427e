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

// partitioned are the tables that PostgreSQL keeps in a partition for each day, by the id of a message.
var partitioned = []string{"message", "summary", "delivery_result", "attempt"}

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
		missing, err := missingPartitions(w, day)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			continue
		}
		err = w.transact(func() error {
			if _, err := w.exec("SELECT pg_advisory_xact_lock(?)", int64(schemaLock)); err != nil {
				return err
			}
			missing, err := missingPartitions(w, day)
			if err != nil || len(missing) == 0 {
				return err
			}
			return w.script(partitionScript(day, missing))
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

// partitions calls each with the name of every partition of a table, the oldest first.
func partitions(w *writer, table string, each func(name string)) error {
	return w.query(func(row []driver.Value) error {
		name, _ := row[0].(string)
		each(name)
		return nil
	}, "SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = CAST(CAST(? AS text) AS regclass) ORDER BY c.relname", table)
}

// missingPartitions are the tables without a partition for the day.
func missingPartitions(w *writer, day time.Time) (tables []string, err error) {
	for _, table := range partitioned {
		there := false
		err := partitions(w, table, func(name string) { there = there || name == partitionName(table, day) })
		if err != nil {
			return nil, err
		}
		if !there {
			tables = append(tables, table)
		}
	}
	return tables, nil
}

func partitionScript(day time.Time, tables []string) string {
	var b strings.Builder
	low, high := firstMessageID(day), firstMessageID(day.AddDate(0, 0, 1))
	for _, table := range tables {
		name := partitionName(table, day)
		fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS);\n", name, table)
		fmt.Fprintf(&b, "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s');\n", table, name, low, high)
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
