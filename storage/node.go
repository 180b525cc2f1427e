package storage

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/letterhook/letterhook/storage/lease"
)

// The rules that these statements follow, and why they suffice, stand in the package lease. Times are the database's.

// clock is the database's time in milliseconds. On SQLite it is that of the process, the only one that writes.
const clock = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"

var (
	// keepNode keeps the row of a node from being deleted until the transaction ends, and so its lanes from becoming another's.
	keepNode = forms{"SELECT epoch FROM node WHERE epoch = ?", "SELECT epoch FROM node WHERE epoch = ? FOR KEY SHARE"}
	// deadNodes passes over a node that holds its row: it was stopped amid a transaction, and the server ends that soon. To wait for it
	// would keep the node that buries from renewing its own lease.
	deadNodes = forms{
		"DELETE FROM node WHERE lease_until < ? RETURNING epoch",
		`DELETE FROM node WHERE epoch = ANY (ARRAY(SELECT epoch FROM node WHERE lease_until < ? FOR UPDATE SKIP LOCKED)) RETURNING epoch`,
	}
	// formerNodes are what processes that have ended have left at a place. One that still has a transaction is left to run out.
	formerNodes = forms{
		"DELETE FROM node WHERE place = ? AND place > '' RETURNING epoch",
		`DELETE FROM node WHERE epoch = ANY (ARRAY(SELECT epoch FROM node WHERE place = ? AND place > '' FOR UPDATE SKIP LOCKED)) RETURNING epoch`,
	}
	wakeLanes = &rowStatement{
		head: "INSERT INTO lane (name, owner, woken_at) VALUES ", row: "(?,?,?)",
		tail: ` ON CONFLICT (name) DO UPDATE SET owner = CASE WHEN lane.owner = 0 THEN excluded.owner ELSE lane.owner END,
				woken_at = CASE WHEN lane.woken_at = 0 THEN excluded.woken_at ELSE lane.woken_at END
			WHERE lane.woken_at = 0 OR (lane.owner = 0 AND excluded.owner > 0)`, types: "text bigint bigint",
	}
	claimLanes = &rowStatement{
		head: "INSERT INTO lane (name, owner, woken_at) VALUES ", row: "(?,?,?)",
		tail: ` ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, woken_at = excluded.woken_at
			WHERE lane.owner IN (0, excluded.owner)`, types: "text bigint bigint",
	}
	takeLanes = forms{
		`UPDATE lane SET owner = ? WHERE name IN (SELECT name FROM lane WHERE owner = 0 AND woken_at > 0 AND woken_at <= ?
			ORDER BY woken_at, name LIMIT ?)`,
		`UPDATE lane SET owner = ? WHERE name = ANY (ARRAY(SELECT name FROM lane WHERE owner = 0 AND woken_at > 0 AND woken_at <= ?
			ORDER BY woken_at, name LIMIT ? FOR UPDATE SKIP LOCKED))`,
	}
	// clearLanes passes over lanes that are being woken: their nodes may wait for lanes that this transaction has woken, and it must not
	// wait for them in turn. They are seen the next time.
	clearLanes = forms{
		"UPDATE lane SET woken_at = 0 WHERE owner = ? AND woken_at > 0 RETURNING name",
		`UPDATE lane SET woken_at = 0 WHERE name = ANY (ARRAY(SELECT name FROM lane WHERE owner = ? AND woken_at > 0 FOR UPDATE SKIP LOCKED))
			RETURNING name`,
	}
	freeLanes = forms{
		"UPDATE lane SET owner = 0, woken_at = ? WHERE owner = ? AND name IN (SELECT value FROM json_each(?))",
		"UPDATE lane SET owner = 0, woken_at = ? WHERE owner = ? AND name = ANY (ARRAY(SELECT json_array_elements_text(?::json)))",
	}
	forgetLanes = forms{
		"DELETE FROM lane WHERE owner = ? AND woken_at = 0 AND name IN (SELECT value FROM json_each(?))",
		"DELETE FROM lane WHERE owner = ? AND woken_at = 0 AND name = ANY (ARRAY(SELECT json_array_elements_text(?::json)))",
	}
	ownLanes = forms{
		"SELECT name FROM lane WHERE owner = ? AND name IN (SELECT value FROM json_each(?))",
		"SELECT name FROM lane WHERE owner = ? AND name = ANY (ARRAY(SELECT json_array_elements_text(?::json)))",
	}
)

