package storage

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage/lease"
)

const (
	// memberSilent is how long nothing may have been heard of a process that serves. Each says something every [MemberEvery].
	memberSilent = 15 * time.Second
	// memberLate is when a process that says something looks whether another has taken it for dead: sooner than that may be, by more than
	// it may take to say something.
	memberLate = 9 * time.Second
	// memberForgotten is when its row goes.
	memberForgotten = time.Minute
	// MemberEvery is the pause between two times that a process says that it serves.
	MemberEvery = 5 * time.Second
	// enrolEvery is the pause between two looks at a process that may be dead.
	enrolEvery = time.Second
)

// Member is a process that serves on a database that nodes share.
type Member struct {
	ID        string // of the process; [Store.Enrol] makes it
	Name      string // for people
	Version   string
	Roles     []string
	StartedAt time.Time
	Reasons   []string // why it takes no mail
	Warnings  []string
	Epoch     int64 // of its lease; 0: it has none

	// What follows is read only.

	Silent     time.Duration // since it last said something, by the clock of the database
	LeaseLeft  time.Duration // 0: it has none, or it has run out
	Lanes      int           // that it owns
	KeepsHouse bool          // it does what one node at a time does for all
}

// IsSilent says that nothing was heard of the process for so long that it may have died.
func (m *Member) IsSilent() bool { return m.Silent > memberSilent }

