package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/letterhook/letterhook/storage"
)

func replaySpec(f *fixture) storage.ReplaySpec {
	return storage.ReplaySpec{Endpoint: f.values["endpoint"]}
}

// contract holds answers against the document.
type contract struct {
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

func newContract(t *testing.T, document map[string]any) *contract {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("https://api.example/openapi.json", parsed); err != nil {
		t.Fatal(err)
	}
	return c
}

// broken says how an answer is none that the document describes; empty: it is one.
func (c *contract) broken(d *describedOperation, a *answer) string {
	responses, _ := d.operation["responses"].(map[string]any)
	key := strconv.Itoa(a.status)
	if _, ok := responses[key]; !ok {
		key = strconv.Itoa(a.status/100) + "XX"
	}
	response, ok := responses[key].(map[string]any)
	if !ok && d.id == "stream-events" && a.status >= 400 {
		return "" // a stream is described by its events alone
	}
	if !ok {
		return fmt.Sprintf("the status %d is not described", a.status)
	}
	content, _ := response["content"].(map[string]any)
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if len(content) == 0 {
		if len(a.text) > 0 && strings.HasSuffix(kind, "json") { // a mail has no schema
			return "it has a body and is described without one"
		}
		return ""
	}
	if content[kind] == nil {
		return fmt.Sprintf("the type %q is not described", kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return ""
	}
	escaped := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1") }
	pointer := fmt.Sprintf("https://api.example/openapi.json#/paths/%s/%s/responses/%s/content/%s/schema", escape(escaped(d.path)), strings.ToLower(d.method), key, escape(escaped(kind)))
	schema := c.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile(pointer); err != nil {
			return err.Error()
		}
		c.schemas[pointer] = schema
	}
	if !strings.HasSuffix(kind, "json") {
		return ""
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.text))
	if err != nil {
		return err.Error()
	}
	if err := schema.Validate(body); err != nil {
		return err.Error()
	}
	return ""
}

// TestContract asks for every operation and holds each answer against the document.
func TestContract(t *testing.T) {
	f := newFixture(t)
	whole, operations := f.document(t)
	c, known := newContract(t, whole), calls()
	for i := range operations {
		d := &operations[i]
		one, ok := known[d.id]
		if !ok {
			t.Errorf("no call for the operation %s: add it to calls", d.id)
			continue
		}
		path, body, _ := f.request(t, d, &one, []string{"read"})
		a := f.ask(t, f.key(t, ""), d.method, path, body)
		if a.status/100 != 2 {
			t.Errorf("%s: %s %s: %d %s", d.id, d.method, path, a.status, a.text)
		}
		if why := c.broken(d, &a); why != "" {
			t.Errorf("%s: %s: %s", d.id, a.text, why)
		}
		if a.header.Get("RateLimit") == "" || a.header.Get("RateLimit-Policy") == "" {
			t.Errorf("%s: no RateLimit", d.id)
		}
		// What it refuses it refuses as described, too.
		a = f.ask(t, "", d.method, path, body)
		if why := c.broken(d, &a); why != "" || a.status != 401 {
			t.Errorf("%s: without a key: %d %s", d.id, a.status, why)
		}
	}
}

// TestMatrix walks every operation with no key, with each scope alone, and with the key of another account, which may see, change and
// claim nothing.
func TestMatrix(t *testing.T) {
	f := newFixture(t)
	_, operations := f.document(t)
	known := calls()
	f.do(t, f.key(t, "acme"), "POST", "/endpoints", endpointBody("acmeapp"))
	for i := range operations {
		d := &operations[i]
		one := known[d.id]
		for _, scope := range scopeNames() {
			path, body, _ := f.request(t, d, &one, []string{scope})
			a := f.ask(t, f.key(t, "zenith", scope), d.method, path, body)
			allowed := !d.operator && (d.scope == "" || d.scope == scope)
			switch {
			case allowed && (a.status == 401 || a.status == 403 || a.status == 404 || a.status >= 500):
				t.Errorf("%s: scope %s is refused: %d %s", d.id, scope, a.status, a.text)
			case !allowed && a.status != 403:
				t.Errorf("%s: scope %s: %d %s", d.id, scope, a.status, a.text)
			}
		}
		path, body, unique := f.request(t, d, &one, []string{"read"})
		before := f.stateOf(t, "zenith")
		a := f.ask(t, f.key(t, "acme"), d.method, path, body)
		asked := path + fmt.Sprint(body)
		if strings.Contains(d.path, "{") && a.status != 404 && (!d.operator || a.status != 403) {
			t.Errorf("%s: another account's: %d %s", d.id, a.status, a.text)
		}
		if a.status >= 500 {
			t.Errorf("%s: %d", d.id, a.status)
		}
		for _, word := range f.secretsOfZenith() {
			if strings.Contains(string(a.text), word) && !strings.Contains(asked, word) {
				t.Errorf("%s tells another account of %q: %s", d.id, word, a.text)
			}
		}
		if after := f.stateOf(t, "zenith"); after != before {
			t.Errorf("%s, asked by another account, changed zenith:\n%s\n%s", d.id, before, after)
		}
		if e := f.directory.Load(); slices.ContainsFunc(e.Domains(), func(k storage.KnownDomain) bool {
			return k.Account == f.accounts["acme"] && (k.Name == "zen.example" || k.Name == unique+".example")
		}) {
			t.Errorf("%s: another account claims a domain without proof", d.id)
		}
	}
}

// secretsOfZenith are words that nobody but zenith and the operator may read.
func (f *fixture) secretsOfZenith() []string {
	words := []string{"zenapp", "zen.example", "zenvalue", "zentoken", "zenkey", "zendata", "zensender", "zentext", "zennobody", "zenfile", "zencontent"}
	for name, value := range f.values {
		if name != "attachment" { // a number
			words = append(words, value)
		}
	}
	return words
}

// stateOf is what an account has, as text.
func (f *fixture) stateOf(t *testing.T, account string) string {
	t.Helper()
	var b strings.Builder
	b.Write(f.ask(t, f.reader, "GET", "/audit?limit=1", nil).text)
	c, err := f.store.Configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range c.Settings {
		if setting.Account == f.accounts[account] {
			fmt.Fprintf(&b, "%s %s %d %s ", setting.ID, setting.Name, setting.Revision, setting.Body)
		}
	}
	replays, err := f.store.Replays(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := f.store.APIKeys(t.Context(), storage.APIKeyQuery{Account: f.accounts[account], Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range replays {
		fmt.Fprint(&b, r.ID, " ")
	}
	for _, k := range keys {
		fmt.Fprint(&b, k.ID, k.RevokedAt.IsZero(), k.ExpiresAt.IsZero(), " ")
	}
	return b.String()
}
