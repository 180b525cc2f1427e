package api_test

import (
	"net/http"
	"testing"

	"github.com/letterhook/letterhook/admin/api"
)

// The key of an account sees what became of its own deliveries and nothing else, the operator whose each is.
func TestUsageByAPI(t *testing.T) {
	h := newHouse(t)
	h.receive(t, "acme", "first invoice")
	h.receive(t, "acme", "second invoice")
	h.receive(t, "zenith", "another invoice")
	if err := h.store.FlushNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	acme, zenith := h.accounts["acme"], h.accounts["zenith"]
	for _, c := range []struct {
		who, query string
		want       map[string]int64 // dead deliveries, as many as messages, by account
	}{
		{"acme", "", map[string]int64{acme: 2}}, {"zenith", "", map[string]int64{zenith: 1}},
		{"", "", map[string]int64{acme: 2, zenith: 1}}, {"", "?account_id=" + acme, map[string]int64{acme: 2}},
	} {
		var list api.List[api.Usage]
		h.ask(t, h.token(t, c.who, "read"), http.MethodGet, "/api/v1/usage"+c.query, nil, &list)
		dead, messages := map[string]int64{}, map[string]int64{}
		for _, u := range list.Items {
			dead[u.Account] += u.Dead
			messages[u.Account] += u.Messages
		}
		if len(dead) != len(c.want) {
			t.Errorf("%q%s sees %+v", c.who, c.query, list.Items)
		}
		for account, n := range c.want {
			if dead[account] != n || messages[account] != n {
				t.Errorf("%q%s sees %+v, want %d dead of %s", c.who, c.query, list.Items, n, account)
			}
		}
	}
	h.refused(t, http.StatusNotFound, h.token(t, "acme"), http.MethodGet, "/api/v1/usage?account_id="+zenith, nil)
}
