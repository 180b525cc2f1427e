package storage

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStatementsUseTheirIndexes asks SQLite how it would run what runs often: a scan would make it slow with a large store.
func TestStatementsUseTheirIndexes(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	whose, _ := among(" AND m.account IN (", []string{"acc_1", "acc_2"})
	statements := map[string]string{
		"delete keys":       deleteKeys.text(8),
		"delete keys of":    deleteKeysOf.text(8),
		"insert results":    insertResults.text(8),
		"delete deliveries": deleteDeliveries.text(8),
		"delete parsings":   deleteParsings.text(8),
		"reschedule":        reschedule,
		"select key":        selectKey,
		"begin parse":       beginParse,
		"remove attempts":   pruneAttempts.removal(8),
		"remove results":    pruneResults.removal(8),
		"remove keys":       pruneDedupe.removal(8),
		"find attempts":     pruneAttempts.find,
		"find results":      pruneResults.find,
		"find old keys":     pruneDedupe.find,
		"find attachments":  fmt.Sprintf(selectOldAttachments, ""),
		"attachments of":    fmt.Sprintf(selectOldAttachments, whose),
		"find claimed":      selectClaimed,
		"due":               selectDue,
		"find expired":      selectExpired,
		"open replays":      openReplays,
		"answered":          selectAnswered,
		"bound notices":     boundNotices,
		"take up":           takeUp,
		"withdraw":          withdrawHeld,
		"deliver held":      deliverHeld,
		"forget key":        forgetKey,
		"find result":       selectDelivered,
		"advance":           advance + "message = ? AND endpoint = ?",
		"mail":              selectMail + "WHERE m.id = ?",
		"mails":             selectMail + "WHERE m.id IN (SELECT value FROM json_each(?))",
		"messages":          selectMail + "WHERE m.id < ? ORDER BY m.id DESC LIMIT ?",
	}
	for name, f := range map[string]*DeliveryFilter{
		"deliveries of a message": {Message: "msg_1"},
		"one delivery":            {ID: deliveryIDOf(newID(messagePrefix, time.Now()))},
		"dead deliveries":         {State: StateDead},
		"a page of deliveries":    {Before: &DeliveryRow{}},
	} {
		statements[name], _ = f.query()
	}
	small := []string{"delivery_result_dead", "summary_going", "replay_open", "SCAN notice"} // they hold nothing but what is looked for
	for name, text := range statements {
		err := s.do(t.Context(), func(w *writer) error {
			return w.query(func(row []driver.Value) error {
				plan := row[3].(string)
				scan := strings.HasPrefix(plan, "SCAN") && !strings.Contains(plan, "VALUES CLAUSE") && !strings.Contains(plan, "json_each") && !slices.ContainsFunc(small, func(index string) bool { return strings.Contains(plan, index) })
				if scan || strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%s: %s", name, plan)
				}
				return nil
			}, "EXPLAIN QUERY PLAN "+text, make([]driver.Value, strings.Count(text, "?"))...)
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
