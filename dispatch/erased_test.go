package dispatch

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestErasedIsNotSent erases a mail, from beside the server, that waits in memory behind another one.
func TestErasedIsNotSent(t *testing.T) {
	answer := make(chan struct{})
	arrived := make(chan struct{}, 10)
	url, hits := receiver(t, func(n int, _ http.ResponseWriter) {
		arrived <- struct{}{}
		if n == 1 {
			<-answer
		}
	})
	h := build(t, storage.Endpoint{Name: "one", URL: url, Concurrency: 1})
	defer h.close()
	d := h.dispatcher(nil)
	stop := h.start(d)
	defer stop()
	first := h.accept("Subject: first\r\n\r\n", "one")
	<-arrived
	second := h.accept("Subject: second\r\n\r\n", "one")
	third := h.accept("Subject: third\r\n\r\n", "one")
	beside := h.beside()
	erased, err := beside.Erase(t.Context(), storage.Erasure{Message: second})
	if err != nil || erased.Deliveries != 1 {
		t.Fatalf("%+v, %v", erased, err)
	}
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	for !d.erased.has(second) { // it looks for what others write
		runtime.Gosched()
	}
	close(answer)
	for _, want := range []string{first, third} {
		if got := <-hits; got.header.Get("webhook-id") != want {
			t.Errorf("%s came, want %s", got.header.Get("webhook-id"), want)
		}
	}
	stop()
	rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: second})
	if err != nil || len(rows) != 1 || rows[0].State != storage.StateDead || rows[0].Reason != storage.ErasedReason {
		t.Errorf("%+v, %v", rows, err)
	}
	if rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{State: storage.StateDelivered}); err != nil || len(rows) != 2 {
		t.Errorf("delivered: %+v, %v", rows, err)
	}
}
