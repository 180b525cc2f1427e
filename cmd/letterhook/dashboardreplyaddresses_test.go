package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// replyHouse gives an account in.example.com with a route that wants tokens, and gives a good address of it, that of docs/reply-addresses.md.
func replyHouse(t *testing.T, h *apiHouse, account string) string {
	t.Helper()
	operator := h.key(t, "")
	h.do(t, h.key(t, account), "POST", "/endpoints", endpointBody("replies"))
	h.do(t, operator, "POST", "/domains", map[string]any{
		"account_id": h.accounts[account], "name": "in.example.com", "reply_keys": []string{"replykey_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
	})
	h.do(t, operator, "POST", "/routes", map[string]any{"domain": "in.example.com", "match": "reply+*", "endpoints": []string{"replies"}, "token": "required"})
	h.do(t, operator, "POST", "/routes", map[string]any{"domain": "in.example.com", "match": "plain+*", "endpoints": []string{"replies"}})
	return "reply+caaaaadunfrwwzlufu2deo3ctdzb7qxzpzpxg@in.example.com"
}

// testReplyAddresses: one is minted on the page of its domain, and the box above says what one is worth.
func testReplyAddresses(t *testing.T, browser chrome) {
	h := newAPIHouse(t)
	good := replyHouse(t, h, "zenith")
	b := openTab(t, browser, strings.TrimSuffix(h.base, "/api/v1"))
	b.show("/domains")
	b.click(`a[href="/domains/in.example.com"]`)
	b.run(openDetails(`details:has(#mint)`))
	if offered := b.text(`[...document.querySelectorAll("#local option")].map(o => o.value).join()`); offered != "reply" {
		t.Errorf("to mint for there is %s", offered)
	}
	b.fill("#data", "ticket-42")
	b.click("#mint button")
	if text := b.text(`document.querySelector("#minted").innerText`); !strings.Contains(text, good) || !strings.Contains(text, "says ticket-42, and never expires") {
		t.Errorf("the page says %q", text)
	}
	ask := func(address string, want ...string) {
		t.Helper()
		b.fill("#address", address)
		b.click(`form[action="/domains/in.example.com"] button`)
		for _, text := range want {
			b.untilText(text)
		}
	}
	ask(good, "It is accepted.", "Its token is valid: ticket-42; it never expires.")
	ask(strings.Replace(good, "pxg@", "pxa@", 1), "550 5.7.1 This reply address is not valid")
	b.run(openDetails(`details:has(#mint)`))
	b.fill("#data", "longer than an address can hold, which is told")
	b.click("#mint button")
	b.untilText("at most 22 fit")
	b.clean("422")
}

// TestReplyAddressPages: nobody mints for another account's domain, nor without the scope write, and there is nothing to press where there are no keys.
func TestReplyAddressPages(t *testing.T) {
	h := newAPIHouse(t)
	replyHouse(t, h, "zenith")
	zenith, reader := h.key(t, "zenith"), h.key(t, "zenith", "read")
	const mint = "/domains/in.example.com/reply-addresses"
	for name, c := range map[string]struct {
		key  string
		form url.Values
		want int
		says string
	}{
		"its account":     {zenith, url.Values{"local": {"reply"}, "expires": {"2036-01-31"}}, http.StatusOK, "expires 2036-02-01 00:00:00.000 UTC"},
		"another account": {h.key(t, "acme"), url.Values{"local": {"reply"}}, http.StatusUnprocessableEntity, "no domain of yours"},
		"a reader":        {reader, url.Values{"local": {"reply"}}, http.StatusForbidden, "You may not do that"},
		"a wrong day":     {zenith, url.Values{"local": {"reply"}, "expires": {"soon"}}, http.StatusUnprocessableEntity, "The last day is written like"},
		"without a token": {zenith, url.Values{"local": {"plain"}}, http.StatusUnprocessableEntity, "no route plain"},
	} {
		status, text := h.page(t, c.key, http.MethodPost, mint, c.form)
		if status != c.want || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d, want %d and %q", name, status, c.want, c.says)
		}
		if made := strings.Contains(text, `id="minted"`); made != (status == http.StatusOK) {
			t.Errorf("%s: an address is shown: %v", name, made)
		}
	}
	if _, text := h.page(t, reader, http.MethodGet, "/domains/in.example.com", nil); !strings.Contains(text, "Reply addresses") || strings.Contains(text, "Mint it") {
		t.Error("a reader is shown the form, or nothing of reply addresses")
	}
	if _, text := h.page(t, h.key(t, ""), http.MethodGet, "/domains/declared.example.com", nil); strings.Contains(text, "Reply addresses") {
		t.Error("a domain without keys has them")
	}
	if _, text := h.page(t, zenith, http.MethodGet, "/domains/in.example.com", nil); strings.Contains(text, "replykey_") {
		t.Error("a key is shown")
	}
}
