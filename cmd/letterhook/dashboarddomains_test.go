package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestDryRunOfAnothersDomain: whoever asks for a domain that is another account's learns nothing of its routes, on no page.
func TestDryRunOfAnothersDomain(t *testing.T) {
	h := newAPIHouse(t)
	zenith := h.key(t, "zenith")
	h.do(t, zenith, "POST", "/endpoints", endpointBody("app"))
	h.do(t, zenith, "POST", "/domains", map[string]any{"name": "shop.example"}) // and never proved
	h.do(t, h.key(t, "acme"), "POST", "/endpoints", endpointBody("app"))
	h.do(t, h.key(t, ""), "POST", "/domains", map[string]any{"account_id": h.accounts["acme"], "name": "shop.example"})
	h.do(t, h.key(t, "acme"), "POST", "/routes", map[string]any{"domain": "shop.example", "match": "/o-(?P<order>[0-9]+)/", "refuse": "Acme is closed"})
	for _, path := range []string{"/domains/shop.example?address=o-77@shop.example", "/domains?address=o-77@shop.example"} {
		status, page := h.page(t, zenith, http.MethodGet, path, nil)
		if status != http.StatusOK || !strings.Contains(page, `id="answer"`) {
			t.Fatalf("%s: %d without an answer", path, status)
		}
		for _, secret := range []string{"Acme is closed", "Its route refuses"} {
			if strings.Contains(page, secret) {
				t.Errorf("%s tells %q", path, secret)
			}
		}
	}
}
