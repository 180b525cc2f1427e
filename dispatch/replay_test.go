package dispatch

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestReplayStoresSweptAttachments replays a mail whose attachments retention has taken: the link must lead somewhere.
func TestReplayStoresSweptAttachments(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	id := h.accept(withAttachment, "one")
	<-hits
	stop()
	for replay := range 2 {
		rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: id, State: storage.StateDelivered})
		if err != nil || len(rows) != replay+1 {
			t.Fatalf("%d deliveries are finished, error %v", len(rows), err)
		}
		finished := rows[0].FinishedAt
		for time.Since(finished) < 2*time.Millisecond {
			runtime.Gosched()
		}
		swept, err := h.store.Sweep(t.Context(), storage.Retention{Attachments: 1})
		if err != nil || swept.Attachments != 1 {
			t.Fatalf("swept %+v, error %v", swept, err)
		}
		if err := h.store.Retry(t.Context(), rows[0].ID); err != nil {
			t.Fatal(err)
		}
		stop := h.start(h.dispatcher(nil))
		got := <-hits
		stop()
		link := *got.event.Data.Attachments[0].URL
		var keys []string
		for object, err := range h.blobs.List(t.Context(), "att/") {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, object.Key)
		}
		if len(keys) != 1 || !strings.Contains(link, keys[0]) {
			t.Errorf("replay %d links %s, but the blobs hold %q", replay+1, link, keys)
		}
	}
}
