package dispatch

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/storage"
)

// A finished delivery can be made again by hand: the same body, a signature that verifies, and no secret unless it is asked for.
func TestRepeat(t *testing.T) {
	url, hits := receiver(t, nil)
	ep := storage.Endpoint{Name: "one", URL: strings.Replace(url, "://", "://user:s3cret-1@", 1) + "/?key=s3cret-2",
		Headers: map[string]string{"X-Api-Key": "s3cret-3"}}
	h := build(t, ep)
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	id := h.accept(mail("again"), "one")
	got := <-hits
	stop()
	rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: id})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	d := h.dispatcher(nil)
	wh, err := standardwebhooks.NewWebhookRaw(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, reveal := range []bool{false, true} {
		r, err := d.Repeat(t.Context(), &rows[0].Delivery, reveal)
		if err != nil {
			t.Fatal(err)
		}
		var all bytes.Buffer
		if err := r.Header.Write(&all); err != nil {
			t.Fatal(err)
		}
		all.WriteString(r.URL)
		if n := strings.Count(all.String(), "s3cret"); (n > 0) != reveal {
			t.Errorf("reveal %t: %s", reveal, all.String())
		}
		if err := wh.Verify(r.Body, r.Header); err != nil {
			t.Errorf("it does not verify: %v", err)
		}
		if r.Header.Get("Webhook-Id") != id || r.Header.Get("Letterhook-Attempt") != "2" || len(r.Body) != len(got.body) {
			t.Errorf("header %v, %d octets, want %d", r.Header, len(r.Body), len(got.body))
		}
	}
	if attempts, err := h.store.Attempts(t.Context(), id); err != nil || len(attempts) != 1 || attempts[0].Status != http.StatusOK {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
}
