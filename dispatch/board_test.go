package dispatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// world is a model of everything around a board: the rows of the store, the snapshots that reads take of them, attempts
// in flight and records on their way. It checks the promises of the board as it goes.
type world struct {
	t    *rapid.T
	b    *board
	now  time.Time
	rows map[string]storage.Delivery
	n    int

	reads    []readUnderWay
	inFlight []*job
	unsaved  []unsaved
	started  map[string]int // attempts begun, by delivery
	finished map[string]bool
}

// worldBudget has room for eight mails of 1,000 octets.
const worldBudget = 8 * (1000 + letterCost + jobCost)

type readUnderWay struct {
	read *read
	rows []storage.Delivery
}

type unsaved struct {
	job     *job
	retryAt time.Time
}

func newWorld(t *rapid.T) *world {
	look := anybody(4)
	return &world{
		t: t, b: newBoard(8, worldBudget, look), now: epoch, rows: map[string]storage.Delivery{},
		started: map[string]int{}, finished: map[string]bool{},
	}
}

// anybody says the same of every endpoint.
func anybody(concurrency int) func(string) terms {
	one := &storage.Endpoint{Concurrency: concurrency}
	return func(string) terms { return termsOf(one) }
}

func (w *world) endpoint() string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(w.t, "endpoint")
}

// accept puts rows into the store and tells the board, or not, as after a crash or from another process.
func (w *world) accept() {
	w.n++
	a := storage.Accepted{Mail: &storage.Mail{ID: fmt.Sprintf("msg_%d", w.n)}, Raw: make([]byte, 1000)}
	for i := range rapid.IntRange(1, 2).Draw(w.t, "deliveries") {
		d := storage.Delivery{ID: fmt.Sprintf("dlv_%d_%d", w.n, i), Message: a.Mail.ID, Endpoint: w.endpoint(), DueAt: w.now, CreatedAt: w.now}
		w.rows[d.ID] = d
		a.Deliveries = append(a.Deliveries, d)
	}
	if rapid.IntRange(0, 4).Draw(w.t, "told") > 0 {
		w.b.handOver([]storage.Accepted{a}, w.now)
	}
}

func (w *world) start() {
	j := w.b.next(w.now)
	if j == nil {
		return
	}
	row, ok := w.rows[j.delivery.ID]
	switch {
	case !ok:
		w.t.Fatalf("%s is attempted although it is finished", j.delivery.ID)
	case row.Attempts != j.delivery.Attempts:
		w.t.Fatalf("%s is attempted with the row of attempt %d, after %d", row.ID, j.delivery.Attempts+1, row.Attempts)
	case w.started[row.ID] != row.Attempts:
		w.t.Fatalf("%s is attempted again before its record", row.ID)
	case row.DueAt.After(w.now):
		w.t.Fatalf("%s is attempted before its time", row.ID)
	}
	w.started[row.ID]++
	w.inFlight = append(w.inFlight, j)
	if n := w.b.counts(); n.inFlight != len(w.inFlight) || n.inFlight > 8 || n.suspects > 2 || n.memory > worldBudget {
		w.t.Fatalf("%+v with %d in flight", n, len(w.inFlight))
	}
}

func (w *world) finish() {
	if len(w.inFlight) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.inFlight)-1).Draw(w.t, "which")
	j := w.inFlight[i]
	w.inFlight = slices.Delete(w.inFlight, i, i+1)
	switch rapid.IntRange(0, 5).Draw(w.t, "how") {
	case 0:
		w.started[j.delivery.ID]--
		w.b.unmade(j, rapid.Bool().Draw(w.t, "of the mail"), w.now)
	case 1:
		w.b.posted(j, &Result{Outcome: OutcomeTimeout}, w.now)
		w.unsaved = append(w.unsaved, unsaved{j, w.now.Add(2 * time.Second)})
	case 2:
		w.b.posted(j, &Result{Outcome: OutcomeStatus, Status: 503, RetryAfter: 3 * time.Second}, w.now)
		w.unsaved = append(w.unsaved, unsaved{j, w.now.Add(50 * time.Second)})
	default:
		w.b.posted(j, &Result{Outcome: OutcomeDelivered}, w.now)
		w.unsaved = append(w.unsaved, unsaved{job: j})
	}
}

