package storage

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// bothEngines runs a test over each.
func bothEngines(t *testing.T, test func(t *testing.T, s *Store)) {
	for name, config := range map[string]Config{"SQLite": {Dir: t.TempDir()}, "PostgreSQL": {Dir: t.TempDir(), Database: throwaway.Database(t)}} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			test(t, s)
		})
	}
}

// TestSearchGivesAllInOrder: with segments that overlap, messages that are in several of them and some that are in none, page by page
// a search gives what a look at every message gives, and the index names few others.
func TestSearchGivesAllInOrder(t *testing.T) {
	bothEngines(t, func(t *testing.T, s *Store) {
		const many = 3000
		p := newPost(2)
		p.days = 3
		sample := p.fill(t, s, many)
		if err := s.IndexNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := s.Messages(t.Context(), MessageFilter{Limit: many})
		if err != nil || len(all) != many {
			t.Fatalf("%d messages, %v", len(all), err)
		}
		for range 12 {
			var again []string
			for range 300 {
				again = append(again, all[p.IntN(many)].ID)
			}
			if err := s.indexer.relearn(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
		for pass := range 2 {
			for _, look := range p.looks(sample) {
				q, account := look.make()
				if q.Account = ""; pass == 1 {
					q.Account = account
				}
				if q.State == "" {
					p.compare(t, s, look.name, q, all)
				}
			}
			if err := s.indexer.merge(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// compare asks page by page.
func (p *post) compare(t *testing.T, s *Store, name string, q Search, all []*Mail) {
	t.Helper()
	match := newMatcher(&q)
	var want, got []string
	for _, m := range all {
		if (q.Account == "" || m.Account == q.Account) && (q.Before == "" || m.ID < q.Before) && (q.ID == "" || m.ID == q.ID) && match.matches(m) {
			want = append(want, m.ID)
		}
	}
	first := q
	q.Limit = 1 + p.IntN(60)
	for {
		page, err := s.Search(t.Context(), q)
		if err != nil || page.Partial {
			t.Fatalf("%s: partial %v, %v", name, page.Partial, err)
		}
		for _, m := range page.Messages {
			got = append(got, m.ID)
		}
		if q.Before = page.Next; q.Before == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s (%+v): %d are found, want %d", name, first, len(got), len(want))
	}
	if question := match.question(); !question.empty() && q.ID == "" {
		named := 0
		for list, before := s.indexed(question), first.Before; ; {
			ids, err := list(t.Context(), before, 50)
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) == 0 {
				break
			}
			named, before = named+len(ids), ids[len(ids)-1]
		}
		if most := len(want) + len(want)/2 + 20; named > most {
			t.Errorf("%s (%+v): the index names %d messages of which %d are meant", name, first, named, len(want))
		}
	}
}

// TestSearchStatementsUseTheirIndexes asks both engines how they would run what a search runs: none may walk over a table.
func TestSearchStatementsUseTheirIndexes(t *testing.T) {
	bothEngines(t, func(t *testing.T, s *Store) {
		p := newPost(3)
		p.days = 2
		p.fill(t, s, 500)
		after := firstMessageID(p.began)
		if err := s.IndexNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, isPostgres := s.engine.(*postgresEngine)
		states, args := s.selectStates([]string{after, after + "~"})
		picked := selection{text: selectMail}
		pick, picks := picked.ofIDs(&s.read, "m.id", []string{after, after + "~"})
		list := func(state string) string {
			table, condition := stateList(state)
			return "SELECT DISTINCT message FROM " + table + " WHERE " + condition + " ORDER BY message DESC LIMIT 5"
		}
		pages := []any{"[[1,2]]"}
		if isPostgres {
			pages = []any{[]int64{1}, []int64{2}}
		}
		for _, c := range []struct {
			name, text string
			args       []any
			read       *reader
		}{
			{"pages", s.read.form(selectPagesAt), pages, s.index.read},
			{"behind", "SELECT id FROM message WHERE id > ? ORDER BY id DESC LIMIT 5", []any{after}, &s.read},
			{"count behind", countBehind, []any{after, 5}, &s.read},
			{"to index", selectIndexed + " WHERE m.id > ? AND m.id < ? ORDER BY m.id LIMIT ?", []any{after, messagePrefix + "~", 5}, &s.read},
			{"messages", pick, picks, &s.read},
			{"states", states, args, &s.read},
			{"dead", list(StateDead), nil, &s.read},
			{"filtered", list(StateFiltered), nil, &s.read},
			{"missed", list(StateMissed), nil, &s.read},
		} {
			explain := "EXPLAIN QUERY PLAN "
			if isPostgres {
				explain = "EXPLAIN "
			}
			rows, err := c.read.QueryContext(t.Context(), explain+c.text, c.args...)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			columns, _ := rows.Columns()
			err = each(rows, func() error {
				row := make([]any, len(columns))
				for i := range row {
					row[i] = new(any)
				}
				err := rows.Scan(row...)
				line, _ := (*row[len(row)-1].(*any)).(string)
				walks := strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "INDEX") && !strings.Contains(line, "json_each") && !strings.HasPrefix(line, "SCAN behind")
				if walks || strings.Contains(line, "Seq Scan") || strings.Contains(line, "Sort  (") && c.name != "pages" {
					t.Errorf("%s: %s", c.name, line)
				}
				return err
			})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
	})
}

// TestErasedIsInNoList: what was erased is in no list of the index, in whatever segment.
func TestErasedIsInNoList(t *testing.T) {
	bothEngines(t, func(t *testing.T, s *Store) {
		p := newPost(4)
		p.days = 2
		p.fill(t, s, 400)
		all, err := s.Messages(t.Context(), MessageFilter{Limit: 400})
		if err != nil {
			t.Fatal(err)
		}
		victim := all[200]
		if err := s.IndexNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.indexer.relearn(t.Context(), []string{victim.ID, all[10].ID}); err != nil {
			t.Fatal(err)
		}
		if n := p.mentions(t, s, victim.ID); n < 20 {
			t.Fatalf("the message is in %d lists before", n)
		}
		err = s.unindex([]stored{{victim.ID, victim.Account}}, func() error {
			// It is being indexed at this moment.
			return s.do(t.Context(), func(w *writer) error {
				_, err := w.exec("INSERT INTO erasure (message, at) VALUES (?, ?)", victim.ID, time.Now().UnixMilli())
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.indexer.relearn(t.Context(), []string{victim.ID, all[11].ID}); err != nil {
			t.Fatal(err)
		}
		if n := p.mentions(t, s, victim.ID); n != 0 {
			t.Errorf("the message is still in %d lists", n)
		}
		if n := p.mentions(t, s, all[10].ID); n < 20 {
			t.Errorf("its neighbour is in %d lists", n)
		}
	})
}

// mentions counts the lists in which a message is.
func (p *post) mentions(t *testing.T, s *Store, id string) (n int) {
	t.Helper()
	m, _ := parseMessageID(id)
	err := s.indexer.change(func(w *writer, st *standing) error {
		for _, g := range st.segments {
			l, err := s.index.load(w, g, false)
			if err != nil {
				return err
			}
			doc, ok := l.find(m)
			for _, page := range l.lists {
				for r := (pageReader{data: page.data}); ok && r.next(); {
					if slices.Contains(r.docs, doc) {
						n++
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