// Enrol enters this process among those that serve, gives it an id and its start the database's time. Where raw messages lie in the data folder of this node, or in
// that of one that serves already, the others could not read them: then the error Is [ErrAlone]. A process that may have died is
// waited for, until it says something or has been silent for too long. An error that Is [ErrMoved] says that the store has moved. Enrol is
// for a store that is Shared.
func (s *Store) Enrol(ctx context.Context, m *Member) error {
	m.ID = newID(memberPrefix, s.cfg.Now())
	seen := map[string]int64{}
	for {
		others, err := s.enrol(ctx, m)
		if err != nil {
			return fmt.Errorf("enter this node among those that serve: %w", err)
		}
		if len(others) == 0 {
			return nil
		}
		for _, o := range others {
			if before, known := seen[o.id]; known && before != o.seenAt {
				return o.inTheWay()
			}
			seen[o.id] = o.seenAt
		}
		timer := time.NewTimer(enrolEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// other is a process that this one cannot work beside.
type other struct {
	id, name string
	seenAt   int64
}

func (o *other) inTheWay() error {
	return fmt.Errorf("%w: %s serves on this database; more than one node needs storage.blobs: s3, with packs_in_blobs", ErrAlone, o.name)
}

// enrol enters the process unless there are others in the way.
func (s *Store) enrol(ctx context.Context, m *Member) (others []other, err error) {
	err = s.lease(ctx, func(w *writer) error {
		others = nil
		// The lock of all begins: two that start at once see each other.
		if _, err := w.exec("UPDATE node_epoch SET last = last"); err != nil {
			return err
		}
		now, err := s.databaseNow(w)
		if err != nil {
			return err
		}
		if _, err := w.exec("DELETE FROM member WHERE place = ? AND place > ''", s.place); err != nil { // it is this process's now
			return err
		}
		if others, err = s.othersBeside(w, m, now); err != nil || len(others) > 0 {
			return err
		}
		m.StartedAt = time.UnixMilli(now)
		if err := s.writeMember(w, m, now); err != nil {
			return err
		}
		if err := forgetTold(w); err != nil {
			return err
		}
		return s.stays(w)
	})
	if err == nil && len(others) == 0 && s.feed.relay != nil {
		s.feed.relay.begin(m.ID, m.Name)
	}
	return others, err
}

// othersBeside gives the processes that serve and that this one cannot work beside.
func (s *Store) othersBeside(w *writer, m *Member, now int64) (others []other, err error) {
	err = w.query(func(row []driver.Value) error {
		others = append(others, other{row[0].(string), row[1].(string), row[2].(int64)})
		return nil
	}, "SELECT id, name, seen_at FROM member WHERE seen_at > ? AND alone + ? > 0 AND id <> ?", now-memberSilent.Milliseconds(), s.alone(), m.ID)
	return others, err
}

// alone is 1 where raw messages lie in the data folder.
func (s *Store) alone() int64 {
	if s.cfg.PackInBlobs {
		return 0
	}
	return 1
}

// Say has an enrolled process say that it serves, and forgets those that have said nothing for a minute. One that has been silent so long
// itself, because it was stopped or the database away, that another which cannot work beside it has taken it for dead gets an error that
// Is [ErrAlone], is no longer among those that serve, and has to end; so has one that gets an error that Is [ErrMoved]: meanwhile everything
// was moved to another place.
func (s *Store) Say(ctx context.Context, m *Member) error {
	late := false
	err := s.lease(ctx, func(w *writer) error {
		now, err := s.databaseNow(w)
		if err != nil {
			return err
		}
		before, err := w.queryInt("SELECT seen_at FROM member WHERE id = ?", m.ID)
		if err != nil {
			return err
		}
		late = before < now-memberLate.Milliseconds()
		if err := s.writeMember(w, m, now); err != nil {
			return err
		}
		forgotten, err := w.exec("DELETE FROM member WHERE seen_at < ?", now-memberForgotten.Milliseconds())
		if err == nil && forgotten > 0 {
			err = forgetTold(w)
		}
		if err != nil {
			return err
		}
		return s.stays(w)
	})
	if late {
		s.wasLate.Store(true)
	}
	if err == nil && s.wasLate.Load() {
		err = s.lookAround(ctx, m)
	}
	if err != nil {
		return fmt.Errorf("say that this node serves: %w", err)
	}
	return nil
}

// lookAround looks whether another process has come in the place of this one, which has said before that it lives: who comes from now on
// sees that. While a copy is made, for which nobody begins to serve, it is put off.
func (s *Store) lookAround(ctx context.Context, m *Member) error {
	var others []other
	err := s.lease(ctx, func(w *writer) error {
		// For who comes just now, see enrol. A copy is not waited for: the lease of this node is to be renewed meanwhile.
		for _, lock := range []string{"LOCK TABLE node_epoch IN ROW EXCLUSIVE MODE NOWAIT", "UPDATE node_epoch SET last = last"} {
			if _, err := w.exec(lock); err != nil {
				return err
			}
		}
		now, err := s.databaseNow(w)
		if err == nil {
			others, err = s.othersBeside(w, m, now)
		}
		if err == nil && len(others) > 0 { // where two were late at once, the other goes on
			_, err = w.exec("DELETE FROM member WHERE id = ?", m.ID)
		}
		return err
	})
	switch {
	case isBusy(err):
		return nil
	case err == nil && len(others) > 0:
		return others[0].inTheWay()
	case err == nil:
		s.wasLate.Store(false)
	}
	return err
}

func (s *Store) writeMember(w *writer, m *Member, now int64) error {
	_, err := w.exec(`INSERT INTO member (id, place, name, version, roles, started_at, seen_at, epoch, alone, reasons, warnings)
		VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, epoch = excluded.epoch,
			reasons = excluded.reasons, warnings = excluded.warnings`,
		m.ID, s.place, m.Name, m.Version, strings.Join(m.Roles, ","), m.StartedAt.UnixMilli(), now, m.Epoch, s.alone(),
		listOf(m.Reasons), listOf(m.Warnings))
	return err
}

// Depart takes a process that ends from among those that serve.
func (s *Store) Depart(ctx context.Context, id string) error {
	err := s.lease(ctx, func(w *writer) error {
		_, err := w.exec("DELETE FROM member WHERE id = ?", id)
		return err
	})
	if err != nil {
		return fmt.Errorf("take this node from among those that serve: %w", err)
	}
	return nil
}

// selectMembers has the processes, and leases of which nothing else is known: their programs are of a version that says nothing. Whose a
// lease is its place tells at once; its epoch is in the row of the process only when that has next said something.
const selectMembers = `SELECT m.id, m.name, m.version, m.roles, m.started_at, m.seen_at, COALESCE(n.epoch, m.epoch), m.reasons, m.warnings,
		COALESCE(n.lease_until, 0), (SELECT count(*) FROM lane WHERE owner = n.epoch),
		(SELECT count(*) FROM lane WHERE owner = n.epoch AND name = 'house')
	FROM member AS m LEFT JOIN node AS n ON n.epoch = COALESCE(
		(SELECT max(own.epoch) FROM node AS own WHERE own.place = m.place AND own.place > '' AND own.started_at >= m.started_at), m.epoch)
	UNION ALL
	SELECT '', n.name, '', 'dispatch', n.started_at, n.lease_until - ?, n.epoch, '[]', '[]',
		n.lease_until, (SELECT count(*) FROM lane WHERE owner = n.epoch),
		(SELECT count(*) FROM lane WHERE owner = n.epoch AND name = 'house')
	FROM node AS n WHERE NOT EXISTS (SELECT 1 FROM member AS m WHERE m.epoch = n.epoch OR m.place = n.place AND n.place > '')
	ORDER BY 2, 5, 1`

// Members gives the processes that serve on a database that nodes share, by name. One that died stays for a minute.
func (s *Store) Members(ctx context.Context) (members []Member, err error) {
	now := s.cfg.Now().UnixMilli()
	if s.Shared() {
		if err := s.read.QueryRowContext(ctx, clock).Scan(&now); err != nil {
			return nil, fmt.Errorf("read the nodes: %w", err)
		}
	}
	rows, err := s.read.QueryContext(ctx, selectMembers, lease.TTL.Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("read the nodes: %w", err)
	}
	err = each(rows, func() error {
		var m Member
		var roles, reasons, warnings string
		var started, seen, until int64
		err := rows.Scan(&m.ID, &m.Name, &m.Version, &roles, &started, &seen, &m.Epoch, &reasons, &warnings, &until, &m.Lanes, &m.KeepsHouse)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(reasons), &m.Reasons); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(warnings), &m.Warnings); err != nil {
			return err
		}
		m.Roles, m.StartedAt = strings.Split(roles, ","), time.UnixMilli(started)
		m.Silent = max(time.Duration(now-seen)*time.Millisecond, 0)
		m.LeaseLeft = max(time.Duration(until-now)*time.Millisecond, 0)
		members = append(members, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the nodes: %w", err)
	}
	return members, nil
}
