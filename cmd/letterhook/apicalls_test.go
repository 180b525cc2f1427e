package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// fixture is something of everything, all of it zenith's, for tests that walk over the operations of the API.
type fixture struct {
	*apiHouse

	values map[string]string // by the name of the parameter of a path
	reader string            // a key of zenith's
	keys   map[string]string // that last, by account
}

// newFixture makes one. The words that begin with "zen" are zenith's own: nobody else may ever read them.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{apiHouse: newAPIHouse(t), values: map[string]string{}}
	operator := f.key(t, "")
	f.reader = f.key(t, "zenith")
	zenith := f.accounts["zenith"]
	f.values["account"] = zenith
	e := f.do(t, operator, "POST", "/endpoints", map[string]any{
		"account_id": zenith, "name": "zenapp", "url": "https://zenapp.example/hook", "headers": map[string]string{"X-Zen": "zenvalue"}, "bearer_token": "zentoken",
	})
	f.values["endpoint"] = id(e)
	d := f.do(t, operator, "POST", "/domains", map[string]any{
		"account_id": zenith, "name": "zen.example", "reply_keys": []string{"replykey_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
	})
	f.values["domain"] = id(d)
	r := f.do(t, operator, "POST", "/routes", map[string]any{"domain": "zen.example", "match": "reply+*", "endpoints": []string{"zenapp"}, "token": "marked"})
	f.values["route"] = id(r)
	k := f.do(t, operator, "POST", "/keys", map[string]any{"account_id": zenith, "name": "zenkey", "scopes": []string{"read"}})
	f.values["key"] = id(k)
	replay := f.do(t, operator, "POST", "/replays", map[string]any{"endpoint_id": id(e), "all": true})
	f.values["replay"] = id(replay)
	f.receive(t)
	return f
}

