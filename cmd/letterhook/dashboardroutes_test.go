package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// routesHouse has a domain of acme's with routes made by the API, in the order given.
func routesHouse(t *testing.T, matches ...string) (h *apiHouse, token string, ids map[string]string) {
	t.Helper()
	h = newAPIHouse(t)
	token, ids = h.key(t, "acme"), map[string]string{}
	h.do(t, token, "POST", "/endpoints", endpointBody("app"))
	h.do(t, token, "POST", "/endpoints", endpointBody("archive"))
	h.do(t, h.key(t, ""), "POST", "/domains", map[string]any{"account_id": h.accounts["acme"], "name": "shop.example"})
	for _, match := range matches {
		ids[match] = id(h.do(t, token, "POST", "/routes", map[string]any{"domain": "shop.example", "match": match, "endpoints": []string{"app"}}))
	}
	return h, token, ids
}

func (h *apiHouse) matches(t *testing.T, token string) string {
	t.Helper()
	var list []string
	for _, one := range h.do(t, token, "GET", "/routes?domain=shop.example", nil)["items"].([]any) {
		list = append(list, one.(map[string]any)["match"].(string))
	}
	return strings.Join(list, " ")
}

// TestOrderOfRoutes: all at once, and only by whoever knows all of them.
func TestOrderOfRoutes(t *testing.T) {
	h, token, ids := routesHouse(t, "a-*", "b-*", "c-*", "exact")
	order := func(matches ...string) map[string]any {
		list := make([]string, len(matches))
		for i, m := range matches {
			list[i] = ids[m]
		}
		return map[string]any{"routes": list}
	}
	h.do(t, token, "PUT", "/domains/shop.example/route-order", order("c-*", "exact", "a-*", "b-*"))
	if got := h.matches(t, token); got != "exact c-* a-* b-*" {
		t.Errorf("%s", got)
	}
	for name, body := range map[string]map[string]any{
		"one is missing": order("a-*", "b-*", "c-*"), "one is named twice": order("a-*", "a-*", "b-*", "c-*"), "one is not there": {"routes": []string{ids["a-*"], ids["b-*"], ids["c-*"], "rt_x"}},
	} {
		if p := h.refused(t, 409, "not all the routes", token, "PUT", "/domains/shop.example/route-order", body); t.Failed() {
			t.Fatal(name, p)
		}
	}
	h.refused(t, 404, "", h.key(t, "zenith"), "PUT", "/domains/shop.example/route-order", order("a-*", "b-*", "c-*", "exact"))
	if lines := fmt.Sprint(h.do(t, token, "GET", "/audit", nil)); !strings.Contains(lines, "route.order") {
		t.Errorf("not audited: %s", lines)
	}
	// Mail follows at once.
	h.do(t, token, "POST", "/routes", map[string]any{"domain": "shop.example", "match": "?-x", "refuse": "No"})
	if got := recipient(t, h.serving, "a-x@shop.example"); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	last := id(h.do(t, token, "GET", "/routes?domain=shop.example&limit=200", nil)["items"].([]any)[4].(map[string]any))
	h.do(t, token, "PUT", "/domains/shop.example/route-order", map[string]any{"routes": []string{last, ids["a-*"], ids["b-*"], ids["c-*"], ids["exact"]}})
	if got := recipient(t, h.serving, "a-x@shop.example"); !strings.HasPrefix(got, "550 ") {
		t.Error(got)
	}
}

// hidden gives the value of a hidden field of a page.
func hidden(t *testing.T, page, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no field %s in %s", name, page)
	}
	return strings.ReplaceAll(found[1], "&#34;", `"`)
}

