package dispatch

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// slowBlobs takes its time for every object.
type slowBlobs struct {
	storage.Blobs
	wait time.Duration
}

func (b slowBlobs) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	select {
	case <-time.After(b.wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	return b.Blobs.Put(ctx, key, r, size)
}

// However many mails wait for a slow bucket, and however large the bodies may be that their endpoints take, mail without
// attachments goes out at once.
func TestSlowUploadsStopNobody(t *testing.T) {
	for _, maxBody := range []int{0, 25_000_000} {
		t.Run(fmt.Sprint(maxBody), func(t *testing.T) { slowUploads(t, maxBody) })
	}
}

func slowUploads(t *testing.T, maxBody int) {
	waiting := names("e", 200)
	slow := func(c *Config) {
		c.Blobs = slowBlobs{c.Blobs, 20 * time.Second}
		c.Workers = 128 // less than there are mails that wait
	}
	large := func(e *storage.Endpoint) { e.MaxBody = maxBody }
	inBubble(t, append(waiting, "plain"), slow, large, func(h *house, n *network, d *Dispatcher) {
		for _, name := range waiting {
			n.host(name, nil)
		}
		plain := n.host("plain", nil)
		stop := h.start(d)
		defer stop()
		for i, name := range waiting {
			h.accept(withAttachment+fmt.Sprint(i), name)
		}
		<-time.After(time.Second)
		for range 5 {
			h.accept(mail("x"), "plain")
		}
		<-time.After(5 * time.Second) // the first upload takes four times as long
		synctest.Wait()
		if got := len(plain.seen()); got != 5 {
			t.Errorf("%d of 5 mails without attachments went out before the first upload ended", got)
		}
		<-time.After(10 * time.Minute)
		synctest.Wait()
		for _, name := range waiting {
			if got := len(n.hosts[name+":80"].seen()); got != 1 {
				t.Fatalf("%s got %d", name, got)
			}
		}
		stop()
	})
}

// What is large waits for what is large and for nothing else.
func TestAllowanceKeepsSmallFromWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newAllowance(64 << 10)
		first := &share{from: p}
		if err := first.take(t.Context(), 1<<30); err != nil {
			t.Fatal(err)
		}
		second := make(chan error, 1)
		go func() { second <- (&share{from: p}).take(t.Context(), 10<<10) }()
		synctest.Wait()
		if len(second) != 0 {
			t.Error("two large ones at once")
		}
		small := &share{from: p}
		if err := small.take(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := first.take(t.Context(), 1000); err != nil || first.size != 1000 {
			t.Errorf("%+v, %v", first, err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		first.release()
		first.release()
		small.release()
		if !p.large.TryAcquire(6<<10) || p.large.TryAcquire(1) || !p.small.TryAcquire(48<<10) {
			t.Error("the sums are wrong")
		}
	})
}
