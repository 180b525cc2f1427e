package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// relayNode opens an enrolled node.
func relayNode(t *testing.T, name string, config Config) *Store {
	t.Helper()
	config.Dir, config.PackInBlobs = t.TempDir(), true
	s, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Enrol(t.Context(), &Member{Name: name}); err != nil {
		t.Fatal(err)
	}
	return s
}

func relayNodes(t *testing.T) (here, there *Store) {
	t.Helper()
	blobs, err := NewDir(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Database: throwaway.Database(t), Blobs: blobs}
	return relayNode(t, "here", config), relayNode(t, "there", config)
}

// statementsOf counts what committing some batches takes, mails and results.
func statementsOf(t *testing.T, s *Store) int64 {
	t.Helper()
	total := func() (n int64) {
		for _, c := range s.committers()[:2] {
			n += c.writer.statements.Load()
		}
		return n
	}
	before := total()
	for i := range 20 {
		if _, err := acceptRaw(t.Context(), s, fmt.Appendf(nil, "mail %d %d", before, i)); err != nil {
			t.Fatal(err)
		}
		due, err := s.Fetch(t.Context(), "ep_1", Cursor{}, time.Now().Add(time.Hour), 1)
		if err != nil || len(due) != 1 {
			t.Fatal(due, err)
		}
		d := &due[0]
		done := make(chan error, 1)
		s.Complete(Completion{
			Attempt: Attempt{Delivery: d.ID, Message: d.Message, Endpoint: d.Endpoint, N: 1, At: s.cfg.Now(), Outcome: outcomeDelivered, Status: 200},
			State:   StateDelivered, Parsed: true,
		}, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return total() - before
}

// TestNobodyReads: without a reader elsewhere a node writes no row and makes no statement for one; with a reader no batch takes a
// statement more.
func TestNobodyReads(t *testing.T) {
	here, there := relayNodes(t)
	local := here.Follow(func(*Happening) bool { return true })
	defer local.Close()
	without := statementsOf(t, there)
	for _, s := range []*Store{here, there} {
		if _, err := s.ConfigurationRevision(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.feed.relay.db.Stats(); n.OpenConnections != 0 || n.MaxIdleTimeClosed != 0 {
			t.Errorf("the connection for readers is made without any: %+v", n)
		}
	}
	rows := 0
	if err := here.read.QueryRowContext(t.Context(), "SELECT count(*) FROM told").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
	all := here.FollowAll(func(h *Happening) bool { return h.Mail != nil })
	defer all.Close()
	for !there.feed.relay.asked.Load() {
		if _, err := there.ConfigurationRevision(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if with := statementsOf(t, there); with != without {
		t.Errorf("20 mails and results take %d statements with a reader elsewhere, %d without", with, without)
	}
	for range 20 {
		<-all.Happenings
	}
	if here.feed.relay.asked.Load() {
		t.Error("a node writes for its own readers")
	}
	if lost, _ := all.Lost(); lost != 0 || all.Missed() != 0 {
		t.Errorf("%d lost", lost)
	}
}

// TestRelayIsBounded: more than a row holds is dropped and counted, and what is too large alone.
func TestRelayIsBounded(t *testing.T) {
	here, there := relayNodes(t)
	all := here.FollowAll(func(*Happening) bool { return true })
	defer all.Close()
	for !there.feed.relay.asked.Load() {
		if _, err := there.ConfigurationRevision(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refusal := func(recipient string) { there.feed.tell(Happening{Refusal: &Refusal{Recipient: recipient}}) }
	refusal(strings.Repeat("x", relayOctets))
	refusal("small")
	if h := <-all.Happenings; h.Refusal.Recipient != "small" {
		t.Errorf("%.20s", h.Refusal.Recipient)
	}
	const many = 20 * relayMost
	for range many {
		refusal("many")
	}
	for there.feed.relay.waiting() > 0 {
		if _, err := there.ConfigurationRevision(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refusal("last")
	heard := int64(1)
	for last := false; !last; heard++ {
		h := <-all.Happenings
		last = h.Refusal.Recipient == "last"
	}
	lost, unsure := all.Lost()
	if lost += all.Missed(); lost == 0 || unsure || heard+lost != many+3 {
		t.Errorf("%d heard, %d lost of %d, %v", heard, lost, many+3, unsure)
	}
}

// waiting is how much waits for the next row.
func (r *relay) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending)
}

// TestToldText: what another version of the program tells is passed over, and counts.
func TestToldText(t *testing.T) {
	for body, want := range map[string]int{
		`{"node":"a","events":[{"at":"2026-11-26T10:00:00Z","surprise":{"x":1}},{"refusal":{"id":"ref_1"},"more":1}],"new":[]}`: 1,
		`{"node":"a","events":[{"at":7},{"refusal":{"id":"ref_1"}}]}`:                                                           0,
		`[]`: 0, ``: 0, `null`: 0,
	} {
		var x told
		x.read([]byte(body))
		if list := x.happenings(); len(list) != want {
			t.Errorf("%s: %+v", body, list)
		}
	}
}

// TestRelayCounts: who reads knows how much it was not told, whatever became of a row.
func TestRelayCounts(t *testing.T) {
	database := throwaway.Database(t)
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Database: database, PackInBlobs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	node := func(name string) (*relay, *feed) { // one whose turns the test makes
		f := &feed{}
		r, err := newRelay(s.engine.(*postgresEngine), f, s.cfg.Log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.close() })
		f.relay = r
		r.begin("node_"+name, name)
		err = s.lease(t.Context(), func(w *writer) error { return s.writeMember(w, &Member{ID: "node_" + name, Name: name}, 1) })
		if err != nil {
			t.Fatal(err)
		}
		r.asked.Store(true)
		return r, f
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	here, heard := node("here")
	there, happens := node("there")
	reader := heard.follow(&Feed{ch: make(chan Happening, 10), wide: true, wanted: func(*Happening) bool { return true }})
	hear := func(what string, lost int64, doubt bool, want ...string) {
		t.Helper()
		do(here.follow(t.Context(), "node_here"))
		var got []string
		for len(reader.ch) > 0 {
			h := <-reader.ch
			got = append(got, h.Refusal.ID)
		}
		if n, unsure := reader.Lost(); n != lost || unsure != doubt || !slices.Equal(got, want) {
			t.Errorf("%s: it hears %q, and that %d were lost, %v", what, got, n, unsure)
		}
	}
	tell := func(id string) { happens.tell(Happening{Refusal: &Refusal{ID: id}}) }
	publish := func() { t.Helper(); do(there.publish(t.Context(), "node_there")) }
	givenUp := func() { // the last row was stored, and the node does not know it
		there.n--
		there.missed++
	}

	tell("before")
	publish()
	hear("what was told before it listened", 0, false)
	tell("1")
	tell("2")
	publish()
	hear("two", 0, false, "1", "2")
	tell("3")
	publish()
	do(s.eraseTold(t.Context()))
	tell("4")
	publish()
	hear("a row was removed", 1, false, "4")
	there.missed += 7
	publish()
	hear("some were dropped", 7, false)
	tell("5")
	publish()
	givenUp()
	tell("6")
	publish()
	hear("a row was given up and stored all the same", 0, false, "5", "6")
	tell("7")
	publish()
	givenUp()
	publish()
	hear("so was the last one", 0, false, "7")
	here.sure = here.sure.Add(-relayKept - time.Second)
	hear("for long nothing was heard", 0, true)
	hear("and then it was", 0, false)
	here.renewed = here.renewed.Add(-relayKept - time.Second)
	hear("for a moment nobody was asked", 0, true)
	hear("and then they were", 0, false)

	third, also := node("third")
	third.missed = 3
	also.tell(Happening{Refusal: &Refusal{ID: "8"}})
	do(third.publish(t.Context(), "node_third"))
	hear("a node that it hears first", 3, false, "8")
	do(here.rest(t.Context(), "node_here"))
	do(there.rest(t.Context(), "node_there"))
	rows := 0
	if err := s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM told").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows that nobody reads are left, %v", rows, err)
	}
}
