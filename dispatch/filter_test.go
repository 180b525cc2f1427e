package dispatch

import (
	"runtime"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestFilteredMail keeps mail back by its kind and by a header field. It is recorded as filtered, without an attempt, and a
// replay that ignores filters delivers it.
func TestFilteredMail(t *testing.T) {
	url, hits := receiver(t, nil)
	field, err := storage.NewFieldMatch("X-Loop", "*our own*")
	if err != nil {
		t.Fatal(err)
	}
	h := build(t, storage.Endpoint{Name: "one", URL: url, Filters: []storage.Filter{
		{Name: "robots", Kinds: []string{"auto_reply"}}, {Name: "loops", Fields: []storage.FieldMatch{field}},
	}})
	defer h.close()
	d := h.dispatcher(nil)
	stop := h.start(d)
	defer stop()
	robot := h.accept("Auto-Submitted: auto-replied\r\nSubject: away\r\n\r\nx", "one")
	loop := h.accept("x-loop: that is Our own\r\nSubject: loop\r\n\r\nx", "one")
	good := h.accept("X-Loop: theirs\r\nSubject: good\r\n\r\nx", "one")
	if got := <-hits; got.event.Data.ID != good {
		t.Errorf("%s arrived", got.event.Data.ID)
	}
	for id, rule := range map[string]string{robot: `"robots"`, loop: `"loops"`} {
		row := awaitState(t, h, id, storage.StateFiltered)
		if row.Attempts != 0 || !strings.Contains(row.Reason, rule) {
			t.Errorf("%+v", row)
		}
		if as, err := h.store.Attempts(t.Context(), id); err != nil || len(as) != 0 {
			t.Errorf("attempts %+v, error %v", as, err)
		}
		if m, err := h.store.Mail(t.Context(), id); err != nil || m.Summary == nil || m.Summary.Subject == "" {
			t.Errorf("%+v, %v", m, err)
		}
	}
	h.checkClean()

	// A replay that asks the filters makes nothing for them; one that does not, delivers them.
	asked := h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"], States: []string{storage.StateFiltered}, Kind: "auto_reply"})
	d.Wake()
	if r, p := awaitReplay(t, h, asked.ID, settled); r.Made != 1 || p.Finished[storage.StateFiltered] != 1 {
		t.Errorf("%+v, %+v", r, p)
	}
	ignoring := h.createReplay(storage.ReplaySpec{Endpoint: h.ids["one"], States: []string{storage.StateFiltered}, IgnoreFilters: true})
	d.Wake()
	got := gatherReplays(t, hits, 2)
	if got[robot] != 1 || got[loop] != 1 {
		t.Errorf("%v", got)
	}
	awaitReplay(t, h, ignoring.ID, settled)
	if len(hits) > 0 {
		t.Errorf("%d more came", len(hits))
	}
	h.checkClean()
}

func awaitState(t *testing.T, h *house, message, state string) storage.DeliveryRow {
	t.Helper()
	for t.Context().Err() == nil {
		rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: message, State: state})
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > 0 {
			return rows[0]
		}
		runtime.Gosched()
	}
	t.Fatalf("%s is not %s", message, state)
	return storage.DeliveryRow{}
}

// TestFilterOfARoute keeps mail back from the recipients of one route alone, and the attempt says so.
func TestFilterOfARoute(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	yes := true
	var err error
	h.directory, err = h.store.Apply(t.Context(), storage.Declaration{
		Accounts: []string{"acme"}, Domains: []storage.DeclaredDomain{{Name: "in.example", Account: "acme"}},
		Endpoints: []storage.Endpoint{{Name: "one", Account: "acme", URL: url, Secrets: [][]byte{testSecret}}},
		Routes: []storage.DeclaredRoute{
			{Domain: "in.example", Match: "open", Endpoints: []string{"one"}},
			{Domain: "in.example", Match: "strict", Endpoints: []string{"one"}, Filters: []storage.Filter{{Name: "known senders", Only: true, Verified: &yes}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := h.start(h.dispatcher(nil))
	defer stop()
	both, strict := h.accept("Subject: a\r\n\r\nx", "open", "strict"), h.accept("Subject: b\r\n\r\nx", "strict")
	got := <-hits
	if rcpt := got.event.Data.Envelope.RcptTo; got.event.Data.ID != both || len(rcpt) != 1 || rcpt[0] != "open@in.example" {
		t.Errorf("%s went to %q", got.event.Data.ID, rcpt)
	}
	if row := awaitState(t, h, strict, storage.StateFiltered); !strings.Contains(row.Reason, `"known senders" of the route of strict@in.example`) {
		t.Errorf("%+v", row)
	}
	awaitState(t, h, both, storage.StateDelivered)
	as, err := h.store.Attempts(t.Context(), both)
	if err != nil || len(as) != 1 || len(as[0].Detail.Filtered) != 1 {
		t.Errorf("%+v, %v", as, err)
	}
	h.checkClean()
}
