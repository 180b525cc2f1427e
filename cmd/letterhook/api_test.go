package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// endpointBody is an endpoint that holds.
func endpointBody(name string) map[string]any {
	return map[string]any{"name": name, "url": "https://" + name + ".example/hook"}
}

// TestConfigurationByAPI goes from nothing to mail that is delivered and signed with the secret that was shown.
func TestConfigurationByAPI(t *testing.T) {
	h := newAPIHouse(t)
	type request struct {
		header http.Header
		body   []byte
	}
	got := make(chan request, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- request{r.Header, b}
	}))
	defer receiver.Close()
	operator := h.key(t, "")
	endpoint := h.do(t, operator, "POST", "/endpoints", map[string]any{
		"account_id": h.accounts["zenith"], "name": "app", "url": receiver.URL, "allow_private": true, "headers": map[string]string{"X-App": "zen"},
	})
	secret, _ := endpoint["secret"].(string)
	if !strings.HasPrefix(secret, "whsec_") || strings.Contains(fmt.Sprint(endpoint["headers"]), "zen") {
		t.Fatalf("%v", endpoint)
	}
	h.do(t, operator, "POST", "/domains", map[string]any{"account_id": h.accounts["zenith"], "name": "In.Zenith.example"})
	if got := recipient(t, h.serving, "support@in.zenith.example"); !strings.HasPrefix(got, "550 5.1.1") {
		t.Errorf("before there is a route: %s", got)
	}
	h.do(t, operator, "POST", "/routes", map[string]any{"domain": "in.zenith.example", "match": "support", "endpoints": []string{"app"}})
	send(t, h.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"support@in.zenith.example"}, text: "hello"})
	delivered := <-got
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := webhook.Verify(delivered.body, delivered.header); err != nil || delivered.header.Get("X-App") != "zen" {
		t.Errorf("%v %v", err, delivered.header)
	}

	// The answer of a dry run is what happens.
	resolved := h.do(t, h.key(t, "zenith"), "GET", "/resolve?address=support@in.zenith.example", nil)
	if resolved["accepted"] != true || !strings.Contains(fmt.Sprint(resolved["routes"]), "chosen:true") {
		t.Errorf("%v", resolved)
	}
	// For others it is nobody's.
	other := h.do(t, h.key(t, "acme"), "GET", "/resolve?address=support@in.zenith.example", nil)
	if other["accepted"] != false || other["domain"] != nil || other["account_id"] != nil {
		t.Errorf("%v", other)
	}
}

// TestOwnership: an account gets mail for a domain only once DNS says that it is its own.
func TestOwnership(t *testing.T) {
	h := newAPIHouse(t)
	acme, zenith := h.key(t, "acme"), h.key(t, "zenith")
	for _, key := range []string{zenith, acme} {
		h.ask(t, key, "POST", "/endpoints", endpointBody("app"))
	}
	proof := func(d map[string]any) (name, value string) {
		record, _ := d["ownership"].(map[string]any)["record"].(map[string]any)
		name, _ = record["name"].(string)
		value, _ = record["value"].(string)
		return name, value
	}
	mine := h.do(t, zenith, "POST", "/domains", map[string]any{"name": "shop.example"})
	theirs := h.do(t, acme, "POST", "/domains", map[string]any{"name": "shop.example"}) // anybody may ask
	name, value := proof(mine)
	if name != "_letterhook.shop.example" || value == "" {
		t.Fatalf("%v", mine)
	}
	h.refused(t, 409, "proved first", zenith, "POST", "/routes", map[string]any{"domain": "shop.example", "match": "*", "endpoints": []string{"app"}})
	h.refused(t, 409, "has no TXT record", zenith, "POST", "/domains/"+id(mine)+"/verify", nil)
	if got := recipient(t, h.serving, "a@shop.example"); !strings.HasPrefix(got, "550 5.7.1") {
		t.Errorf("unproved: %s", got)
	}
	h.dns.AddTXT(name, value)
	// The proof of one is none of another.
	h.refused(t, 409, "has no TXT record", acme, "POST", "/domains/shop.example/verify", nil)
	if d := h.do(t, zenith, "POST", "/domains/shop.example/verify", nil); d["ownership"].(map[string]any)["state"] != "proved" {
		t.Errorf("%v", d)
	}
	h.do(t, zenith, "POST", "/routes", map[string]any{"domain": "shop.example", "match": "*", "endpoints": []string{"app"}})
	if got := recipient(t, h.serving, "a@shop.example"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("proved: %s", got)
	}
	// It is taken now, even for one who can prove it.
	if name, value = proof(theirs); name == "" {
		t.Fatalf("%v", theirs)
	}
	h.dns.AddTXT(name, value)
	h.refused(t, 409, "somebody else", acme, "POST", "/domains/"+id(theirs)+"/verify", nil)
	// What the file declares cannot be asked for.
	h.refused(t, 409, "taken", zenith, "POST", "/domains", map[string]any{"name": "Declared.example.com"})
	h.refused(t, 422, "is not a domain", zenith, "POST", "/domains", map[string]any{"name": "not a domain"})
}

