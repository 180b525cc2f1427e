package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// scrub takes messages out of all lists of segments with a number from first on, so that nothing is left of them but their ids. It
// gives the number of the next segment.
func (x *searchIndex) scrub(list []string, first int64) (next int64, err error) {
	err = x.change(func(w *writer, st *standing) error {
		next = st.next
		if x.path != "" {
			if err := w.secureDelete(); err != nil {
				return err
			}
		}
		for _, g := range st.segments {
			var here []messageID
			for _, id := range list {
				if m, ok := parseMessageID(id); ok && g.n >= first && g.low <= id && id <= g.high {
					here = append(here, m)
				}
			}
			if err := x.scrubSegment(w, g, here); err != nil {
				return err
			}
		}
		return nil
	})
	return next, err
}

func (x *searchIndex) scrubSegment(w *writer, g segment, list []messageID) error {
	if len(list) == 0 {
		return nil
	}
	l, err := x.load(w, g, false)
	if err != nil {
		return err
	}
	gone := newDocSet(g.docs)
	for _, m := range list {
		if doc, ok := l.find(m); ok {
			gone.add(doc)
		}
	}
	return x.takeOut(w, l, gone)
}

// takeOut writes those pages of a segment anew that lists with messages in a set stand in.
func (x *searchIndex) takeOut(w *writer, l *loaded, gone docSet) error {
	if gone.count() == 0 {
		return nil
	}
	changed, err := l.without(gone)
	if err != nil {
		return err
	}
	return x.writePages(w, l.n, changed)
}

// unindex takes messages out of the search index around what erases them. Twice: they may be read to be indexed meanwhile.
func (s *Store) unindex(list []stored, erase func() error) error {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.id
	}
	return s.withIndex(func(x *searchIndex) error {
		next, err := x.scrub(names, 0)
		if err != nil {
			return fmt.Errorf("take messages out of the search index: %w", err)
		}
		if err := erase(); err != nil {
			return err
		}
		if _, err = x.scrub(names, next); err == nil && x.path != "" {
			_, err = x.write.truncateLog() // whoever reads keeps the log for a while
		}
		return err
	}, erase)
}

// withIndex does something with the index in turn with the indexer, beside a server on a connection of its own; or, where there is no
// index, something else.
func (s *Store) withIndex(do func(*searchIndex) error, none func() error) error {
	switch {
	case s.index == nil:
		return none()
	case s.indexer != nil:
		s.indexer.mu.Lock()
		defer s.indexer.mu.Unlock()
		return do(s.index)
	}
	beside := *s.index
	var err error
	if beside.write, err = newWriter(beside.engine); err != nil {
		return fmt.Errorf("open search index: %w", err)
	}
	return errors.Join(do(&beside), beside.write.close())
}

// forgetGone takes those of the messages out of the index that are there no more.
func (s *Store) forgetGone(ctx context.Context, list []stored) error {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.id
	}
	rows, err := s.read.QueryContext(ctx, "SELECT id FROM message WHERE id IN ("+placeholders(len(names))+")", anyOf(names)...)
	if err != nil {
		return err
	}
	err = each(rows, func() error {
		var id string
		err := rows.Scan(&id)
		names = slices.DeleteFunc(names, func(name string) bool { return name == id })
		return err
	})
	if err != nil {
		return err
	}
	return s.withIndex(func(x *searchIndex) error {
		_, err := x.scrub(names, 0)
		return err
	}, func() error { return nil })
}

// sweepIndex takes out of the index what retention has removed, among messages from before a time. A segment without any goes whole.
func (s *Store) sweepIndex(ctx context.Context, end time.Time) error {
	return s.withIndex(func(x *searchIndex) error {
		st, err := x.standing(ctx)
		if err != nil {
			return err
		}
		before := firstMessageID(end)
		for _, g := range st.segments {
			if g.low >= before {
				continue
			}
			if err := s.sweepSegment(ctx, x, g.n); err != nil {
				return err
			}
		}
		return nil
	}, func() error { return nil })
}

// shortest is the shortest retention of messages; 0: all are kept for ever.
func shortest(terms []term) (age time.Duration) {
	for i := range terms {
		if own := terms[i].messages; own > 0 && (age == 0 || own < age) {
			age = own
		}
	}
	return age
}

func (s *Store) sweepSegment(ctx context.Context, x *searchIndex, n int64) error {
	return x.change(func(w *writer, st *standing) error {
		for _, g := range st.segments {
			if g.n != n {
				continue
			}
			l, err := x.load(w, g, true)
			if err != nil {
				return err
			}
			gone, left, err := s.goneOf(ctx, l)
			if err != nil || left == g.live {
				return err
			}
			if left == 0 {
				return x.remove(w, n)
			}
			if l, err = x.load(w, g, false); err != nil {
				return err
			}
			if err := x.takeOut(w, l, gone); err != nil {
				return err
			}
			_, err = w.exec("UPDATE search_segment SET live = ? WHERE n = ?", left, n)
			return err
		}
		return nil // it was merged meanwhile: the next sweep looks at what it became
	})
}

// goneOf gives the messages of a segment that the store has no more, and counts the others.
func (s *Store) goneOf(ctx context.Context, l *loaded) (gone docSet, left int64, err error) {
	gone = newDocSet(l.docs)
	for doc := range l.ids {
		gone.add(uint32(doc))
	}
	rows, err := s.read.QueryContext(ctx, "SELECT id FROM message WHERE id >= ? AND id <= ?", l.low, l.high)
	if err != nil {
		return nil, 0, err
	}
	err = each(rows, func() error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if m, ok := parseMessageID(id); ok {
			if doc, ok := l.find(m); ok {
				gone.remove(doc)
				left++
			}
		}
		return nil
	})
	return gone, left, err
}
