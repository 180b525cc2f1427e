package storage

import (
	"bytes"
	"cmp"
	"context"
	"slices"
)

const (
	// mergeOf is how many segments of about the same size become one. One that has fullDocs messages is left as it is.
	mergeOf  = 8
	fullDocs = segmentDocs * 3 / 4
)

// tier is the size of a segment, roughly.
func (g *segment) tier() (tier int) {
	for size := int64(indexBatch); size <= g.docs; size *= mergeOf {
		tier++
	}
	return tier
}

// mergeable gives segments that should be one, if there are any: those of a size that are many, or are enough for a full one.
func mergeable(segments []segment) []segment {
	byTier := map[int][]segment{}
	for _, g := range segments {
		if g.docs >= fullDocs {
			continue
		}
		tier := g.tier()
		same := slices.Concat(byTier[tier], []segment{g})
		docs := int64(0)
		for i := range same {
			docs += same[i].docs
		}
		switch {
		case docs > segmentDocs && len(same) > 2:
			return same[:len(same)-1]
		case docs > segmentDocs:
			same = same[1:]
		case len(same) == mergeOf || len(same) > 1 && docs >= fullDocs:
			return same
		}
		byTier[tier] = same
	}
	return nil
}

// merge makes one segment of several, one time after the other as long as there are any that should be.
func (i *indexer) merge(ctx context.Context) error {
	for again := true; again; {
		if err := i.giveWay(ctx); err != nil {
			return err
		}
		err := i.change(func(w *writer, st *standing) error {
			list := mergeable(st.segments)
			if again = len(list) > 1; !again {
				return nil
			}
			sources := make([]*loaded, len(list))
			for k, g := range list {
				var err error
				if sources[k], err = i.index.load(w, g, false); err != nil {
					return err
				}
				if err := i.index.remove(w, g.n); err != nil {
					return err
				}
			}
			g, pages, err := mergeSegments(sources)
			if err != nil {
				return err
			}
			return i.index.insert(w, st, g, pages)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mergeSegments makes one segment of several, the later made ones last: what they say of a message counts.
func mergeSegments(sources []*loaded) (g segment, pages []searchPage, err error) {
	ids, numbers := mergeIDs(sources)
	cursors := make([]*listCursor, 0, len(sources))
	for k, l := range sources {
		c := &listCursor{pages: l.lists, numbers: numbers[k]}
		if err := c.next(); err != nil {
			return g, nil, err
		}
		cursors = append(cursors, c)
	}
	var w pageWriter
	var docs []uint32
	for {
		term, some := uint32(0), false
		for _, c := range cursors {
			if !c.ended && (!some || c.reader.term < term) {
				term, some = c.reader.term, true
			}
		}
		if !some {
			break
		}
		docs = docs[:0]
		for _, c := range cursors {
			if c.ended || c.reader.term != term {
				continue
			}
			for _, d := range c.reader.docs {
				if n := c.numbers[d]; n != noDoc {
					docs = append(docs, n)
				}
			}
			if err := c.next(); err != nil {
				return g, nil, err
			}
		}
		slices.Sort(docs)
		w.add(term, docs)
	}
	w.flush()
	g = (&draft{ids: ids}).segment()
	g.live = 0
	for _, l := range sources {
		g.live += l.live
	}
	g.live = min(g.live, g.docs)
	return g, append(w.pages, idPages(ids)...), nil
}

// noDoc is the number of a message that a later segment has, too.
const noDoc = ^uint32(0)

// mergeIDs puts the messages of segments in one order, and gives the new number of each.
func mergeIDs(sources []*loaded) (ids []messageID, numbers [][]uint32) {
	type place struct{ source, doc int }
	var places []place
	for k, l := range sources {
		numbers = append(numbers, make([]uint32, len(l.ids)))
		for d := range l.ids {
			places = append(places, place{k, d})
		}
	}
	at := func(p place) *messageID { return &sources[p.source].ids[p.doc] }
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(bytes.Compare(at(a)[:], at(b)[:]), a.source-b.source)
	})
	for i, p := range places {
		if i+1 < len(places) && *at(p) == *at(places[i+1]) {
			numbers[p.source][p.doc] = noDoc
			continue
		}
		numbers[p.source][p.doc] = uint32(len(ids))
		ids = append(ids, *at(p))
	}
	return ids, numbers
}

// listCursor goes over the lists of a segment.
type listCursor struct {
	pages   []searchPage
	reader  pageReader
	numbers []uint32
	ended   bool
}

func (c *listCursor) next() error {
	for !c.reader.next() {
		if c.reader.err != nil {
			return c.reader.err
		}
		if len(c.pages) == 0 {
			c.ended = true
			return nil
		}
		c.reader = pageReader{data: c.pages[0].data, docs: c.reader.docs}
		c.pages = c.pages[1:]
	}
	for _, d := range c.reader.docs {
		if int(d) >= len(c.numbers) {
			return errSearchPage
		}
	}
	return nil
}