// TestFileIsReadOnly: what the operator's file declares is shown, marked, and changed only there.
func TestFileIsReadOnly(t *testing.T) {
	h := newAPIHouse(t)
	acme := h.key(t, "acme")
	first := func(path string) map[string]any {
		items, _ := h.do(t, acme, "GET", path, nil)["items"].([]any)
		if len(items) != 1 {
			t.Fatalf("%s: %v", path, items)
		}
		v, _ := items[0].(map[string]any)
		if v["read_only"] != true || !strings.HasPrefix(fmt.Sprint(v["source"]), "letterhook.yaml:") {
			t.Errorf("%s: %v", path, v)
		}
		return v
	}
	const says = "is declared in letterhook.yaml:"
	e, d, r := first("/endpoints"), first("/domains"), first("/routes")
	h.refused(t, 409, says, acme, "PATCH", "/endpoints/"+id(e), map[string]any{"gzip": true})
	h.refused(t, 409, says, acme, "DELETE", "/endpoints/"+id(e), nil)
	h.refused(t, 409, says, acme, "POST", "/endpoints", endpointBody("declared"))
	h.refused(t, 409, says, acme, "PATCH", "/domains/"+id(d), map[string]any{"greylist": true})
	h.refused(t, 409, says, acme, "DELETE", "/domains/"+id(d), nil)
	h.refused(t, 409, says, acme, "PATCH", "/routes/"+id(r), map[string]any{"discard": true})
	h.refused(t, 409, says, acme, "DELETE", "/routes/"+id(r), nil)
	h.refused(t, 409, "declared in", h.key(t, ""), "DELETE", "/accounts/"+h.accounts["acme"], nil)
	// A route of the API beside those of the file.
	h.do(t, acme, "POST", "/routes", map[string]any{"domain": "declared.example.com", "match": "b*", "endpoints": []string{"declared"}})
	if got := recipient(t, h.serving, "bob@declared.example.com"); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	// A pause is no configuration.
	if e = h.do(t, acme, "POST", "/endpoints/"+id(e)+"/pause", nil); e["state"].(map[string]any)["state"] != "paused" {
		t.Errorf("%v", e)
	}
}

