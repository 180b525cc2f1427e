package storage_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// twoNodes are nodes that serve on one database.
type twoNodes struct {
	here, there *storage.Store
	db          *sql.DB
	config      storage.Config
}

func newTwoNodes(t *testing.T, url string) *twoNodes {
	t.Helper()
	n := &twoNodes{config: nodeOn(t, url, true)}
	second := n.config
	second.Dir = t.TempDir()
	n.here, n.there, n.db = open(t, n.config), open(t, second), database(t, n.config)
	for name, s := range map[string]*storage.Store{"here": n.here, "there": n.there} {
		if err := s.Enrol(t.Context(), &storage.Member{Name: name, Roles: []string{"smtp"}}); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n *twoNodes) count(t *testing.T, query string) (count int) {
	t.Helper()
	if err := n.db.QueryRowContext(t.Context(), query).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

const (
	rowsTold   = "SELECT count(*) FROM told"
	newestTold = "SELECT COALESCE(max(n), 0) FROM told"
	nodesHear  = "SELECT count(*) FROM member WHERE follows_until > 0"
)

// until waits for a count.
func (n *twoNodes) until(t *testing.T, query string, want int) {
	t.Helper()
	for n.count(t, query) != want {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// ask has a node ask what it asks all the time.
func ask(t *testing.T, s *storage.Store) {
	t.Helper()
	if _, err := s.ConfigurationRevision(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// follow reads here what happens everywhere; there knows of it.
func (n *twoNodes) follow(t *testing.T, wanted func(*storage.Happening) bool) *storage.Feed {
	t.Helper()
	f := n.here.FollowAll(wanted)
	t.Cleanup(f.Close)
	n.until(t, nodesHear, 1)
	ask(t, n.there)
	return f
}

func everything(*storage.Happening) bool { return true }

// wordsOf says what happened, for a comparison.
func wordsOf(h *storage.Happening) string {
	switch {
	case h.Mail != nil:
		return h.Node + " accepted " + h.Mail.ID
	case h.Attempt != nil:
		return h.Node + " attempt " + h.Attempt.Message
	}
	return h.Node + " refusal " + h.Refusal.Recipient
}

// TestFollowAll: a reader at either node hears what happens on both, all of it once and in the order of each node; who wants less, less.
func TestFollowAll(t *testing.T) {
	n := newTwoNodes(t, throwaway.Database(t))
	owner := n.here.FollowAll(func(h *storage.Happening) bool {
		return h.Mail != nil && h.Mail.Account == "acc_2" || h.Attempt != nil && h.Attempt.Endpoint == "ep_of_acc_2" || h.Refusal != nil && h.Refusal.Account == "acc_2"
	})
	defer owner.Close()
	local := n.here.Follow(everything)
	defer local.Close()
	all := n.follow(t, everything)
	across := n.there.FollowAll(everything) // so that both write, and must pass over their own
	defer across.Close()
	n.until(t, nodesHear, 2)
	ask(t, n.here)
	var want []string
	happen := func(name string, s *storage.Store, account string, i int) {
		id := receive(t, s, mailbox{account, "a@b.example", "c@d.example", "e@f.example", "hello", "message", ""})
		to := fmt.Sprint(account, i)
		s.NoteRefusal(storage.Refusal{Account: account, Reason: "spam", Recipient: to}, func() storage.RefusalDetail { return storage.RefusalDetail{Session: "C: DATA"} })
		want = append(want, name+" accepted "+id, name+" attempt "+id, name+" refusal "+to)
	}
	for i := range 3 {
		happen("there", n.there, "acc_1", i)
		happen("here", n.here, "acc_2", i)
		happen("there", n.there, "acc_2", i)
	}
	hear := func(f *storage.Feed, want []string) {
		t.Helper()
		var got []string
		last := uint64(0)
		for range want {
			h := <-f.Happenings
			got = append(got, wordsOf(&h))
			if h.ID <= last {
				t.Errorf("%d comes after %d", h.ID, last)
			}
			last = h.ID
			switch {
			case h.Mail != nil && (h.Mail.Envelope.ReversePath.String() != "a@b.example" || h.Mail.Envelope.Recipients[0].Path.String() != "c@d.example" || h.Mail.Size != 10 || h.Mail.ReceivedAt.IsZero()),
				h.Attempt != nil && (h.State != storage.StateDelivered || h.Attempt.Status != 200 || h.Attempt.Duration != 3*time.Millisecond),
				h.Refusal != nil && (h.Refusal.Session != "C: DATA" || h.Refusal.ID == ""):
				t.Errorf("%+v", h)
			}
		}
		for _, name := range []string{"here", "there"} {
			of := func(list []string) []string {
				return slices.DeleteFunc(slices.Clone(list), func(w string) bool { return !strings.HasPrefix(w, name) })
			}
			if !slices.Equal(of(got), of(want)) {
				t.Errorf("of %s it hears\n%q, want\n%q", name, of(got), of(want))
			}
		}
		if lost, unsure := f.Lost(); lost != 0 || unsure || f.Missed() != 0 {
			t.Errorf("%d lost, %v", lost, unsure)
		}
	}
	hear(all, want)
	hear(across, want)
	hear(local, slices.DeleteFunc(slices.Clone(want), func(w string) bool { return !strings.HasPrefix(w, "here") }))
	hear(owner, slices.Concat(want[3:9], want[12:18], want[21:27]))
	// What came twice would stand before this.
	happen("there", n.there, "acc_2", 9)
	happen("here", n.here, "acc_2", 9)
	hear(all, want[27:])
	hear(across, want[27:])
	hear(owner, want[27:])
	if len(local.Happenings) != 3 {
		t.Errorf("a reader of one node has heard %d", len(local.Happenings))
	}
}

// TestToldGoes: when nobody reads any more no row is left and none is written, whether the reader took leave or died; nor when who wrote has died.
func TestToldGoes(t *testing.T) {
	n := newTwoNodes(t, throwaway.Database(t))
	mail := func() string {
		return receive(t, n.there, mailbox{"acc_1", "a@b.example", "c@d.example", "e@f.example", "hello", "message", ""})
	}
	f := n.follow(t, everything)
	mail()
	<-f.Happenings
	<-f.Happenings
	if n.count(t, rowsTold) == 0 {
		t.Error("what was read is gone already: there may be another reader")
	}
	f.Close()
	n.until(t, nodesHear, 0)
	ask(t, n.there)
	n.until(t, rowsTold, 0)
	mail()
	f = n.follow(t, everything)
	id := mail()
	if h := <-f.Happenings; h.Mail == nil || h.Mail.ID != id {
		t.Errorf("it hears of %s before %s", wordsOf(&h), id)
	}
	n.here.Close() // the reader's node
	f.Close()
	ask(t, n.there)
	n.until(t, rowsTold, 0)

	again := n.config
	n.here = open(t, again)
	if err := n.here.Enrol(t.Context(), &storage.Member{Name: "here"}); err != nil {
		t.Fatal(err)
	}
	f = n.follow(t, everything)
	mail()
	<-f.Happenings
	f.Close()
	n.until(t, nodesHear, 0)
	ask(t, n.there)
	n.until(t, rowsTold, 0)
	damage(t, n.config, "INSERT INTO told SELECT 'node_dead', 1, seen_at, '{}' FROM member WHERE name = 'here'") // it and its reader died
	damage(t, n.config, "UPDATE member SET seen_at = 0 WHERE name = 'there'")
	if err := n.here.Say(t.Context(), &storage.Member{ID: "node_other", Name: "other"}); err != nil {
		t.Fatal(err)
	}
	if rows := n.count(t, rowsTold); rows != 0 {
		t.Errorf("%d rows of a node that died are left", rows)
	}
}

// TestToldIsErased: what was said of a message on the way to readers is gone when it is erased.
func TestToldIsErased(t *testing.T) {
	n := newTwoNodes(t, throwaway.Database(t))
	f := n.follow(t, everything)
	id := receive(t, n.there, mailbox{"acc_1", "victim@b.example", "c@d.example", "", "", "", ""})
	<-f.Happenings
	if rows := n.count(t, "SELECT count(*) FROM told WHERE body LIKE '%victim%'"); rows != 1 {
		t.Errorf("%d rows, want 1", rows)
	}
	if _, err := n.here.Erase(t.Context(), storage.Erasure{Message: id}); err != nil {
		t.Fatal(err)
	}
	if rows := n.count(t, "SELECT count(*) FROM told WHERE body LIKE '%victim%'"); rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
}

// TestNobodyWaitsForReaders: while the rows for readers cannot be written, mail and results go on, and the reader hears how much it was not told.
func TestNobodyWaitsForReaders(t *testing.T) {
	n := newTwoNodes(t, throwaway.Database(t))
	f := n.follow(t, everything)
	mail := func() string {
		return receive(t, n.there, mailbox{"acc_1", "a@b.example", "c@d.example", "e@f.example", "hello", "message", ""})
	}
	mail()
	<-f.Happenings
	<-f.Happenings
	tx, err := n.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE told IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	const flood = 900 // more than a row and what waits for the next one hold
	var group sync.WaitGroup
	for range 9 {
		group.Go(func() {
			for range flood / 9 {
				if _, err := n.there.Accept(t.Context(), envelope("ep_1"), newBody(content(10))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	mail() // and results
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	happened := flood + 2
	last := ""
	for range 3 { // with the second row all that waited is written
		before := n.count(t, newestTold)
		last = mail()
		happened += 2
		for n.count(t, newestTold) <= before {
			if err := t.Context().Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	heard := 0
	for done := false; !done; heard++ {
		h := <-f.Happenings
		done = h.Attempt != nil && h.Attempt.Message == last
	}
	lost, unsure := f.Lost()
	if lost += f.Missed(); lost == 0 || unsure || heard+int(lost) != happened {
		t.Errorf("of %d it hears %d, and that %d were left out, %v", happened, heard, lost, unsure)
	}
}

// TestFollowAllBehindAPooler: it needs no session of its own.
func TestFollowAllBehindAPooler(t *testing.T) {
	n := newTwoNodes(t, throwaway.Pooler(t, throwaway.Database(t))+"&default_query_exec_mode=exec")
	f := n.follow(t, everything)
	for range 3 {
		id := receive(t, n.there, mailbox{"acc_1", "a@b.example", "c@d.example", "e@f.example", "hello", "message", ""})
		for range 2 {
			if h := <-f.Happenings; !strings.HasSuffix(wordsOf(&h), id) {
				t.Errorf("%s, want %s", wordsOf(&h), id)
			}
		}
	}
}
