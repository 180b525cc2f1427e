package dispatch

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// Mails whose bytes are lost stop nobody: not those behind them, not those that come.
func TestLostMailsStopNobody(t *testing.T) {
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		one := n.host("one", nil)
		for range 3 * maxDeferred {
			h.accept(mail("lost"), "one")
		}
		if err := os.RemoveAll(h.folder + "/segments"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(h.folder+"/segments", 0o700); err != nil {
			t.Fatal(err)
		}
		<-time.After(11 * time.Minute) // by then a new segment begins with the next mail
		behind := h.accept(mail("behind"), "one")
		stop := h.start(d)
		defer stop()
		<-time.After(time.Second)
		fresh := h.accept(mail("fresh"), "one")
		<-time.After(time.Second)
		synctest.Wait()
		if got := one.seen(); len(got) != 2 || !slices.Contains(got, behind) || !slices.Contains(got, fresh) {
			t.Errorf("of %s and %s it got %q", behind, fresh, got)
		}
		<-time.After(4 * time.Hour)
		stop()
		if lines := strings.Count(h.log.String(), "could not be made ready"); lines > 8*3*maxDeferred {
			t.Errorf("%d lines in the log in four hours", lines)
		}
		if owed := h.owed("one"); len(owed) != 3*maxDeferred {
			t.Errorf("%d are still owed", len(owed))
		}
	})
}

// While the blobs are down, fresh mail without attachments goes on, however many with attachments wait.
func TestBlobsDownWithBacklog(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	breaking := func(c *Config) { c.Blobs = brokenBlobs{c.Blobs, down.Load} }
	inBubble(t, []string{"one"}, breaking, nil, func(h *house, n *network, d *Dispatcher) {
		one := n.host("one", nil)
		for range 3 * maxDeferred {
			h.accept(withAttachment, "one")
		}
		stop := h.start(d)
		defer stop()
		<-time.After(time.Minute)
		for range 10 {
			h.accept(mail("x"), "one")
			<-time.After(time.Second)
		}
		synctest.Wait()
		if got := one.seen(); len(got) != 10 {
			t.Errorf("while the blobs are down it got %d of 10", len(got))
		}
		down.Store(false)
		<-time.After(time.Minute)
		synctest.Wait()
		if got := one.seen(); len(got) != 10+3*maxDeferred {
			t.Errorf("after that it got %d", len(got))
		}
		stop()
	})
}

// Trouble that is over after a second kills no delivery, however old that is.
func TestShortTroubleKillsNothingOld(t *testing.T) {
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, _ *Dispatcher) {
		one := n.host("one", nil)
		h.accept(withAttachment, "one")
		<-time.After(2 * defaultMaxAge) // the server was off
		var down atomic.Bool
		down.Store(true)
		d := h.dispatcher(func(c *Config) { c.Blobs = brokenBlobs{c.Blobs, down.Load} })
		d.sender.dial = n.dial
		stop := h.start(d)
		defer stop()
		<-time.After(time.Second)
		down.Store(false)
		<-time.After(2 * troublePause)
		synctest.Wait()
		if len(one.seen()) != 1 {
			t.Error("it was never sent")
		}
		stop()
	})
}

// A retry by hand does not wait for the end of the rest that an endpoint asked for, and a success ends that.
func TestRetryDuringPause(t *testing.T) {
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		var asked atomic.Int64
		one := n.host("one", func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) <= 2 {
				w.Header().Set("Retry-After", "86400")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		stop := h.start(d)
		defer stop()
		h.accept(mail("x"), "one")
		for want := 1; want <= 2; want++ {
			<-time.After(time.Hour)
			h.accept(mail("y"), "one") // waits as it should
			<-time.After(time.Minute)
			synctest.Wait()
			if got := asked.Load(); got != int64(want) {
				t.Fatalf("%d requests before retry %d", got, want)
			}
			rows, err := h.store.Deliveries(h.t.Context(), storage.DeliveryFilter{Endpoint: h.ids["one"]})
			if err != nil {
				t.Fatal(err)
			}
			if err := h.store.Retry(h.t.Context(), rows[len(rows)-1].ID); err != nil {
				t.Fatal(err)
			}
			d.Wake()
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if got := len(one.seen()); got != 4 { // one mail failed in the first retry and waits for its own next attempt
			t.Errorf("%d requests; the success did not end the rest", got)
		}
		stop()
	})
}