// receive has a mail for zenith accepted, and one refused.
func (f *fixture) receive(t *testing.T) {
	t.Helper()
	f.do(t, f.key(t, ""), "POST", "/endpoints/"+f.values["endpoint"]+"/pause", nil)
	file := filepath.Join(t.TempDir(), "zenfile.bin")
	if err := os.WriteFile(file, []byte("zencontent"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.values["message"] = send(t, f.smtpListeners[0].Addr().String(), sendOptions{from: "zensender@sender.example", to: []string{"reply+1@zen.example"}, text: "zentext", attach: []string{file}})
	f.values["attachment"] = "2"
	deliveries, err := f.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: f.values["message"]})
	if err != nil || len(deliveries) != 1 {
		t.Fatalf("%v %v", deliveries, err)
	}
	f.values["delivery"] = deliveries[0].ID
	if got := recipient(t, f.serving, "zennobody@zen.example"); !strings.HasPrefix(got, "550 ") {
		t.Fatal(got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		refusals, err := f.store.Refusals(ctx, storage.RefusalFilter{Account: f.accounts["zenith"], Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(refusals) > 0 {
			f.values["refusal"] = refusals[0].ID
			return
		}
		<-tick.C
	}
}

// call is how an operation is asked for something that zenith may have.
type call struct {
	// path has its parameters filled in where it is empty; query is added to it.
	query string
	body  func(f *fixture, unique string) any // nil: none
	// own makes what the call uses up, and gives the values of its path; nil: those of the fixture do.
	own func(t *testing.T, f *fixture, unique string) map[string]string
}

// calls has every operation of the document, by its id. An operation that is not among them fails the tests.
func calls() map[string]call {
	said := func(v map[string]any) func(*fixture, string) any { return func(*fixture, string) any { return v } }
	list := map[string]call{
		"resolve-address": {query: "?address=reply%2Bx@zen.example"},
		"create-key": {body: func(f *fixture, unique string) any {
			return map[string]any{"account_id": f.accounts["zenith"], "name": unique, "scopes": []string{}}
		}},
		"revoke-key": {own: ownKey}, "rotate-key": {own: ownKey, body: said(map[string]any{})},
		"create-account": {body: func(_ *fixture, unique string) any { return map[string]any{"name": unique} }},
		"update-account": {own: func(t *testing.T, f *fixture, unique string) map[string]string {
			return map[string]string{"account": id(f.do(t, f.key(t, ""), "POST", "/accounts", map[string]any{"name": "own" + unique}))}
		}, body: said(map[string]any{"limits": map[string]any{"stored": 1 << 30}})},
		"create-suppression": {body: func(f *fixture, unique string) any {
			return map[string]any{"account_id": f.accounts["zenith"], "sender": unique + "@spam.example"}
		}},
		"delete-suppression": {own: func(t *testing.T, f *fixture, unique string) map[string]string {
			made := f.do(t, f.key(t, "zenith"), "POST", "/suppressions", map[string]any{"sender": "own" + unique + "@spam.example"})
			return map[string]string{"suppression": id(made)}
		}},
		"create-erasure": {body: said(map[string]any{"address": "nobody.at.all@sender.example"})},
		"delete-account": {own: func(t *testing.T, f *fixture, unique string) map[string]string {
			return map[string]string{"account": id(f.do(t, f.key(t, ""), "POST", "/accounts", map[string]any{"name": "own" + unique}))}
		}},
		"create-endpoint": {body: func(f *fixture, unique string) any {
			return map[string]any{"account_id": f.accounts["zenith"], "name": unique, "url": "https://" + unique + ".example/"}
		}},
		"update-endpoint": {body: said(map[string]any{"gzip": true})},
		"delete-endpoint": {own: func(t *testing.T, f *fixture, unique string) map[string]string {
			return map[string]string{"endpoint": id(f.do(t, f.key(t, "zenith"), "POST", "/endpoints", endpointBody("own"+unique)))}
		}},
		"rotate-secret": {body: said(map[string]any{"kind": "v1a"})},
		"create-domain": {body: func(f *fixture, unique string) any {
			return map[string]any{"account_id": f.accounts["zenith"], "name": unique + ".example"}
		}},
		"update-domain": {body: said(map[string]any{"greylist": true})},
		"delete-domain": {own: func(t *testing.T, f *fixture, unique string) map[string]string {
			return map[string]string{"domain": id(f.do(t, f.key(t, "zenith"), "POST", "/domains", map[string]any{"name": "own" + unique + ".example"}))}
		}},
		"create-route": {body: func(_ *fixture, unique string) any {
			return map[string]any{"domain": "zen.example", "match": unique, "endpoints": []string{"zenapp"}}
		}},
		"update-route": {body: said(map[string]any{"position": 7})},
		"order-routes": {body: func(f *fixture, _ string) any { return map[string]any{"routes": f.routesOf("zen.example")} }},
		"delete-route": {own: func(t *testing.T, f *fixture, unique string) map[string]string {
			body := map[string]any{"domain": "zen.example", "match": "own" + unique, "discard": true}
			return map[string]string{"route": id(f.do(t, f.key(t, "zenith"), "POST", "/routes", body))}
		}},
		"mint-reply-address":   {body: said(map[string]any{"domain": "zen.example", "data": "zendata", "expires_at": "2036-01-01T00:00:00Z"})},
		"verify-reply-address": {body: said(map[string]any{"address": "reply+x@zen.example"})},
		"create-replay": {body: func(f *fixture, _ string) any {
			return map[string]any{"endpoint_id": f.values["endpoint"], "all": true}
		}},
		"count-replay": {body: func(f *fixture, _ string) any { return map[string]any{"endpoint_id": f.values["endpoint"]} }},
		"pause-replay": {own: ownReplay}, "cancel-replay": {own: ownReplay},
		"resume-replay": {own: func(t *testing.T, f *fixture, unique string) map[string]string {
			v := ownReplay(t, f, unique)
			f.do(t, f.key(t, ""), "POST", "/replays/"+v["replay"]+"/pause", nil)
			return v
		}},
		"get-test": {own: func(t *testing.T, f *fixture, _ string) map[string]string {
			return map[string]string{"test": id(f.do(t, f.key(t, ""), "POST", "/endpoints/"+f.values["endpoint"]+"/tests", nil))}
		}},
		"stream-events": {query: "?seconds=1"},
		"pull-levers":   {body: said(map[string]any{"defer": false})},
		"create-block":  {body: said(map[string]any{"network": "192.0.2.0/24", "until": "2036-01-01T00:00:00Z"})},
		"delete-block": {query: "?network=198.51.100.0/24", own: func(t *testing.T, f *fixture, _ string) map[string]string {
			f.do(t, f.key(t, ""), "POST", "/blocks", map[string]any{"network": "198.51.100.0/24"})
			return nil
		}},
	}
	for _, id := range []string{
		"get-self", "list-accounts", "get-account", "list-keys", "get-key", "list-audit", "list-endpoints", "get-endpoint", "pause-endpoint", "enable-endpoint",
		"disable-endpoint", "list-secrets", "test-endpoint", "list-domains", "get-domain", "verify-domain", "check-domain-dns", "list-routes", "get-route",
		"list-replays", "get-replay", "get-levers", "get-usage", "get-usage-now", "list-suppressions", "list-nodes",
		"list-messages", "get-message", "get-raw-message", "retry-message", "list-deliveries", "get-delivery", "retry-delivery", "list-refusals", "get-refusal",
		"get-overview", "stream-events", "listen", "get-parsed-message", "list-attachments", "get-attachment",
	} {
		list[id] = call{}
	}
	return list
}

// routesOf gives the ids of the routes of a domain, the last one first.
func (f *fixture) routesOf(domain string) []string {
	c, err := f.store.Configuration(context.Background())
	if err != nil {
		return []string{err.Error()} // which names no route
	}
	var ids []string
	for i := range c.Settings {
		if t := &c.Settings[i]; t.Kind == storage.SettingRoute && strings.HasPrefix(t.Name, domain+" ") {
			ids = append([]string{t.ID}, ids...)
		}
	}
	return ids
}

func ownKey(t *testing.T, f *fixture, unique string) map[string]string {
	body := map[string]any{"account_id": f.accounts["zenith"], "name": "own" + unique, "scopes": []string{"admin"}}
	return map[string]string{"key": id(f.do(t, f.key(t, ""), "POST", "/keys", body))}
}

// ownReplay makes one that does not end by itself: its endpoint is paused.
func ownReplay(t *testing.T, f *fixture, _ string) map[string]string {
	r, err := f.store.CreateReplay(t.Context(), replaySpec(f), 1)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"replay": r.ID}
}

// describedOperation is an operation as the document has it.
type describedOperation struct {
	id, method, path string
	scope            string // empty: any key will do
	operator         bool
	operation        map[string]any
}

// document reads the operations, in an order that is always the same.
func (h *apiHouse) document(t *testing.T) (whole map[string]any, list []describedOperation) {
	t.Helper()
	whole = h.do(t, "", "GET", "/openapi.json", nil)
	paths, _ := whole["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods, _ := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			operation, _ := methods[method].(map[string]any)
			d := describedOperation{method: strings.ToUpper(method), path: path, operation: operation}
			d.id, _ = operation["operationId"].(string)
			d.scope, _ = operation["x-scope"].(string)
			d.operator, _ = operation["x-operator"].(bool)
			list = append(list, d)
		}
	}
	if len(list) < 40 {
		t.Fatalf("the document has %d operations", len(list))
	}
	return whole, list
}

// request fills in a call.
func (f *fixture) request(t *testing.T, d *describedOperation, c *call, scopes []string) (path string, body any, unique string) {
	t.Helper()
	unique = fmt.Sprintf("u%d", time.Now().UnixNano())
	values := maps.Clone(f.values)
	if c.own != nil {
		maps.Copy(values, c.own(t, f, unique))
	}
	path = d.path
	for name, value := range values {
		path = strings.ReplaceAll(path, "{"+name+"}", escape(value))
	}
	if strings.Contains(path, "{") {
		t.Fatalf("%s: nothing is known for %s", d.id, path)
	}
	if c.body != nil {
		body = c.body(f, unique)
		if m, ok := body.(map[string]any); ok && d.id == "create-key" {
			m["scopes"] = scopes
		}
	}
	return path + c.query, body, unique
}