// record commits a record and, in the same step or later, tells the board.
func (w *world) record() {
	if len(w.unsaved) == 0 {
		return
	}
	u := w.unsaved[0]
	w.unsaved = w.unsaved[1:]
	row := w.rows[u.job.delivery.ID]
	if u.retryAt.IsZero() {
		delete(w.rows, row.ID)
		w.finished[row.ID] = true
	} else {
		row.Attempts++
		row.DueAt = u.retryAt
		w.rows[row.ID] = row
	}
	w.b.recorded(u.job, u.retryAt, w.now)
}

// beginRead takes the snapshot.
func (w *world) beginRead() {
	for _, r := range w.b.nextReads(w.now) {
		w.reads = append(w.reads, w.answer(r))
	}
}

func (w *world) answer(r *read) readUnderWay {
	var rows []storage.Delivery
	for _, d := range w.rows {
		if d.Endpoint == r.lane.endpoint && !d.DueAt.After(r.dueBy) && after(d, r.after) {
			rows = append(rows, d)
		}
	}
	slices.SortFunc(rows, func(a, b storage.Delivery) int {
		if c := a.DueAt.Compare(b.DueAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return readUnderWay{r, rows[:min(len(rows), r.limit)]}
}

func after(d storage.Delivery, c storage.Cursor) bool {
	return d.DueAt.After(c.DueAt) || (d.DueAt.Equal(c.DueAt) && d.ID > c.ID)
}

func (w *world) endRead() {
	if len(w.reads) == 0 {
		return
	}
	r := w.reads[0]
	w.reads = w.reads[1:]
	if rapid.IntRange(0, 9).Draw(w.t, "fails") == 0 {
		w.b.readDone(r.read, nil, nil, fmt.Errorf("locked"), w.now)
		return
	}
	mails := map[string]*storage.Mail{}
	for _, id := range w.b.lacking([]*read{r.read}, [][]storage.Delivery{r.rows}) {
		if rapid.IntRange(0, 9).Draw(w.t, "unreadable") > 0 {
			mails[id] = &storage.Mail{ID: id}
		}
	}
	w.b.readDone(r.read, r.rows, mails, nil, w.now)
}

func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	w.b.tick(w.now)
}

func (w *world) sweep() {
	oldest := map[string]time.Time{}
	for _, d := range w.rows {
		if at, ok := oldest[d.Endpoint]; !ok || d.DueAt.Before(at) {
			oldest[d.Endpoint] = d.DueAt
		}
	}
	var heads []storage.LaneHead
	for endpoint, at := range oldest {
		heads = append(heads, storage.LaneHead{Endpoint: endpoint, DueAt: at})
	}
	slices.SortFunc(heads, func(a, b storage.LaneHead) int { return strings.Compare(a.Endpoint, b.Endpoint) })
	w.b.sweep(heads, rapid.Bool().Draw(w.t, "probe"), w.now)
}

// drain lets the world run on with no new mail until nothing is owed. It takes sweeps and time, nothing else.
func (w *world) drain() {
	for range 3000 {
		if len(w.rows) == 0 && len(w.inFlight) == 0 && len(w.unsaved) == 0 {
			return
		}
		if w.now.Unix()%30 == 0 {
			w.sweep()
		}
		for range 20 {
			w.beginRead()
			w.endRead()
			w.start()
		}
		for _, j := range w.inFlight {
			w.b.posted(j, &Result{Outcome: OutcomeDelivered}, w.now)
			w.unsaved = append(w.unsaved, unsaved{job: j})
		}
		w.inFlight = nil
		for len(w.unsaved) > 0 {
			w.record()
		}
		w.pass(time.Second)
	}
	w.t.Fatalf("%d rows were forgotten: %v", len(w.rows), w.rows)
}

// Whatever happens in whatever order: no delivery is attempted twice at once, early, or from an old row, the bounds hold,
// and in the end nothing is forgotten and no memory is left behind.
func TestBoardHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"accept":     func(*rapid.T) { w.accept() },
			"start":      func(*rapid.T) { w.start() },
			"finish":     func(*rapid.T) { w.finish() },
			"record":     func(*rapid.T) { w.record() },
			"begin read": func(*rapid.T) { w.beginRead() },
			"end read":   func(*rapid.T) { w.endRead() },
			"pass":       func(t *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond) },
			"sweep":      func(*rapid.T) { w.sweep() },
		})
		w.drain()
		w.pass(time.Hour)
		for range 100 {
			w.beginRead()
			w.endRead()
			w.pass(time.Second)
		}
		if n := w.b.counts(); n != (counts{}) || len(w.b.letters) != 0 || len(w.b.timers) != 0 {
			t.Fatalf("left behind: %+v, %d letters, %d timers", n, len(w.b.letters), len(w.b.timers))
		}
	})
}

