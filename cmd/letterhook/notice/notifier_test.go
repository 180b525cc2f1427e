package notice

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// operator is told by webhook, and by nothing else.
type operator struct {
	t     *testing.T
	store *storage.Store
	n     *Notifier

	mu    sync.Mutex
	deaf  bool
	tries int
	heard []string // ids, in their order
}

func newOperator(t *testing.T, store *storage.Store) *operator {
	o := &operator{t: t, store: store}
	o.n = New(Config{Store: store, Webhook: &storage.Endpoint{}, Log: slog.New(slog.DiscardHandler), Send: o.send})
	return o
}

func (o *operator) send(_ context.Context, p *dispatch.Post) dispatch.Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tries++
	if o.deaf {
		return dispatch.Result{Outcome: dispatch.OutcomeRefused}
	}
	o.heard = append(o.heard, p.ID)
	return dispatch.Result{Outcome: dispatch.OutcomeDelivered}
}

func (o *operator) setDeaf(deaf bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deaf = deaf
}

func (o *operator) counts() (tries, heard int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tries, len(o.heard)
}

// run runs the notifier; stop ends it.
func (o *operator) run() (stop func()) {
	ctx, cancel := context.WithCancel(o.t.Context())
	done := make(chan error)
	go func() { done <- o.n.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Error(err)
		}
	}
}

// change is what the dispatcher does about a change: it is stored with the life of its endpoint, then looked for.
func (o *operator) change(c dispatch.EndpointChange) {
	o.t.Helper()
	c.At = time.Now()
	var notices []storage.Notice
	if made := o.n.Notice(c); made != nil {
		notices = append(notices, *made)
	}
	life := storage.EndpointLife{Endpoint: c.Endpoint, State: c.To}
	if _, err := o.store.SaveLives(o.t.Context(), []storage.EndpointLife{life}, notices...); err != nil {
		o.t.Fatal(err)
	}
	o.n.Look(c)
}

func (o *operator) left() int {
	o.t.Helper()
	left, err := o.store.Notices(o.t.Context(), storage.NoticeByWebhook, 1<<20)
	if err != nil {
		o.t.Fatal(err)
	}
	return len(left)
}

// withStore runs a test in a bubble with a store in a temporary folder.
func withStore(t *testing.T, test func(t *testing.T, store *storage.Store)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := storage.Open(t.Context(), storage.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		test(t, store)
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func broken(i int) dispatch.EndpointChange {
	return dispatch.EndpointChange{Endpoint: fmt.Sprintf("ep_%d", i), From: storage.EndpointEnabled, To: storage.EndpointBroken}
}

// TestManyAtOnce tells each once, in order, and nothing of what the operator did himself.
func TestManyAtOnce(t *testing.T) {
	withStore(t, func(t *testing.T, store *storage.Store) {
		o := newOperator(t, store)
		stop := o.run()
		for i := range 100 {
			o.change(broken(i))
			o.change(dispatch.EndpointChange{Endpoint: fmt.Sprintf("ep_%d", i), From: storage.EndpointEnabled, To: storage.EndpointPaused})
			<-time.After(time.Millisecond) // ids are ordered by it
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if len(o.heard) != 100 || o.tries != 100 || !slices.IsSorted(o.heard) || o.left() != 0 {
			t.Errorf("%d notices in %d requests, %d left: %q", len(o.heard), o.tries, o.left(), o.heard)
		}
		stop()
	})
}

// TestToldAfterARestart ends the program while nobody listens: the next one tells, once, and what came meanwhile too.
func TestToldAfterARestart(t *testing.T) {
	withStore(t, func(t *testing.T, store *storage.Store) {
		before := newOperator(t, store)
		before.setDeaf(true)
		stop := before.run()
		before.change(broken(1))
		<-time.After(time.Minute)
		stop()
		if tries, _ := before.counts(); tries < 2 {
			t.Errorf("%d tries", tries)
		}
		before.change(broken(2)) // saved by the end of the dispatcher, after that of the notifier
		after := newOperator(t, store)
		stop = after.run()
		<-time.After(time.Minute)
		stop()
		if tries, heard := after.counts(); heard != 2 || tries != 2 || after.left() != 0 {
			t.Errorf("%d notices in %d requests, %d left", heard, tries, after.left())
		}
	})
}

// TestGivenUpInTheEnd has nobody take a notice for days, and then takes the ones that come later.
func TestGivenUpInTheEnd(t *testing.T) {
	withStore(t, func(t *testing.T, store *storage.Store) {
		o := newOperator(t, store)
		o.setDeaf(true)
		stop := o.run()
		o.change(broken(1))
		<-time.After(maxAge + time.Hour)
		tries, _ := o.counts()
		if least, most := int(maxAge/waits[3])-10, int(maxAge/waits[3])+10; tries < least || tries > most || o.left() != 0 {
			t.Errorf("%d tries, %d left", tries, o.left())
		}
		o.setDeaf(false)
		o.change(broken(2))
		<-time.After(time.Minute)
		if _, heard := o.counts(); heard != 1 {
			t.Errorf("%d were told", heard)
		}
		stop()
	})
}

// TestWayThatIsGone forgets what was to be told by mail once there is no mail any more.
func TestWayThatIsGone(t *testing.T) {
	withStore(t, func(t *testing.T, store *storage.Store) {
		mailed := New(Config{Store: store, Mail: &Mail{}, Log: slog.New(slog.DiscardHandler)})
		c := broken(1)
		c.At = time.Now()
		if _, err := store.SaveLives(t.Context(), nil, *mailed.Notice(c)); err != nil {
			t.Fatal(err)
		}
		o := newOperator(t, store)
		stop := o.run()
		synctest.Wait()
		left, err := store.Notices(t.Context(), storage.NoticeByMail, 10)
		if err != nil || len(left) != 0 {
			t.Errorf("%d left, error %v", len(left), err)
		}
		stop()
	})
}
