package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// errSegmentGone says that a segment was merged with others, or swept, since it was seen.
var errSegmentGone = errors.New("a segment of the search index is gone")

// indexed gives candidates by the index, and before them the messages that it does not have yet.
func (s *Store) indexed(q question) candidateList {
	var a *answers
	return func(ctx context.Context, before string, limit int) (ids []string, err error) {
		for range 5 {
			if a == nil {
				if a, err = s.ask(ctx, q, before); err != nil {
					return nil, err
				}
			}
			if ids, err = a.next(ctx, before, limit); !errors.Is(err, errSegmentGone) {
				return ids, err
			}
			a = nil
		}
		return nil, err
	}
}

// answers are what the index gives to a question, the newest messages first.
type answers struct {
	store    *Store
	question question
	terms    []uint32 // those of the question, each once
	reached  string
	due      []string  // messages that the index is to take in later, though it is beyond them
	segments []segment // not asked yet, that with the newest message last
	open     []*asked
	step     int // how many segments are asked together
}

// asked is a segment that was asked.
type asked struct {
	segment

	hits  docSet
	ids   []string // of the next ones, the newest first
	below int      // those with a lower number are not in ids yet
}

// more says whether there are answers that are not in ids.
func (g *asked) more() bool { return g.hits.last(g.below) >= 0 }

// ask begins to answer a question about messages before an id.
func (s *Store) ask(ctx context.Context, q question, before string) (*answers, error) {
	st, err := s.index.standing(ctx)
	if err != nil {
		return nil, err
	}
	a := &answers{store: s, question: q, reached: st.reached, step: 4}
	a.terms = slices.Compact(slices.Sorted(slices.Values(q.terms(nil))))
	for _, g := range st.segments {
		if before == "" || g.low < before {
			a.segments = append(a.segments, g)
		}
	}
	slices.SortFunc(a.segments, func(a, b segment) int { return strings.Compare(a.high, b.high) })
	a.due, err = s.dueToIndex(ctx)
	return a, err
}

// countIndexed counts the messages before an id that meet a question, and those that the index has not reached.
func (s *Store) countIndexed(ctx context.Context, q question, before string) (n int, err error) {
	for range 5 {
		a, err := s.ask(ctx, q, before)
		if err == nil {
			err = a.put(ctx, len(a.segments))
		}
		if errors.Is(err, errSegmentGone) {
			continue
		}
		if err == nil {
			n, err = s.countBehind(ctx, a.reached, searchLooks)
		}
		if err == nil {
			for _, g := range a.open {
				n += g.hits.count()
			}
		}
		return n, err
	}
	return 0, errSegmentGone
}

// next gives the next messages before an id: first all that the index has not reached.
func (a *answers) next(ctx context.Context, before string, limit int) (ids []string, err error) {
	if before == "" || before > a.reached {
		if ids, err = a.store.behind(ctx, a.reached, before, limit); err != nil || len(ids) == limit {
			return ids, err
		}
		before = a.reached + "~" // behind that id, and before every other one
	}
	older, err := a.older(ctx, before, limit-len(ids))
	return append(ids, older...), err
}

// older gives the next messages of the segments.
func (a *answers) older(ctx context.Context, before string, limit int) ([]string, error) {
	a.due = slices.DeleteFunc(a.due, func(id string) bool { return id >= before })
	for _, g := range a.open {
		g.ids = slices.DeleteFunc(g.ids, func(id string) bool { return id >= before })
	}
	for {
		unasked, unread := "", ""
		if n := len(a.segments); n > 0 {
			unasked = a.segments[n-1].high
		}
		ids := slices.Clone(a.due)
		for _, g := range a.open {
			ids = append(ids, g.ids...)
			if g.more() {
				unread = max(unread, g.floor())
			}
		}
		slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
		ids = slices.Compact(ids)
		sure := max(unasked, unread) // an id before that may not be the next one
		n := 0
		for n < len(ids) && ids[n] >= sure {
			n++
		}
		var err error
		switch {
		case n >= limit || sure == "":
			return ids[:min(n, limit)], nil
		case unasked >= unread:
			err = a.put(ctx, min(a.step, len(a.segments)))
			a.step = min(2*a.step, 64)
		}
		if err == nil {
			err = a.read(ctx, before, limit)
		}
		if err != nil {
			return nil, err
		}
	}
}

// floor is an id that no answer is behind that is not in ids.
func (g *asked) floor() string {
	if len(g.ids) == 0 {
		return g.high
	}
	return g.ids[len(g.ids)-1]
}

// put puts the question to the next segments.
func (a *answers) put(ctx context.Context, n int) error {
	segments := a.segments[len(a.segments)-n:]
	keys := make([]pageKey, 0, n*len(a.terms))
	for _, g := range segments {
		for _, t := range a.terms {
			keys = append(keys, pageKey{g.n, int64(t)})
		}
	}
	pages, err := a.store.index.pagesAt(ctx, keys)
	if err != nil {
		return err
	}
	for k, g := range segments {
		have := make(map[uint32]docSet, len(a.terms))
		for i, t := range a.terms {
			have[t] = newDocSet(g.docs)
			if err := have[t].addDocs(pages[k*len(a.terms)+i], t); err != nil {
				return err
			}
		}
		answer := a.question.answer(have)
		if answer.last(int(g.docs)) >= 0 {
			a.open = append(a.open, &asked{segment: g, hits: answer, below: int(g.docs)})
		}
	}
	a.segments = a.segments[:len(a.segments)-n]
	return nil
}

