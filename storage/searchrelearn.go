package storage

import (
	"context"
	"database/sql/driver"
	"slices"
)

// relearn indexes messages once more, or for the first time when they came late.
func (i *indexer) relearn(ctx context.Context, ids []string) error {
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == dueAll })
	for chunk := range slices.Chunk(ids, indexBatch) {
		if err := i.giveWay(ctx); err != nil {
			return err
		}
		d, err := i.store.draftOf(ctx, chunk)
		if err != nil {
			return err
		}
		if len(d.ids) == 0 {
			continue
		}
		err = i.change(func(w *writer, st *standing) error {
			for _, g := range st.segments {
				if err := i.supersede(w, g, d.ids); err != nil {
					return err
				}
			}
			return i.write(ctx, w, st, d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// supersede takes messages off the list of those in a segment whose headers are not known.
func (i *indexer) supersede(w *writer, g segment, list []messageID) error {
	low, high := list[0].String(), list[len(list)-1].String()
	if g.high < low || g.low > high {
		return nil
	}
	term := hashOf(termUnparsed, "")
	page, unparsed, err := i.index.withTerm(w, g, term)
	if err != nil || unparsed.count() == 0 {
		return err
	}
	l, err := i.index.load(w, g, true)
	if err != nil {
		return err
	}
	l.lists = []searchPage{page}
	gone := newDocSet(g.docs)
	for _, m := range list {
		if doc, ok := l.find(m); ok {
			gone.add(doc)
		}
	}
	changed, err := l.without(gone, term)
	if err != nil {
		return err
	}
	return i.index.writePages(w, g.n, changed)
}

// withTerm gives the messages of a segment that have a term, and the page that says so.
func (x *searchIndex) withTerm(w *writer, g segment, term uint32) (page searchPage, set docSet, err error) {
	set = newDocSet(g.docs)
	err = w.query(func(row []driver.Value) error {
		data, _ := row[1].([]byte)
		page = searchPage{row[0].(int64), slices.Clone(data)}
		return set.addDocs(page.data, term)
	}, `SELECT "key", data FROM search_page WHERE segment = ? AND "key" <= ? ORDER BY "key" DESC LIMIT 1`, g.n, int64(term))
	return page, set, err
}

// draftOf reads messages, their ids in order, as far as they are still there.
func (s *Store) draftOf(ctx context.Context, ids []string) (*draft, error) {
	d := &draft{}
	for chunk := range slices.Chunk(ids, searchChunk) {
		rows, err := s.read.QueryContext(ctx, selectIndexed+" WHERE m.id IN ("+placeholders(len(chunk))+") ORDER BY m.id", anyOf(chunk)...)
		if err != nil {
			return nil, err
		}
		err = each(rows, func() error {
			m, err := scanIndexed(rows.Scan)
			if err == nil {
				terms, _ := termsOf(m)
				d.take(m.ID, terms)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

// recheck looks for what nobody remembers: messages that were committed behind the back of the index lately, and those that it has
// without their headers though these are known. It is done at the start, when another node wrote the index before, and when there was
// too much to remember.
func (i *indexer) recheck(ctx context.Context) error {
	st, err := i.index.standing(ctx)
	if err != nil || st.reached == "" {
		return err
	}
	at, _ := dayOf(st.reached)
	since := firstMessageID(at.Add(-lateSpan))
	late, err := i.store.idsBetween(ctx, since, st.reached)
	if err != nil {
		return err
	}
	for _, g := range st.segments {
		unparsed, err := i.lookThrough(g.n, since, late)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(unparsed, searchChunk) {
			if err := i.relearnKnown(ctx, chunk); err != nil {
				return err
			}
		}
	}
	missing := make([]string, 0, len(late))
	for id := range late {
		missing = append(missing, id)
	}
	return i.relearn(ctx, missing)
}

func (s *Store) idsBetween(ctx context.Context, low, high string) (map[string]bool, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id FROM message WHERE id >= ? AND id <= ?", low, high)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	err = each(rows, func() error {
		var id string
		err := rows.Scan(&id)
		ids[id] = true
		return err
	})
	return ids, err
}

// lookThrough removes what a segment has from a set of ids since one, and gives what it has without headers.
func (i *indexer) lookThrough(n int64, since string, ids map[string]bool) (unparsed []string, err error) {
	err = i.change(func(w *writer, st *standing) error {
		at := slices.IndexFunc(st.segments, func(g segment) bool { return g.n == n })
		if at < 0 {
			return nil
		}
		g := st.segments[at]
		_, set, err := i.index.withTerm(w, g, hashOf(termUnparsed, ""))
		if err != nil || set.count() == 0 && g.high < since {
			return err
		}
		l, err := i.index.load(w, g, true)
		if err != nil {
			return err
		}
		for doc, m := range l.ids {
			delete(ids, m.String())
			if set.has(uint32(doc)) {
				unparsed = append(unparsed, m.String())
			}
		}
		return nil
	})
	return unparsed, err
}

// relearnKnown indexes those of the messages once more whose headers are known by now.
func (i *indexer) relearnKnown(ctx context.Context, ids []string) error {
	known, err := onlyColumn[string](i.store.read.QueryContext(ctx, "SELECT message FROM summary WHERE summary IS NOT NULL AND message IN ("+placeholders(len(ids))+")", anyOf(ids)...))
	if err != nil {
		return err
	}
	return i.relearn(ctx, known)
}