// Mails without content fill the memory budget too.
func TestEmptyMailsAreNotFree(t *testing.T) {
	const budget = 1 << 20
	b := newBoard(1, budget, anybody(1))
	kept := 0
	for i := range 10_000 {
		id := fmt.Sprintf("m%d", i)
		m := &storage.Mail{ID: id, Envelope: inbound.Envelope{Recipients: make([]inbound.Recipient, 100)}}
		n, _ := b.handOver([]storage.Accepted{{Mail: m, Raw: []byte{}, Deliveries: []storage.Delivery{
			{ID: id, Message: id, Endpoint: fmt.Sprintf("e%d", i%8), DueAt: epoch},
		}}}, epoch)
		kept += n
	}
	if most := budget / (100 * recipientCost); kept == 0 || kept > most {
		t.Errorf("%d are kept, at most %d have room", kept, most)
	}
}

// Lanes take turns: no lane waits for more than one delivery of each other.
func TestBoardTakesTurns(t *testing.T) {
	w := &world{b: newBoard(1, 1<<20, anybody(8)), now: epoch}
	for i := range 40 {
		for _, endpoint := range []string{"a", "b", "c", "d"} {
			id := fmt.Sprintf("%s%d", endpoint, i)
			w.b.handOver([]storage.Accepted{{Mail: &storage.Mail{ID: id}, Raw: []byte("x"), Deliveries: []storage.Delivery{
				{ID: id, Message: id, Endpoint: endpoint, DueAt: epoch},
			}}}, epoch)
		}
	}
	last := map[string]int{}
	for turn := range 160 {
		j := w.b.next(epoch)
		endpoint := j.lane.endpoint
		if gap := turn - last[endpoint]; turn > 8 && gap > 8 {
			t.Fatalf("turn %d: %s has waited for %d turns", turn, endpoint, gap)
		}
		last[endpoint] = turn
		w.b.posted(j, &Result{Outcome: OutcomeDelivered}, epoch)
		w.b.recorded(j, time.Time{}, epoch)
	}
	if w.b.next(epoch) != nil {
		t.Error("there is more than was handed over")
	}
}

// A backlog is served while there are more new lanes than slots, for as long as that lasts.
func TestNewcomersStarveNobody(t *testing.T) {
	b := newBoard(1, 1<<20, anybody(8))
	b.sweep([]storage.LaneHead{{Endpoint: "old", DueAt: epoch}}, false, epoch)
	var rows []storage.Delivery
	for i := range 16 {
		id := fmt.Sprintf("old%02d", i)
		rows = append(rows, storage.Delivery{ID: id, Message: id, Endpoint: "old", DueAt: epoch})
	}
	r := b.nextRead(epoch)
	b.readDone(r, rows[:r.limit], nil, nil, epoch)
	served := 0
	for turn := range 40 {
		id := fmt.Sprintf("new%d", turn)
		b.handOver([]storage.Accepted{{Mail: &storage.Mail{ID: id}, Raw: []byte("x"), Deliveries: []storage.Delivery{
			{ID: id, Message: id, Endpoint: id, DueAt: epoch},
		}}}, epoch)
		j := b.next(epoch)
		if j.lane.endpoint == "old" {
			served++
		}
		b.posted(j, &Result{Outcome: OutcomeDelivered}, epoch)
		b.recorded(j, time.Time{}, epoch)
	}
	if served < 9 {
		t.Errorf("the backlog had %d of 40 turns", served)
	}
}
