package dispatch

import (
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite"

	"github.com/letterhook/letterhook/storage"
)

const withAttachment = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf\r\n\r\nPDF\r\n"

// While the blobs are down a mail with an attachment waits and costs no attempt; mail without one goes on.
func TestBlobsDown(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	breaking := func(c *Config) { c.Blobs = brokenBlobs{c.Blobs, down.Load} }
	inBubble(t, []string{"one"}, breaking, nil, func(h *house, n *network, d *Dispatcher) {
		one := n.host("one", nil)
		stop := h.start(d)
		defer stop()
		h.accept(withAttachment, "one")
		<-time.After(time.Minute)
		plain := h.accept(mail("x"), "one")
		<-time.After(time.Second)
		synctest.Wait()
		if got := one.seen(); len(got) != 1 || got[0] != plain {
			t.Errorf("while the blobs are down it got %q", got)
		}
		if owed := h.owed("one"); len(owed) != 1 || owed[0].Attempts != 0 {
			t.Errorf("owed: %+v", owed)
		}
		down.Store(false)
		<-time.After(troublePause + time.Second)
		synctest.Wait()
		if got := one.seen(); len(got) != 2 {
			t.Errorf("after that it got %q", got)
		}
		stop()
	})
}

// What cannot be read for the whole of its maximum age is dead, not forgotten.
func TestUnreadableDiesOfAge(t *testing.T) {
	breaking := func(c *Config) { c.Blobs = brokenBlobs{c.Blobs, nil} }
	age := func(e *storage.Endpoint) { e.MaxAge = time.Minute }
	inBubble(t, []string{"one"}, breaking, age, func(h *house, n *network, d *Dispatcher) {
		one := n.host("one", nil)
		stop := h.start(d)
		defer stop()
		h.accept(withAttachment, "one")
		<-time.After(2 * time.Minute)
		synctest.Wait()
		rows, err := h.store.Deliveries(h.t.Context(), storage.DeliveryFilter{})
		if err != nil || len(rows) != 1 || rows[0].State != storage.StateDead || !strings.Contains(rows[0].Reason, "1m0s") {
			t.Errorf("%+v, %v", rows, err)
		}
		if len(one.seen()) != 0 {
			t.Error("something was sent")
		}
		counted := make(chan prometheus.Metric, 10)
		if d.metrics.attempts.Collect(counted); len(counted) != 0 {
			t.Errorf("%d kinds of attempts are counted; none was made", len(counted))
		}
		stop()
	})
}

// A stop waits for what is in flight and begins nothing new.
func TestDrain(t *testing.T) {
	inBubble(t, []string{"slow", "stuck"}, func(c *Config) { c.DrainTimeout = 5 * time.Second }, nil, func(h *house, n *network, d *Dispatcher) {
		slow := n.host("slow", func(http.ResponseWriter, *http.Request) { <-time.After(3 * time.Second) })
		stuck := n.host("stuck", untilTimeout)
		stop := h.start(d)
		for range 10 {
			h.accept(mail("x"), "slow")
		}
		h.accept(mail("x"), "stuck")
		<-time.After(time.Second) // attempts give way to accepts for a moment
		begun := time.Now()
		stop()
		if took := time.Since(begun); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if got, left := len(slow.seen()), len(h.owed("slow")); got != firstConcurrency || left != 10-got {
			t.Errorf("%d delivered, %d left of 10", got, left)
		}
		if owed := h.owed("stuck"); len(stuck.seen()) != 1 || len(owed) != 1 || owed[0].Attempts != 0 {
			t.Errorf("what was cut: %+v", owed)
		}
		rows, err := h.store.Attempts(h.t.Context(), h.owed("stuck")[0].ID)
		if err != nil || len(rows) != 0 {
			t.Errorf("the cut attempt was recorded: %+v, %v", rows, err)
		}
	})
}