// read reads the ids of the next answers of every segment that has less than are wanted.
func (a *answers) read(ctx context.Context, before string, limit int) error {
	var keys []pageKey
	var whose []*asked
	for _, g := range a.open {
		if len(g.ids) >= limit || !g.more() {
			continue
		}
		if err := a.pass(ctx, g, before); err != nil {
			return err
		}
		below := g.below
		for want := limit - len(g.ids); want > 0; want-- {
			doc := g.hits.last(below)
			if doc < 0 {
				break
			}
			if key := (pageKey{g.n, idPageOf(doc)}); len(keys) == 0 || keys[len(keys)-1] != key {
				keys, whose = append(keys, key), append(whose, g)
			}
			below = doc
		}
	}
	pages, err := a.store.index.pagesAt(ctx, keys)
	if err != nil {
		return err
	}
	for i, g := range whose {
		g.take(int(-1-keys[i].key)*idsPerPage, pages[i], before)
	}
	return nil
}

// take takes the answers in a page of ids that begins with a number.
func (g *asked) take(first int, page []byte, before string) {
	for doc := g.hits.last(g.below); doc >= first; doc = g.hits.last(g.below) {
		g.below = doc
		if at := (doc - first) * idOctets; at+idOctets <= len(page) {
			if id := messageID(page[at:]).String(); id < before {
				g.ids = append(g.ids, id)
			}
		}
	}
}

// pass passes over the pages of a segment with ids that are not before an id.
func (a *answers) pass(ctx context.Context, g *asked, before string) error {
	if g.below < int(g.docs) || g.high < before {
		return nil
	}
	rows, err := a.store.index.read.QueryContext(ctx, `SELECT "key" FROM search_page WHERE segment = ? AND "key" < 0 AND substr(data, 1, 16) < ? ORDER BY "key" LIMIT 1`,
		g.n, idBytes(before))
	if err != nil {
		return err
	}
	g.below = 0
	return each(rows, func() error {
		var key int64
		err := rows.Scan(&key)
		g.below = min(int(-key)*idsPerPage, int(g.docs))
		return err
	})
}

// idBytes is an id as it stands in pages.
func idBytes(id string) []byte {
	m, ok := parseMessageID(strings.TrimSuffix(id, "~"))
	if !ok {
		return []byte{0xff}
	}
	if strings.HasSuffix(id, "~") {
		return append(m[:], 0)
	}
	return m[:]
}

// pageKey asks for a page: that in which a term would stand, or that of ids with just the key.
type pageKey struct{ segment, key int64 }

var selectPagesAt = forms{
	sqlite: `SELECT (SELECT data FROM search_page WHERE segment = json_extract(v.value, '$[0]') AND "key" <= json_extract(v.value, '$[1]')
		ORDER BY "key" DESC LIMIT 1) FROM json_each(?) AS v ORDER BY v.key`,
	postgres: `SELECT (SELECT data FROM search_page WHERE segment = v.segment AND "key" <= v."key" ORDER BY "key" DESC LIMIT 1)
		FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[])) WITH ORDINALITY AS v (segment, "key", n) ORDER BY v.n`,
}

// pagesAt reads pages.
func (x *searchIndex) pagesAt(ctx context.Context, keys []pageKey) ([][]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var rows *sql.Rows
	var err error
	if _, ok := x.engine.(*postgresEngine); ok {
		segments, terms := make([]int64, len(keys)), make([]int64, len(keys))
		for i, k := range keys {
			segments[i], terms[i] = k.segment, k.key
		}
		rows, err = x.read.QueryContext(ctx, selectPagesAt.postgres, segments, terms)
	} else {
		list := make([][2]int64, len(keys))
		for i, k := range keys {
			list[i] = [2]int64{k.segment, k.key}
		}
		text, failed := json.Marshal(list)
		if failed != nil {
			return nil, failed
		}
		rows, err = x.read.QueryContext(ctx, selectPagesAt.sqlite, string(text))
	}
	if err != nil {
		return nil, err
	}
	pages := make([][]byte, 0, len(keys))
	err = each(rows, func() error {
		var page []byte
		err := rows.Scan(&page)
		if err == nil && page == nil {
			err = errSegmentGone
		}
		pages = append(pages, page)
		return err
	})
	return pages, err
}

// behind gives messages behind an id, the latest first, from before another one.
func (s *Store) behind(ctx context.Context, after, before string, limit int) (ids []string, err error) {
	q := selection{text: "SELECT id FROM message"}
	q.where(true, "id > ?", after)
	q.where(before != "", "id < ?", before)
	return onlyColumn[string](s.searching().QueryContext(ctx, q.text+" ORDER BY id DESC LIMIT ?", append(q.args, limit)...))
}

// dueMost bounds the messages of other nodes that are due to be indexed and looked at meanwhile.
const dueMost = 1000

// dueToIndex gives messages that came too late to be indexed with their neighbours, and are not yet.
func (s *Store) dueToIndex(ctx context.Context) (ids []string, err error) {
	if s.indexer != nil {
		ids = s.indexer.lateOnes()
	}
	if s.cfg.Database == "" {
		return ids, nil
	}
	due, err := onlyColumn[string](s.searching().QueryContext(ctx, "SELECT message FROM search_due ORDER BY message DESC LIMIT ?", dueMost))
	return append(ids, due...), err
}
