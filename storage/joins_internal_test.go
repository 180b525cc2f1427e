package storage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// planNode is a part of what EXPLAIN says that a statement did.
type planNode struct {
	Type        string     `json:"Node Type"`
	Rows        float64    `json:"Actual Rows"`
	Loops       float64    `json:"Actual Loops"`
	Filtered    float64    `json:"Rows Removed by Filter"`
	JoinRemoved float64    `json:"Rows Removed by Join Filter"`
	Rechecked   float64    `json:"Rows Removed by Index Recheck"`
	Plans       []planNode `json:"Plans"`
}

// most gives how many rows one of the parts looked at, and how often one ran, at the most.
func (n *planNode) most() (rows, loops float64) {
	rows, loops = (n.Rows+n.Filtered+n.JoinRemoved+n.Rechecked)*n.Loops, n.Loops
	for i := range n.Plans {
		r, l := n.Plans[i].most()
		rows, loops = max(rows, r), max(loops, l)
	}
	return rows, loops
}

// TestResultsLookAtTheirRowsOnce: no part of the statement that finishes a batch looks at more rows than the batch has, or runs for each
// of them, however many wait: with a plan that was made when the table was empty and is kept, and with one made for these very rows,
// before and after the planner has learnt what the table holds.
func TestResultsLookAtTheirRowsOnce(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Database: throwaway.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const batch, pending = 256, 20_000
	ids := make([]string, pending)
	for i := range ids {
		ids[i] = newID(messagePrefix, time.Now())
	}
	plans := []string{"force_generic_plan", "force_custom_plan", "force_custom_plan"}
	var conns []*pgx.Conn
	run := func(conn *pgx.Conn, text string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), text, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, plan := range plans {
		c, err := s.others[0].writer.engine.connect()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.close() })
		conn := c.(*postgresConnection).conn
		conns = append(conns, conn)
		run(conn, "VACUUM ANALYZE delivery")
		run(conn, "SET plan_cache_mode = "+plan)
		run(conn, "PREPARE finish AS "+insertResults.postgresText())
		run(conn, "EXECUTE "+finishing([]string{"msg_none"}))
	}
	run(conns[0], `INSERT INTO delivery (message, id, endpoint, part, due_at, attempts, replay, created_at)
		SELECT m, m || '_1', 'ep_1', 0, 0, 0, 0, 0 FROM unnest($1::text[]) AS m`, ids)
	for i, conn := range conns {
		if i == len(conns)-1 {
			run(conn, "ANALYZE delivery")
		}
		var text []byte
		if err := conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "+finishing(ids[i*batch:(i+1)*batch])).Scan(&text); err != nil {
			t.Fatal(err)
		}
		var explained []struct{ Plan planNode }
		if err := json.Unmarshal(text, &explained); err != nil {
			t.Fatal(err)
		}
		if rows, loops := explained[0].Plan.most(); rows != batch || loops != 1 {
			t.Errorf("%d, %s: a part looked at %.0f rows, and one ran %.0f times, for a batch of %d\n%s", i, plans[i], rows, loops, batch, text)
		}
	}
	left := 0
	if err := conns[0].QueryRow(t.Context(), "SELECT count(*) FROM delivery").Scan(&left); err != nil || left != pending-len(conns)*batch {
		t.Errorf("%d deliveries are left, %v", left, err)
	}
}

// finishing is the call of the prepared statement for messages of one delivery each.
func finishing(messages []string) string {
	var values [7][]string
	for _, m := range messages {
		for i, v := range []string{"'" + m + "'", "'" + m + "_1'", "0", "'delivered'", "''", "1", "0"} {
			values[i] = append(values[i], v)
		}
	}
	var arrays []string
	for _, list := range values {
		arrays = append(arrays, "ARRAY["+strings.Join(list, ",")+"]")
	}
	return fmt.Sprintf("finish(%s)", strings.Join(arrays, ", "))
}