// What waits for octets in flight when a stop comes does not begin once there is room: the end of the drain would cut it, and
// the endpoint would hear it twice.
func TestDrainBeginsNothingThatWaited(t *testing.T) {
	small := func(c *Config) { c.DrainTimeout, c.BytesInFlight = 5*time.Second, 1<<17 }
	inBubble(t, []string{"first", "second"}, small, nil, func(h *house, n *network, d *Dispatcher) {
		slow := func(http.ResponseWriter, *http.Request) { <-time.After(3 * time.Second) }
		first, second := n.host("first", slow), n.host("second", slow)
		stop := h.start(d)
		h.accept(mail("x"), "first")
		<-time.After(time.Second)
		h.accept(mail("y"), "second")
		<-time.After(time.Second)
		if got := d.Status(h.ids["second"]).InFlight; got != 1 || len(first.seen()) != 1 || len(second.seen()) != 0 {
			t.Fatalf("%d attempts wait, and the endpoints have got %d and %d", got, len(first.seen()), len(second.seen()))
		}
		stop()
		if owed := h.owed("second"); len(h.owed("first")) != 0 || len(owed) != 1 || owed[0].Attempts != 0 {
			t.Errorf("after the stop %d and %+v are owed", len(h.owed("first")), owed)
		}
		d = h.dispatcher(small)
		d.sender.dial = n.dial
		stop = h.start(d)
		<-time.After(4 * time.Second)
		stop()
		if got := len(second.seen()); got != 1 {
			t.Errorf("the mail came %d times", got)
		}
		if owed := h.owed("second"); len(owed) != 0 {
			t.Errorf("%+v is still owed", owed)
		}
	})
}

// After a crash the attempts that were in flight are made again, with the same id and the same body but for the links.
func TestCrashRepeats(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	id := h.accept(withAttachment, "one")
	row := h.owed("one")[0]
	var bodies []string
	for range 2 { // two lives that post and die before they record
		d := h.dispatcher(nil)
		j := &job{lane: &lane{endpoint: h.ids["one"]}, delivery: row, letter: newLetter(id)}
		post, _, err := d.compose(t.Context(), j, h.directory.Endpoints[h.ids["one"]], &share{from: d.desk})
		if err != nil {
			t.Fatal(err)
		}
		if res := d.sender.Send(t.Context(), post); res.Outcome != OutcomeDelivered {
			t.Fatalf("%+v", res)
		}
		d.sender.Close()
		h.close()
		h.open()
	}
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	for range 3 {
		got := <-hits
		if got.header.Get("webhook-id") != id || got.header.Get("letterhook-attempt") != "1" {
			t.Errorf("%v", got.header)
		}
		data := got.event.Data
		data.Raw.URL, data.Raw.URLExpiresAt, data.Attachments[0].URL, data.Attachments[0].URLExpiresAt = nil, Time{}, nil, Time{}
		var r renderer
		b, err := r.render(&got.event, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	stop()
	if bodies[0] != bodies[1] || bodies[1] != bodies[2] {
		t.Errorf("the bodies differ:\n%s", strings.Join(bodies, "\n"))
	}
	objects := 0
	for _, err := range h.blobs.List(t.Context(), "att/") {
		if objects++; err != nil {
			t.Fatal(err)
		}
	}
	if objects != 1 || len(h.owed("one")) != 0 {
		t.Errorf("%d attachments stored, %d still owed", objects, len(h.owed("one")))
	}
}

// A store that cannot record keeps the dispatcher from sending again; when it can, the record is made.
func TestRecordIsOfferedAgain(t *testing.T) {
	var once sync.Once
	broke, mended := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(broke) })
		<-mended
	}))
	defer srv.Close()
	h := build(t, storage.Endpoint{Name: "one", URL: srv.URL})
	defer h.close()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.folder, storage.DatabaseName)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := h.dispatcher(nil)
	refused := make(chan struct{}, 100)
	d.metrics.unrecorded = refusals{d.metrics.unrecorded, refused}
	stop := h.start(d)
	defer stop()
	h.accept(mail("x"), "one")
	<-broke
	if _, err := db.Exec("CREATE TRIGGER broken BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'no'); END"); err != nil {
		t.Fatal(err)
	}
	close(mended)
	<-refused
	if owed := h.owed("one"); len(owed) != 1 {
		t.Errorf("owed: %+v", owed)
	}
	if _, err := db.Exec("DROP TRIGGER broken"); err != nil {
		t.Fatal(err)
	}
	stop()
	if owed := h.owed("one"); len(owed) != 0 {
		t.Errorf("still owed: %+v", owed)
	}
}

