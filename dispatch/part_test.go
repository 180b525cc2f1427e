package dispatch

import (
	"slices"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// An endpoint that wants an event for each recipient gets them with ids of their own, each with its recipient alone.
func TestOneEventForEachRecipient(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "each", URL: url, PerRecipient: true}, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	id := h.accept(mail("three"), "all", "each", "one")
	var got []string
	for range 3 {
		hit := <-hits
		line := hit.header.Get("webhook-id")
		for _, r := range hit.event.Data.Recipients {
			line += " " + r.Address
		}
		if hit.event.Data.ID != id || len(hit.event.Data.Envelope.RcptTo) != len(hit.event.Data.Recipients) {
			t.Errorf("%+v", hit.event.Data)
		}
		got = append(got, line)
	}
	slices.Sort(got)
	want := []string{id + " all@in.example one@in.example", id + "_1 all@in.example", id + "_2 each@in.example"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
