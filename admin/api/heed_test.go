package api_test

import (
	"net/http"
	"testing"

	"github.com/letterhook/letterhook/admin/api"
)

// TestChangesAreHeededAtOnce: the delivery is woken by whatever it would otherwise meet on its next round alone, half a minute later.
func TestChangesAreHeededAtOnce(t *testing.T) {
	h := newHouse(t)
	_, delivery := h.receive(t, "acme", "an invoice")
	acme := h.token(t, "acme")
	var endpoint string
	for id, e := range h.directory.Load().Endpoints {
		if e.Account == h.accounts["acme"] {
			endpoint = id
		}
	}
	var made api.Replay
	for _, c := range []struct {
		path string
		body any
		out  any
	}{
		{"/endpoints/" + endpoint + "/pause", nil, nil}, {"/endpoints/" + endpoint + "/enable", nil, nil}, {"/endpoints/" + endpoint + "/disable", nil, nil},
		{"/endpoints/" + endpoint + "/secrets", map[string]any{}, nil}, {"/endpoints/" + endpoint + "/tests", nil, nil},
		{"/replays", map[string]any{"endpoint_id": endpoint, "all": true}, &made}, {"/deliveries/" + delivery + "/retry", nil, nil},
	} {
		before := h.woken.Load()
		if r := h.ask(t, acme, http.MethodPost, "/api/v1"+c.path, c.body, c.out); r.StatusCode >= 300 {
			t.Fatalf("%s: %s\n%s", c.path, r.Status, h.log)
		}
		if h.woken.Load() == before {
			t.Errorf("%s wakes nobody", c.path)
		}
	}
	before := h.woken.Load()
	if r := h.ask(t, acme, http.MethodPost, "/api/v1/replays/"+made.ID+"/cancel", nil, nil); r.StatusCode != http.StatusOK || h.woken.Load() == before {
		t.Errorf("cancel: %s, or it wakes nobody", r.Status)
	}
}