// An endpoint that is no longer declared waits; declared again, it gets its mail.
func TestDisabledEndpointWaits(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url}, storage.Endpoint{Name: "two", URL: url})
	defer h.close()
	waits := h.accept(mail("waits"), "one")
	h.declare(storage.Endpoint{Name: "two", URL: url})
	var directory atomic.Pointer[storage.Directory]
	directory.Store(h.directory)
	d := h.dispatcher(func(c *Config) { c.Directory = directory.Load })
	stop := h.start(d)
	defer stop()
	other := h.accept(mail("other"), "two")
	if got := <-hits; got.event.Data.ID != other {
		t.Errorf("%s", got.body)
	}
	h.declare(storage.Endpoint{Name: "one", URL: url}, storage.Endpoint{Name: "two", URL: url})
	directory.Store(h.directory)
	d.Wake()
	if got := <-hits; got.event.Data.ID != waits {
		t.Errorf("%s", got.body)
	}
	stop()
}

// A replay asked for by another process is seen without a call.
func TestForeignRetryIsSeen(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	id := h.accept(mail("x"), "one")
	<-hits
	beside, err := storage.Open(t.Context(), storage.Config{Dir: h.folder, Blobs: h.blobs, Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	// The record of the first attempt may still be on its way.
	for err = storage.ErrNotFound; errors.Is(err, storage.ErrNotFound); {
		var rows []storage.DeliveryRow
		if rows, err = beside.Deliveries(t.Context(), storage.DeliveryFilter{}); err != nil {
			t.Fatal(err)
		}
		if rows[0].State != storage.StateDelivered {
			err = storage.ErrNotFound
			continue
		}
		err = beside.Retry(t.Context(), rows[0].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := <-hits
	if got.header.Get("webhook-id") != id || got.header.Get("letterhook-replay") != "true" {
		t.Errorf("%v", got.header)
	}
	stop()
}

// After 413 all further attempts are in the smallest form.
func TestTooLargeIsSentSmallest(t *testing.T) {
	url, hits := receiver(t, func(n int, w http.ResponseWriter) {
		if n <= 2 {
			w.WriteHeader([]int{http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable}[n-1])
		}
	})
	h := build(t, storage.Endpoint{Name: "one", URL: url, Schedule: []time.Duration{time.Millisecond, time.Millisecond}})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	h.accept(mail("x"), "one")
	first, _, second := <-hits, <-hits, <-hits
	if *first.event.Data.Text == "" || *second.event.Data.Text != "" || len(second.event.Data.Headers) != 0 {
		t.Errorf("%s\n%s", first.body, second.body)
	}
	if got := strings.Join(second.event.Data.Parse.Truncated, ","); got != "text,headers" {
		t.Errorf("truncated %s", got)
	}
	stop()
}

// The log names the line of the configuration when a private address is refused.
func TestBlockedNamesTheLine(t *testing.T) {
	url, _ := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url, Source: "letterhook.yaml:41", Schedule: []time.Duration{}})
	defer h.close()
	d := h.dispatcher(func(c *Config) { c.AllowLoopback = false })
	settled := make(chan struct{})
	d.step = func(s string) {
		if s == "posted" {
			close(settled)
		}
	}
	stop := h.start(d)
	defer stop()
	h.accept(mail("x"), "one")
	<-settled
	stop()
	for _, want := range []string{`"declared":"letterhook.yaml:41"`, `"hint":"allow_private`, `"outcome":"blocked"`, "127.0.0.1"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, h.log)
		}
	}
	rows, err := h.store.Attempts(t.Context(), h.attemptsOf(t))
	if err != nil || len(rows) != 1 || strings.Contains(rows[0].Detail.Error, "127.0.0.1") || rows[0].Detail.RemoteAddr != "" {
		t.Errorf("what the tenant sees: %+v, %v", rows, err)
	}
}

// attemptsOf is the id of the only message.
func (h *house) attemptsOf(t *testing.T) string {
	t.Helper()
	mails, err := h.store.Messages(t.Context(), storage.MessageFilter{})
	if err != nil || len(mails) != 1 {
		t.Fatalf("%d messages, %v", len(mails), err)
	}
	return mails[0].ID
}

// refusals tells of every increment.
type refusals struct {
	prometheus.Counter
	told chan struct{}
}

func (r refusals) Inc() {
	r.Counter.Inc()
	r.told <- struct{}{}
}
