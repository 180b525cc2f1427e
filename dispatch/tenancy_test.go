package dispatch

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// A node takes a lane whenever mail comes to an endpoint that has had none for a while. An endpoint that has asked for a rest is left in
// peace meanwhile.
func TestTakenLanesDisturbNoRest(t *testing.T) {
	endpoints := []storage.Endpoint{{Name: "tired"}}
	for _, name := range names("idle", 20) {
		endpoints = append(endpoints, storage.Endpoint{Name: name})
	}
	inFellowship(t, 1, endpoints, func(f *fellowship) {
		asked := 0
		f.network.hosts["tired:80"].answer = func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		for _, e := range endpoints {
			f.at(f.fellows[0], e.Name)
			<-time.After(time.Minute)
		}
		if asked != 1 {
			t.Errorf("an endpoint that wants an hour of rest was asked %d times in %d minutes", asked, len(endpoints))
		}
	})
}

// Lanes with work that nobody was told of are claimed when a node starts, and not half a minute later: the node that stored it may
// have died before it woke anybody.
func TestStartClaimsWhatIsOwed(t *testing.T) {
	inFellowship(t, 0, []storage.Endpoint{{Name: "one"}}, func(f *fellowship) {
		one := &senders{}
		f.network.hosts["one:80"].answer = one.answer
		id := f.accept(mail("x"), "one")
		f.join()
		<-time.After(time.Second)
		if got, _ := one.requests(); len(got) != 1 || got[0] != id {
			t.Errorf("after a second %v of %s has come", got, id)
		}
	})
}

// A node asks an endpoint on behalf of senders that wait, and counts that in its rate. Its lane stays another node's.
func TestQuestionsTakeNoLane(t *testing.T) {
	rate := storage.Rate{Every: time.Second, Burst: 1}
	inFellowship(t, 2, []storage.Endpoint{{Name: "one", Rate: rate, Ordered: true}}, func(f *fellowship) {
		one := &senders{wait: make(chan struct{})}
		f.network.hosts["one:80"].answer = one.answer
		f.at(f.fellows[0], "one") // it owns the lane
		<-time.After(time.Second)
		other := f.fellows[1]
		begun := time.Now()
		for range 3 {
			for later := other.board.question(f.ids["one"], time.Now()); !later.IsZero(); later = other.board.question(f.ids["one"], time.Now()) {
				<-time.After(time.Until(later))
			}
		}
		if took := time.Since(begun); took < 4*time.Second {
			t.Errorf("three questions in %s, at a rate of one a second that two nodes share", took)
		}
		if n := other.board.owned(); n != 0 {
			t.Errorf("the other node owns %d lanes", n)
		}
		f.at(other, "one")
		<-time.After(5 * time.Second)
		if _, from := one.requests(); strings.Contains(fmt.Sprint(from), other.name) {
			t.Errorf("both nodes send: %v", from)
		}
		close(one.wait)
		<-time.After(5 * time.Second)
		if got, from := one.requests(); len(got) != 2 || one.both || from[1] != f.fellows[0].name {
			t.Errorf("%v came from %v", got, from)
		}
	})
}

// An answer of the ledger that comes when the lease is over takes no lane, and what was released under one lease stays under the next.
func TestOvertakenAnswers(t *testing.T) {
	b := newBoard(1, 1<<20, func(string) terms { return termsOf(&storage.Endpoint{}) })
	b.share(func(time.Time) bool { return true })
	now := time.Now()
	b.begin(7)
	if !b.own(7, []string{"ep_1"}, nil, now) || b.owned() != 1 {
		t.Fatal("a lane under the lease is not taken")
	}
	b.disown()
	if b.own(7, []string{"ep_1"}, nil, now) || b.owned() != 0 {
		t.Error("a lane is taken under a lease that is over")
	}
	b.begin(8)
	if b.own(7, []string{"ep_1"}, nil, now) || !b.own(8, []string{"ep_1"}, nil, now) {
		t.Error("the lane is not that of the new lease")
	}
	if b.released(7, []string{"ep_1"}); b.owned() != 1 {
		t.Error("what was released under the old lease went under the new one")
	}
	if b.released(8, []string{"ep_1"}); b.owned() != 0 {
		t.Error("a lane that was released is still owned")
	}
}