// TestRouteEditor: a route is changed and moved in the pages, and nobody undoes unseen what somebody else did meanwhile.
func TestRouteEditor(t *testing.T) {
	h, token, ids := routesHouse(t, "a-*", "b-*")
	path := "/domains/shop.example/routes/" + ids["a-*"]
	_, page := h.page(t, token, http.MethodGet, path, nil)
	tag := hidden(t, page, "tag")
	change := url.Values{"tag": {tag}, "does": {"endpoints"}, "endpoint": {"app", "archive"}, "token": {""}, "max": {"2048"}}
	if status, text := h.page(t, token, http.MethodPost, path, change); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text)
	}
	if r := h.do(t, token, "GET", "/routes/"+ids["a-*"], nil); fmt.Sprint(r["endpoints"]) != "[app archive]" || r["max_message_size"] != 2048.0 {
		t.Errorf("%v", r)
	}
	// The tag is that of what was shown, which is no more.
	change.Set("does", "discard")
	if status, text := h.page(t, token, http.MethodPost, path, change); status != http.StatusUnprocessableEntity || !strings.Contains(text, "Somebody has changed it since") {
		t.Errorf("a stale change: %d", status)
	}
	if status, _ := h.page(t, token, http.MethodPost, path+"/delete", url.Values{"tag": {tag}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a stale deletion: %d", status)
	}
	_, page = h.page(t, token, http.MethodGet, path, nil)
	refuse := url.Values{"tag": {hidden(t, page, "tag")}, "does": {"refuse"}, "text": {"Gone away"}}
	if status, _ := h.page(t, token, http.MethodPost, path, refuse); status != http.StatusSeeOther {
		t.Errorf("%d", status)
	}
	if got := recipient(t, h.serving, "a-1@shop.example"); !strings.Contains(got, "Gone away") {
		t.Error(got)
	}
	for name, form := range map[string]url.Values{"no endpoint": {"does": {"endpoints"}}, "no size": {"does": {"discard"}, "max": {"much"}}} {
		if status, _ := h.page(t, token, http.MethodPost, path, form); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, status)
		}
	}

	_, page = h.page(t, token, http.MethodGet, "/domains/shop.example?address=b-2@shop.example", nil)
	if !strings.Contains(page, "It is accepted.") || !strings.Contains(page, `class="hit"`) {
		t.Error("the dry run of the page says nothing")
	}
	move := url.Values{"order": {hidden(t, page, "order")}, "route": {ids["b-*"]}, "to": {"up"}}
	if status, _ := h.page(t, token, http.MethodPost, "/domains/shop.example/order", move); status != http.StatusSeeOther {
		t.Errorf("%d", status)
	}
	if got := h.matches(t, token); got != "b-* a-*" {
		t.Errorf("moved: %s", got)
	}
	if status, text := h.page(t, token, http.MethodPost, "/domains/shop.example/order", move); status != http.StatusUnprocessableEntity || !strings.Contains(text, "Somebody has changed the routes") {
		t.Errorf("a stale move: %d", status)
	}
	reader := h.key(t, "acme", "read")
	if status, _ := h.page(t, reader, http.MethodPost, path, refuse); status != http.StatusForbidden {
		t.Errorf("a reader: %d", status)
	}
	if _, page := h.page(t, reader, http.MethodGet, path, nil); strings.Contains(page, "Change it") {
		t.Error("a reader is shown the form")
	}
	if status, _ := h.page(t, h.key(t, "zenith"), http.MethodGet, path, nil); status != http.StatusNotFound {
		t.Errorf("another account: %d", status)
	}
}

// TestEndpointOfSeveralAccounts: the operator who names an endpoint that two accounts have is asked which he means.
func TestEndpointOfSeveralAccounts(t *testing.T) {
	h := newAPIHouse(t)
	for _, account := range []string{"acme", "zenith"} {
		h.do(t, h.key(t, account), "POST", "/endpoints", endpointBody("app"))
	}
	operator := h.key(t, "")
	h.refused(t, 422, "write endpoint:acme/app", operator, "GET", "/messages?q=endpoint:app", nil)
	if status, page := h.page(t, operator, http.MethodGet, "/messages?q=endpoint:app", nil); status != http.StatusOK || !strings.Contains(page, "write endpoint:acme/app") {
		t.Errorf("%d", status)
	}
	for _, query := range []string{"/messages?q=endpoint:acme/app", "/messages?q=endpoint:declared", "/messages?q=endpoint:nobody/app"} {
		h.do(t, operator, "GET", query, nil)
	}
	h.do(t, h.key(t, "acme"), "GET", "/messages?q=endpoint:app", nil)
}

// TestRotationBesideTheFile: whoever makes a new secret is told that those of the configuration sign on.
func TestRotationBesideTheFile(t *testing.T) {
	h := newAPIHouse(t)
	declared := endpointID(t, h.server, "declared")
	form := url.Values{"overlap": {"0"}, "kind": {"v1"}}
	if _, page := h.page(t, h.key(t, "acme"), http.MethodPost, "/endpoints/"+declared+"/secret", form); !strings.Contains(page, "1 secret signs on") {
		t.Error("nothing is said of the secret in the file")
	}
	own := id(h.do(t, h.key(t, "acme"), "POST", "/endpoints", endpointBody("app")))
	if _, page := h.page(t, h.key(t, "acme"), http.MethodPost, "/endpoints/"+own+"/secret", form); strings.Contains(page, "sign on") {
		t.Error("there is no secret in the file, and one is spoken of")
	}
}

// TestLinksOfAnsweredForms: a page that answers a form has the address of the form, so that its links must be whole.
func TestLinksOfAnsweredForms(t *testing.T) {
	h := newAPIHouse(t)
	replyHouse(t, h, "acme")
	operator := h.key(t, "")
	endpoint := "/endpoints/" + endpointID(t, h.server, "declared")
	for path, form := range map[string]url.Values{
		"/settings/keys": {"name": {"phone"}, "scope": {"read"}}, endpoint + "/secret": {"overlap": {"0"}, "kind": {"v1"}}, endpoint + "/replay": {"state": {"dead"}, "since": {"all"}},
		"/domains/in.example.com/reply-addresses": {"local": {"reply"}},
	} {
		status, text := h.page(t, operator, http.MethodPost, path, form)
		if status != http.StatusOK || strings.Contains(text, `href="?`) {
			t.Errorf("%s: %d, or a link that is not whole", path, status)
		}
	}
}
