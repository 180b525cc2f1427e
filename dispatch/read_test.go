package dispatch

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// A read of a backlog takes the mails along as far as half of the memory budget has room for them, and a lane that turns
// suspect gives that back.
func TestReadTakesMailsAlong(t *testing.T) {
	const each = letterCost + jobCost
	b := newBoard(8, 2*2*(each+recipientCost), anybody(8))
	b.sweep([]storage.LaneHead{{Endpoint: "a", DueAt: epoch}}, false, epoch)
	r := b.nextRead(epoch)
	var rows []storage.Delivery
	for i := range 5 {
		rows = append(rows, storage.Delivery{ID: fmt.Sprintf("d%d", i), Message: fmt.Sprintf("m%d", i), Endpoint: "a", DueAt: epoch})
	}
	ids := b.lacking([]*read{r}, [][]storage.Delivery{rows})
	if len(ids) != 2 || ids[0] != "m0" || ids[1] != "m1" {
		t.Fatalf("lacking: %v", ids)
	}
	b.readDone(r, rows, map[string]*storage.Mail{"m1": {ID: "m1"}, "m0": {ID: "m0"}}, nil, epoch)
	if n := b.counts(); n.memory != 2*each {
		t.Errorf("memory %d, want %d", n.memory, 2*each)
	}
	first, second := b.next(epoch), b.next(epoch)
	if first.letter.mail == nil || first.letter.mail.ID != "m0" || second.letter.mail == nil || second.letter.mail.ID != "m1" {
		t.Errorf("the mails did not come along: %+v %+v", first.letter, second.letter)
	}
	b.posted(second, &Result{Outcome: OutcomeDelivered}, epoch)
	if n := b.counts(); n.memory != each {
		t.Errorf("memory %d after one attempt, want %d", n.memory, each)
	}
}

func TestSuspectLaneHoldsNoMails(t *testing.T) {
	b := newBoard(8, 1<<20, anybody(8))
	b.sweep([]storage.LaneHead{{Endpoint: "a", DueAt: epoch}}, false, epoch)
	r := b.nextRead(epoch)
	rows := []storage.Delivery{{ID: "d0", Message: "m0", Endpoint: "a", DueAt: epoch}, {ID: "d1", Message: "m1", Endpoint: "a", DueAt: epoch}}
	b.readDone(r, rows, map[string]*storage.Mail{"m0": {ID: "m0"}, "m1": {ID: "m1"}}, nil, epoch)
	j := b.next(epoch)
	b.posted(j, &Result{Outcome: OutcomeTimeout, Err: errors.New("it hangs")}, epoch)
	if n := b.counts(); !b.lanes["a"].pace.suspect || n.memory != 0 || len(b.letters) != 0 {
		t.Errorf("suspect %v, memory %d, %d letters", b.lanes["a"].pace.suspect, n.memory, len(b.letters))
	}
	if j := b.next(epoch); j == nil || j.letter == nil || j.letter.mail != nil {
		t.Errorf("the delivery is not attempted, or with what was given back: %+v", j)
	}
}

// Mail that came to a lane while the node did not own it is read from the store, and goes before backlogs as if it had been handed over.
func TestReadNewcomersGoFirst(t *testing.T) {
	b := newBoard(1<<10, 1<<20, anybody(1))
	read := func(endpoint string, due time.Time, rows int) {
		b.sweep([]storage.LaneHead{{Endpoint: endpoint, DueAt: due}}, false, epoch)
		r := b.nextRead(epoch)
		var found []storage.Delivery
		for i := range rows {
			found = append(found, storage.Delivery{ID: fmt.Sprintf("%s-%d", endpoint, i), Message: endpoint, Endpoint: endpoint, DueAt: due})
		}
		b.readDone(r, found, nil, nil, epoch)
	}
	for i := range 100 {
		read(fmt.Sprintf("old%d", i), epoch.Add(-time.Hour), 3)
	}
	read("long", epoch.Add(-time.Second), 16)
	read("new", epoch.Add(-time.Second), 2)
	turns := map[string][]int{}
	for turn := range 100 {
		j := b.next(epoch)
		turns[j.lane.endpoint] = append(turns[j.lane.endpoint], turn)
		b.posted(j, &Result{Outcome: OutcomeDelivered}, epoch)
	}
	if got := turns["new"]; len(got) != 1 || got[0] > 1 {
		t.Errorf("what just came in has had the turns %v of a hundred: want one of the first two, and then as any other", got)
	}
	if got := turns["long"]; len(got) != 0 {
		t.Errorf("a lane of which more is to be read has had the turns %v", got)
	}
}