// RenewNode renews the lease of an epoch, or begins one when epoch is 0, and frees the lanes of nodes that have died. A begin frees at
// once what a process before this one has left that had the same data folder. name is the node's, for people. An error that Is [ErrLost] says that the lease is over, one that Is [ErrMoved] that nobody serves here any more.
func (s *Store) RenewNode(ctx context.Context, epoch int64, name string) (standing lease.Standing, err error) {
	err = s.lease(ctx, func(w *writer) error {
		standing = lease.Standing{Epoch: epoch}
		now, err := s.databaseNow(w)
		if err != nil {
			return err
		}
		until, valid := now+lease.TTL.Milliseconds(), false
		if epoch == 0 {
			standing.Epoch, standing.Buried, err = beginLease(w, name, s.place, now, until)
		} else {
			valid, err = renewLease(w, epoch, now, until)
		}
		if err != nil {
			return err
		}
		if valid { // after an outage everybody's lease has run out, and all come back
			if standing.Buried, err = bury(w, now, w.form(deadNodes), now-lease.Grace.Milliseconds()); err != nil {
				return err
			}
		}
		if err := s.stays(w); err != nil {
			return err
		}
		return w.query(func(row []driver.Value) error {
			standing.Nodes, standing.Lanes, standing.Mine = int(row[0].(int64)), int(row[1].(int64)), int(row[2].(int64))
			return nil
		}, `SELECT (SELECT count(*) FROM node), (SELECT count(*) FROM lane), (SELECT count(*) FROM lane WHERE owner = ?)`, standing.Epoch)
	})
	if err != nil {
		return lease.Standing{}, fmt.Errorf("renew the lease of this node: %w", err)
	}
	return standing, nil
}

// beginLease begins a lease and ends those from the same place, whose processes are no more. Its first statement locks: of two begins one
// is whole before the other looks, so that a process that died over its own can end nobody's lease afterwards.
func beginLease(w *writer, name, place string, now, until int64) (epoch int64, buried int, err error) {
	if epoch, err = w.queryInt("UPDATE node_epoch SET last = last + 1 RETURNING last"); err != nil {
		return 0, 0, err
	}
	if buried, err = bury(w, now, w.form(formerNodes), place); err != nil {
		return 0, 0, err
	}
	_, err = w.exec("INSERT INTO node (epoch, name, started_at, lease_until, place) VALUES (?,?,?,?,?)", epoch, name, now, until, place)
	return epoch, buried, err
}

// renewLease is valid when the lease had not run out.
func renewLease(w *writer, epoch, now, until int64) (valid bool, err error) {
	before, err := w.queryInt("SELECT lease_until FROM node WHERE epoch = ?", epoch)
	if err != nil {
		return false, err
	}
	changed, err := w.exec("UPDATE node SET lease_until = ? WHERE epoch = ?", until, epoch)
	if err == nil && changed == 0 {
		err = ErrLost
	}
	return before >= now, err
}

// bury deletes nodes by a statement that gives their epochs, and frees their lanes.
func bury(w *writer, now int64, which string, args ...driver.Value) (buried int, err error) {
	var dead []int64
	err = w.query(func(row []driver.Value) error {
		dead = append(dead, row[0].(int64))
		return nil
	}, which, args...)
	if err != nil {
		return 0, err
	}
	for _, epoch := range dead {
		if err := freeAll(w, epoch, now); err != nil {
			return 0, err
		}
	}
	return len(dead), nil
}

func freeAll(w *writer, epoch, now int64) error {
	_, err := w.exec("UPDATE lane SET owner = 0, woken_at = ? WHERE owner = ?", now, epoch)
	return err
}

// LeaveNode ends the lease of an epoch and frees its lanes at once. It is for a node that has nothing in flight.
func (s *Store) LeaveNode(ctx context.Context, epoch int64) error {
	err := s.lease(ctx, func(w *writer) error {
		now, err := s.databaseNow(w)
		if err != nil {
			return err
		}
		if _, err := w.exec("DELETE FROM node WHERE epoch = ?", epoch); err != nil {
			return err
		}
		return freeAll(w, epoch, now)
	})
	if err != nil {
		return fmt.Errorf("end the lease of this node: %w", err)
	}
	return nil
}

