package dispatch

import (
	"database/sql"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// The clock was a year ahead when mail came and an endpoint was told to rest, and was set right before the next start. Nothing waits for a
// year, and what waits for hours goes on doing so.
func TestClockWasAhead(t *testing.T) {
	inBubble(t, []string{"one", "patient"}, nil, nil, func(h *house, n *network, d *Dispatcher) {
		one, patient := n.host("one", nil), n.host("patient", nil)
		for range 3 {
			h.accept(mail("x"), "all")
		}
		h.shift("one", 365*24*time.Hour)
		h.shift("patient", 20*time.Hour)
		rest := storage.EndpointLife{
			Endpoint: h.ids["one"], State: storage.EndpointEnabled, RestUntil: time.Now().Add(365 * 24 * time.Hour), RestReason: restAsked,
		}
		if _, err := h.store.SaveLives(h.t.Context(), []storage.EndpointLife{rest}); err != nil {
			h.t.Fatal(err)
		}
		stop := h.start(d)
		<-time.After(time.Minute)
		synctest.Wait()
		if got := len(one.seen()); got != 3 {
			h.t.Errorf("%d of 3 mails came", got)
		}
		if got := len(patient.seen()); got != 0 {
			h.t.Errorf("%d mails came before their time", got)
		}
		<-time.After(20 * time.Hour)
		if got := len(patient.seen()); got != 3 {
			h.t.Errorf("%d of 3 mails came in time", got)
		}
		stop()
	})
}

// shift moves the due times of an endpoint's deliveries.
func (h *house) shift(endpoint string, by time.Duration) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.folder, storage.DatabaseName)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE delivery SET due_at = due_at + ? WHERE endpoint = ?", by.Milliseconds(), h.ids[endpoint]); err != nil {
		h.t.Fatal(err)
	}
}
