package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"time"
)

// pace says what a step may take.
type pace struct {
	lag    time.Duration // since the id of a message was made
	settle time.Duration // since a message came that was not parsed
	least  int           // messages
}

const (
	selectIndexed = "SELECT m.id, m.account, m.received_at, m.envelope, s.summary FROM message AS m LEFT JOIN summary AS s ON s.message = m.id"
	countBehind   = "SELECT count(*) FROM (SELECT 1 FROM message WHERE id > ? LIMIT ?) AS behind"
	selectErased  = "SELECT message FROM erasure WHERE message >= ? AND message <= ?"
)

// scanIndexed reads a row of selectIndexed.
func scanIndexed(scan func(...any) error) (*Mail, error) {
	m := &Mail{}
	var received int64
	var envelope []byte
	var summary sql.NullString
	if err := scan(&m.ID, &m.Account, &received, &envelope, &summary); err != nil {
		return nil, err
	}
	m.ReceivedAt = time.UnixMilli(received)
	return m, m.decode(envelope, summary)
}

// step indexes the next messages. n is 0 when there are too few; settled is false when one of them has to wait.
func (i *indexer) step(ctx context.Context, p pace) (n int, settled bool, err error) {
	i.work.Lock()
	defer i.work.Unlock()
	st, err := i.index.standing(ctx)
	if err != nil {
		return 0, false, err
	}
	d, settled, err := i.store.draftBehind(ctx, st.reached, p)
	if err != nil || len(d.ids) == 0 {
		return 0, settled, err
	}
	err = i.change(func(w *writer, now *standing) error {
		if now.reached != st.reached {
			return nil // somebody else was quicker
		}
		now.reached = d.ids[len(d.ids)-1].String()
		return i.write(ctx, w, now, d)
	})
	if err == nil {
		i.see(d.ids[len(d.ids)-1].String())
	}
	return len(d.ids), settled, err
}

// write makes a segment of a draft, without what was erased since it was read.
func (i *indexer) write(ctx context.Context, w *writer, st *standing, d *draft) error {
	g := d.segment()
	rows, err := i.store.read.QueryContext(ctx, selectErased, g.low, g.high)
	if err != nil {
		return err
	}
	erased := map[string]bool{}
	err = each(rows, func() error {
		var id string
		err := rows.Scan(&id)
		erased[id] = true
		return err
	})
	if err != nil {
		return err
	}
	if len(erased) > 0 {
		d.postings = slices.DeleteFunc(d.postings, func(p uint64) bool { return erased[d.ids[uint32(p)].String()] })
	}
	return i.index.insert(w, st, g, d.pages())
}

// countBehind counts the messages behind an id, up to a number.
func (s *Store) countBehind(ctx context.Context, after string, most int) (n int, err error) {
	err = s.searching().QueryRowContext(ctx, countBehind, after, most).Scan(&n)
	return n, err
}

// errEnough ends the reading of rows.
var errEnough = errors.New("that is enough")

// draftBehind reads the messages behind an id that are ready to be indexed.
func (s *Store) draftBehind(ctx context.Context, after string, p pace) (d *draft, settled bool, err error) {
	n, err := s.countBehind(ctx, after, p.least)
	if err != nil || n < p.least {
		return &draft{}, true, err
	}
	end := messagePrefix + "~"
	if p.lag > 0 {
		end = firstMessageID(time.Now().Add(-p.lag))
	}
	rows, err := s.read.QueryContext(ctx, selectIndexed+" WHERE m.id > ? AND m.id < ? ORDER BY m.id LIMIT ?", after, end, indexBatch)
	if err != nil {
		return &draft{}, false, err
	}
	d = &draft{}
	err = each(rows, func() error {
		m, err := scanIndexed(rows.Scan)
		if err != nil {
			return err
		}
		terms, whole := termsOf(m)
		if !whole && time.Since(m.ReceivedAt) < p.settle || len(d.postings) > indexPostings {
			return errEnough
		}
		d.take(m.ID, terms)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return &draft{}, false, err
	}
	if len(d.ids) < p.least {
		return &draft{}, false, nil
	}
	return d, true, nil
}

// take adds a message by its id. One with an id that is none of ours is left out.
func (d *draft) take(id string, terms []uint32) {
	if m, ok := parseMessageID(id); ok {
		d.add(m, terms)
	}
}

// learn indexes what came behind the index's back: messages that were accepted late, and those whose headers have become known.
func (i *indexer) learn(ctx context.Context, reached string) error {
	i.work.Lock()
	defer i.work.Unlock()
	i.learning.Lock()
	learnt, late, missed := i.learnt, i.late, i.missed
	i.learnt, i.missed = nil, false
	i.learning.Unlock()
	due, all, err := i.takeDue()
	if err == nil && (missed || all) {
		err = i.recheck(ctx)
	}
	if err == nil {
		passed := slices.Concat(learnt, late, due)
		err = i.relearn(ctx, slices.DeleteFunc(passed, func(id string) bool { return id > reached }))
	}
	if err == nil {
		err = i.endDue(due)
	}
	i.learning.Lock()
	if err == nil {
		i.late = i.late[len(late):]
	} else {
		i.missed = true
	}
	i.learning.Unlock()
	return err
}

// dueAll stands among what is due when somebody could not name all of it.
const dueAll = ""

// takeDue reads what other nodes have heard of.
func (i *indexer) takeDue() (ids []string, all bool, err error) {
	if i.index.path != "" {
		return nil, false, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	err = i.index.write.transact(func() error {
		return i.index.write.query(func(row []driver.Value) error {
			id, _ := row[0].(string)
			all = all || id == dueAll
			ids = append(ids, id)
			return nil
		}, "SELECT message FROM search_due ORDER BY message LIMIT ?", int64(maxLearnt))
	})
	return ids, all, err
}

// endDue forgets it.
func (i *indexer) endDue(ids []string) error {
	for chunk := range slices.Chunk(ids, pageRows) {
		err := i.change(func(w *writer, _ *standing) error {
			args := make([]driver.Value, len(chunk))
			for k, id := range chunk {
				args[k] = id
			}
			_, err := w.exec("DELETE FROM search_due WHERE message IN ("+placeholders(len(chunk))+")", args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellHolder leaves what this node has heard to the one that writes the index.
func (i *indexer) tellHolder() error {
	i.learning.Lock()
	ids, missed := slices.Concat(i.learnt, i.late), i.missed
	late := len(i.late)
	i.learnt, i.missed = nil, false
	i.learning.Unlock()
	if missed && len(ids) >= maxLearnt {
		ids = append(ids, dueAll)
	}
	slices.Sort(ids)
	var rows []driver.Value
	for _, id := range slices.Compact(ids) {
		rows = append(rows, id)
	}
	i.mu.Lock()
	err := i.index.write.transact(func() error {
		_, err := i.index.write.execRows(insertDue, rows)
		return err
	})
	i.mu.Unlock()
	i.learning.Lock()
	defer i.learning.Unlock()
	if err != nil {
		i.missed = true
		return err
	}
	i.late = i.late[late:]
	return nil
}