// TurnLanes does what the node wishes, and gives the lanes of its own that may have work, sorted: those that it has just got, those
// that were woken, and all of them if that is its wish. An error that Is [ErrLost] says that its lease is over.
func (s *Store) TurnLanes(ctx context.Context, epoch int64, wishes lease.Wishes) (mine []string, err error) {
	err = s.lease(ctx, func(w *writer) error {
		mine = nil
		now, err := s.databaseNow(w)
		if err != nil {
			return err
		}
		if quiet, err := isQuiet(w, epoch, now, &wishes); err != nil || quiet {
			return err
		}
		if found, err := w.queryInt(w.form(keepNode), epoch); err != nil || found == 0 {
			return orLost(err)
		}
		if _, err := w.execRows(wakeLanes, laneRows(wishes.Wake, epoch, now)); err != nil {
			return err
		}
		if _, err := w.execRows(claimLanes, laneRows(wishes.Claim, epoch, now)); err != nil {
			return err
		}
		if wishes.Take > 0 {
			if _, err := w.exec(w.form(takeLanes), epoch, now-wishes.Spare.Milliseconds(), int64(wishes.Take)); err != nil {
				return err
			}
		}
		add := func(row []driver.Value) error {
			mine = append(mine, row[0].(string))
			return nil
		}
		if err := w.query(add, w.form(clearLanes), epoch); err != nil {
			return err
		}
		if wishes.All {
			mine = nil
			return w.query(add, "SELECT name FROM lane WHERE owner = ?", epoch)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for lanes: %w", err)
	}
	slices.Sort(mine)
	return mine, nil
}

// isQuiet looks whether a turn has anything to do, without a lock: a lock is a write, and a node at rest should make none.
func isQuiet(w *writer, epoch, now int64, wishes *lease.Wishes) (bool, error) {
	if len(wishes.Wake)+len(wishes.Claim) > 0 || wishes.All {
		return false, nil
	}
	found, err := w.queryInt(`SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM node WHERE epoch = ?) THEN 2
		WHEN EXISTS (SELECT 1 FROM lane WHERE owner = ? AND woken_at > 0) THEN 1
		WHEN EXISTS (SELECT 1 FROM lane WHERE owner = 0 AND woken_at > 0 AND woken_at <= ?) THEN 1 ELSE 0 END`,
		epoch, epoch, now-wishes.Spare.Milliseconds())
	if err == nil && found == 2 {
		err = ErrLost
	}
	return found == 0, err
}

func orLost(err error) error {
	if err != nil {
		return err
	}
	return ErrLost
}

// laneRows are the rows of lanes, in an order in which everybody locks them.
func laneRows(names []string, epoch, now int64) []driver.Value {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	rows := make([]driver.Value, 0, 3*len(names))
	for _, name := range names {
		rows = append(rows, name, epoch, now)
	}
	return rows
}

// WakeLanes tells the owners of lanes that they have got work. A lane that nobody owns waits for somebody to take it.
func (s *Store) WakeLanes(ctx context.Context, names []string) error {
	err := s.lease(ctx, func(w *writer) error {
		now, err := s.databaseNow(w)
		if err == nil {
			_, err = w.execRows(wakeLanes, laneRows(names, 0, now))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wake lanes: %w", err)
	}
	return nil
}

// ReleaseLanes frees lanes of a node, which must have nothing of them in flight or unrecorded. Those that are idle are forgotten,
// unless they were woken meanwhile. It gives those of the lanes that are the node's no more.
func (s *Store) ReleaseLanes(ctx context.Context, epoch int64, names []string, idle bool) (released []string, err error) {
	list := listOf(names)
	err = s.lease(ctx, func(w *writer) error {
		now, err := s.databaseNow(w)
		if err != nil {
			return err
		}
		if idle {
			_, err = w.exec(w.form(forgetLanes), epoch, list)
		} else {
			_, err = w.exec(w.form(freeLanes), now, epoch, list)
		}
		if err != nil {
			return err
		}
		kept, err := ownedOf(w, epoch, list)
		released = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return kept[name] })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("release lanes: %w", err)
	}
	return released, nil
}

// listOf is a list as the statements above take it.
func listOf(names []string) string {
	list, err := json.Marshal(names)
	if err != nil {
		return "[]" // there is no text that it cannot write
	}
	return string(list)
}

// ownedOf gives those lanes of a list that the epoch owns.
func ownedOf(w *writer, epoch int64, list string) (owned map[string]bool, err error) {
	owned = map[string]bool{}
	err = w.query(func(row []driver.Value) error {
		owned[row[0].(string)] = true
		return nil
	}, w.form(ownLanes), epoch, list)
	return owned, err
}