// TestFileWins: what the file comes to declare later holds, and what the API had made of it says why it does not.
func TestFileWins(t *testing.T) {
	h := newAPIHouse(t)
	operator := h.key(t, "")
	zenith := h.accounts["zenith"]
	h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": zenith, "name": "app", "url": "https://app.example/"})
	h.do(t, operator, "POST", "/domains", map[string]any{"account_id": zenith, "name": "in.example.com"})
	made := h.do(t, operator, "POST", "/routes", map[string]any{"domain": "in.example.com", "match": "*", "endpoints": []string{"app"}})
	text := strings.ReplaceAll(apiFile, "DNS", h.dns.Addr)
	h.write(t, strings.Replace(text, "domains: [", "domains: [{name: in.example.com, account: acme, routes: [{match: ann, endpoints: [declared]}]}, ", 1))
	h.reload(t.Context(), h.path)
	for address, want := range map[string]string{"ann@in.example.com": "250 ", "bob@in.example.com": "550 5.1.1"} {
		if got := recipient(t, h.serving, address); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if r := h.do(t, operator, "GET", "/routes/"+id(made), nil); !strings.Contains(fmt.Sprint(r["faults"]), "has no domain in.example.com") {
		t.Errorf("%v", r)
	}
	h.write(t, text)
	h.reload(t.Context(), h.path)
	if got := recipient(t, h.serving, "bob@in.example.com"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("it holds no more: %s", got)
	}
}

// TestChangesByOthers: what another process writes is taken within a second.
func TestChangesByOthers(t *testing.T) {
	h := newAPIHouse(t)
	c, err := config.LoadStorage(h.path, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	beside, err := openFolder(t.Context(), c, folderOptions{beside: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer beside.store.Close()
	put := &storage.Setting{Kind: storage.SettingEndpoint, Account: h.accounts["zenith"], Name: "other", Body: []byte(`{"url":"https://other.example/"}`)}
	if _, err := beside.store.ChangeConfiguration(t.Context(), 0, []storage.SettingChange{{Put: put}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		if e := h.directory.Load().Endpoints[put.ID]; e != nil && e.URL == "https://other.example/" {
			t.Logf("taken after %s", time.Since(began))
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it was never taken")
		}
	}
}

// TestConditionsOfChanges: ETags, merge patches, idempotency keys.
func TestConditionsOfChanges(t *testing.T) {
	h := newAPIHouse(t)
	zenith := h.key(t, "zenith")
	body := endpointBody("app")
	body["bearer_token"], body["timeout"], body["headers"] = "s3cret-token", "20s", map[string]string{"X-A": "one", "X-B": "two"}
	a := h.ask(t, zenith, "POST", "/endpoints", body, "Idempotency-Key", "first")
	again := h.ask(t, zenith, "POST", "/endpoints", body, "Idempotency-Key", "first")
	if a.status != 201 || string(a.text) != string(again.text) || again.header.Get("Idempotency-Replayed") != "true" || a.header.Get("ETag") != again.header.Get("ETag") {
		t.Fatalf("%d %s\n%d %s", a.status, a.text, again.status, again.text)
	}
	h.refused(t, 422, "another request", zenith, "POST", "/endpoints", endpointBody("b"), "Idempotency-Key", "first")
	h.refused(t, 409, "taken", zenith, "POST", "/endpoints", body)
	if a := h.ask(t, h.key(t, "zenith"), "POST", "/endpoints", endpointBody("b"), "Idempotency-Key", "first"); a.status != 201 {
		t.Errorf("the key of another: %d %s", a.status, a.text)
	}

	var made map[string]any
	if err := json.Unmarshal(a.text, &made); err != nil {
		t.Fatal(err)
	}
	path := "/endpoints/" + id(made)
	tag := a.header.Get("ETag")
	changed := h.ask(t, zenith, "PATCH", path, map[string]any{"timeout": nil, "gzip": true, "headers": map[string]any{"X-A": "***", "X-B": nil, "X-C": "three"}}, "If-Match", tag)
	if changed.status != 200 || changed.header.Get("ETag") == tag {
		t.Fatalf("%d %s", changed.status, changed.text)
	}
	h.refused(t, 412, "Somebody", zenith, "PATCH", path, map[string]any{"gzip": false}, "If-Match", tag)
	h.refused(t, 412, "Somebody", zenith, "DELETE", path, nil, "If-Match", tag)
	e := h.directory.Load().Endpoints[id(made)]
	if e.Timeout != 15*time.Second || !e.Gzip || e.Headers["X-A"] != "one" || e.Headers["X-B"] != "" || e.Headers["X-C"] != "three" || e.Access.Bearer != "s3cret-token" {
		t.Errorf("%+v", e)
	}
	for _, path := range []string{path, "/endpoints", "/audit"} {
		if text := string(h.ask(t, zenith, "GET", path, nil).text); strings.Contains(text, "s3cret") || strings.Contains(text, "three") || !strings.Contains(text, "X-C") {
			t.Errorf("%s: %s", path, text)
		}
	}
	h.refused(t, 422, "body.gzip", zenith, "PATCH", path, map[string]any{"gzip": "yes"})
	h.refused(t, 422, "body.secret_file", zenith, "PATCH", path, map[string]any{"secret_file": "/etc/passwd"})
	h.refused(t, 422, "body.url", zenith, "PATCH", path, map[string]any{"url": nil})
	h.refused(t, 403, "Only the operator", zenith, "PATCH", path, map[string]any{"allow_private": true})
	h.refused(t, 403, "Only the operator", zenith, "PATCH", path, map[string]any{"proxy": "http://proxy.example:3128"})
	h.refused(t, 422, "not public", zenith, "PATCH", path, map[string]any{"url": "http://10.0.0.1/"})
	if a := h.ask(t, zenith, "PATCH", path, map[string]any{"url": "https://${HOME}.example/"}); strings.Contains(string(a.text), os.Getenv("HOME")) {
		t.Errorf("the environment is told: %s", a.text)
	}
	h.do(t, zenith, "POST", "/endpoints/"+id(made)+"/secrets", map[string]any{})
	h.do(t, zenith, "DELETE", path, nil, "If-Match", "*")
	h.refused(t, 409, "declared no more", zenith, "DELETE", path, nil)
}

// TestSealedAtRest: no secret of a setting or of an answer lies in the database in clear.
func TestSealedAtRest(t *testing.T) {
	h := newAPIHouse(t)
	body := endpointBody("app")
	body["bearer_token"] = "clear-as-day-token"
	made := h.do(t, h.key(t, "zenith"), "POST", "/endpoints", body, "Idempotency-Key", "one")
	secret, _ := made["secret"].(string)
	dir := h.cfg.DataDir
	found := 0
	for _, name := range []string{storage.DatabaseName, storage.DatabaseName + "-wal"} {
		text, err := os.ReadFile(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"clear-as-day-token", secret, strings.TrimPrefix(secret, "whsec_")} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s holds %s", name, word)
			}
		}
		if strings.Contains(string(text), id(made)) {
			found++
		}
	}
	if found == 0 {
		t.Error("the test looks in the wrong place: the id is nowhere either")
	}
}

// TestAccountsByAPI: an account comes and goes with its keys.
func TestAccountsByAPI(t *testing.T) {
	h := newAPIHouse(t)
	operator := h.key(t, "")
	made := h.do(t, operator, "POST", "/accounts", map[string]any{"name": "new"})
	h.accounts["new"] = id(made)
	key := h.key(t, "new")
	e := h.do(t, key, "POST", "/endpoints", endpointBody("app"))
	h.refused(t, 409, "needs it", operator, "DELETE", "/accounts/"+id(made), nil)
	h.do(t, key, "DELETE", "/endpoints/"+id(e), nil)
	h.do(t, operator, "DELETE", "/accounts/"+id(made), nil)
	h.refused(t, 401, "", key, "GET", "/self", nil)
	h.refused(t, 409, "taken", operator, "POST", "/accounts", map[string]any{"name": "acme"})
	h.refused(t, 403, "Only the operator", h.key(t, "acme"), "POST", "/accounts", map[string]any{"name": "mine"})
}

// TestOperationByAPI: reply addresses that hold, a drain that is felt, a block that is lifted, mail that is counted, a replay that is made.
func TestOperationByAPI(t *testing.T) {
	h := newAPIHouse(t)
	operator, zenith := h.key(t, ""), h.key(t, "zenith")
	events := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		events <- r.Header.Get("Webhook-Id") + r.Header.Get("Letterhook-Replay")
	}))
	defer receiver.Close()
	e := h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": h.accounts["zenith"], "name": "app", "url": receiver.URL, "allow_private": true})
	h.do(t, operator, "POST", "/domains", map[string]any{
		"account_id": h.accounts["zenith"], "name": "zen.example", "reply_keys": []string{"replykey_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
	})
	h.do(t, zenith, "POST", "/routes", map[string]any{"domain": "zen.example", "match": "reply+*", "endpoints": []string{"app"}, "token": "required"})
	minted := h.do(t, zenith, "POST", "/reply-addresses", map[string]any{"domain": "zen.example", "data": "ticket-42"})
	address, _ := minted["address"].(string)
	verdict := h.do(t, zenith, "POST", "/reply-address-verdicts", map[string]any{"address": address})
	if verdict["valid"] != true || verdict["data"] != "ticket-42" {
		t.Errorf("%v", verdict)
	}
	if forged := h.do(t, zenith, "POST", "/reply-address-verdicts", map[string]any{"address": "reply+caaaaadunfrwwzlufu2dfh57sppb7gbbnzeea@zen.example"}); forged["reason"] != "forged" {
		t.Errorf("%v", forged)
	}
	h.refused(t, 422, "no domain of yours", h.key(t, "acme"), "POST", "/reply-addresses", map[string]any{"domain": "zen.example"})

	send(t, h.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{address}, text: "hello"})
	first := <-events
	count := map[string]any{"endpoint_id": id(e), "states": []string{"delivered"}}
	for h.do(t, zenith, "POST", "/replay-counts", count)["made"] != 1.0 { // the attempt is recorded after its answer
		if t.Context().Err() != nil {
			t.Fatal("it is never recorded")
		}
	}
	replay := h.do(t, zenith, "POST", "/replays", count)
	if again := <-events; again != first+"true" {
		t.Errorf("%q, want %q again", again, first)
	}
	if shown := h.do(t, zenith, "GET", "/replays/"+id(replay), nil); shown["total"] != 1.0 {
		t.Errorf("%v", shown)
	}

	// What may reach private networks stays where the operator has put it.
	inside := "http://127.0.0.1:1/"
	h.refused(t, 403, "Only the operator", zenith, "PATCH", "/endpoints/"+id(e), map[string]any{"url": inside})
	h.refused(t, 403, "Only the operator", zenith, "PATCH", "/endpoints/"+id(e), map[string]any{"oauth": map[string]any{"token_url": inside, "client_id": "c", "client_secret": "s"}})
	for _, path := range []string{"/replays", "/replay-counts"} {
		h.refused(t, 403, "Only the operator", zenith, "POST", path, map[string]any{"endpoint_id": id(e), "states": []string{"delivered"}, "url": inside})
	}
	h.do(t, zenith, "PATCH", "/endpoints/"+id(e), map[string]any{"gzip": true})
	own := h.do(t, zenith, "POST", "/endpoints", endpointBody("own"))
	h.do(t, zenith, "POST", "/replay-counts", map[string]any{"endpoint_id": id(own), "states": []string{"delivered"}, "url": "https://elsewhere.example/"})

	h.do(t, operator, "POST", "/blocks", map[string]any{"sender": "spam.example", "reason": "spam"})
	if blocks := h.do(t, operator, "GET", "/levers", nil)["blocks"].([]any); len(blocks) != 1 {
		t.Errorf("%v", blocks)
	}
	if left := h.do(t, operator, "DELETE", "/blocks?sender=spam.example", nil)["blocks"].([]any); len(left) != 0 {
		t.Errorf("%v", left)
	}
	if h.do(t, operator, "PATCH", "/levers", map[string]any{"drain": true}); !h.smtp.Levers().Drain.On {
		t.Error("the drain is not on")
	}
	if nodes := fmt.Sprint(h.do(t, operator, "GET", "/nodes", nil)); !strings.Contains(nodes, "drained by a lever") {
		t.Errorf("%s", nodes)
	}
}

// TestReplayOfWhatTheAPIMade: the command line beside the server knows what came by the API.
func TestReplayOfWhatTheAPIMade(t *testing.T) {
	h := newAPIHouse(t)
	operator := h.key(t, "")
	zenith := h.accounts["zenith"]
	h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": zenith, "name": "first", "url": "https://first.example/"})
	h.do(t, operator, "POST", "/domains", map[string]any{"account_id": zenith, "name": "zen.example"})
	route := h.do(t, operator, "POST", "/routes", map[string]any{"domain": "zen.example", "match": "*", "discard": true})
	send(t, h.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"a@zen.example"}, text: "hello"})
	h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": zenith, "name": "later", "url": "https://later.example/"})
	h.do(t, operator, "PATCH", "/routes/"+id(route), map[string]any{"discard": nil, "endpoints": []string{"later"}})
	out, err := command(t, "replay", "create", "--endpoint", "later", "--missing", "--dry-run", "--json", "-c", h.path)
	if err != nil || !strings.Contains(out, `"would_make":1`) {
		t.Errorf("%v: %s", err, out)
	}
}
