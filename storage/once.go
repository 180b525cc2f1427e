package storage

import (
	"database/sql/driver"
	"errors"
	"slices"
)

// What PostgreSQL takes no more than once in one statement.

// firstWith gives the id that stands behind the key of a message. Where another node has retired the key since it was found taken, the
// message is the first one again.
func (t *transaction) firstWith(m *incoming) (id string, err error) {
	for range 3 {
		id, err = t.queryText(selectKey, m.dedupe[:])
		if err != nil || id != "" {
			return id, err
		}
		if _, err := t.execRows(insertKeys, []driver.Value{m.dedupe[:], m.mail.ID, t.now.UnixMilli()}); err != nil {
			return "", err
		}
	}
	return "", errors.New("the dedupe key comes and goes")
}

// insertKeys inserts keys together. PostgreSQL takes no key twice in one statement, so there the second one goes by itself.
func (t *transaction) insertKeys(args []driver.Value) (changed int64, err error) {
	if !t.postgres() {
		return t.execRows(insertKeys, args)
	}
	seen := make(map[string]bool, len(args)/3)
	var once, again []driver.Value
	for row := range slices.Chunk(args, 3) {
		key := string(row[0].([]byte))
		if !seen[key] {
			seen[key] = true
			once = append(once, row...)
		} else {
			again = append(again, row...)
		}
	}
	changed, err = t.execRows(insertKeys, once)
	for row := range slices.Chunk(again, 3) {
		n := int64(0)
		if err == nil {
			n, err = t.execRows(insertKeys, row)
		}
		changed += n
	}
	return changed, err
}

// appendSummary adds a row of a summary, or to the one of the same message what the second one would change: PostgreSQL takes no
// message twice in one statement.
func appendSummary(rows []driver.Value, message string, finished, summary driver.Value, attachments int64) []driver.Value {
	for row := range slices.Chunk(rows, 4) {
		if row[0] != message {
			continue
		}
		if finished != nil {
			row[1] = finished
		}
		if row[2] == nil {
			row[2] = summary
		}
		row[3] = max(row[3].(int64), attachments)
		return rows
	}
	return append(rows, message, finished, summary, attachments)
}
