package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/inbound/resolver/nameserver"
	"github.com/letterhook/letterhook/storage"
)

// apiHouse is a whole server with two accounts in its file, one of which declares something there, and a DNS of its own.
type apiHouse struct {
	*serving

	dns      *nameserver.Server
	base     string            // of the API
	accounts map[string]string // id by name; "" is the operator
}

const apiFile = `hostname: mx.example.com
public_url: http://127.0.0.1:1/
data_dir: DATA
smtp: {listeners: [{name: mx, address: "127.0.0.1:0"}]}
http: {public: {address: "127.0.0.1:0"}, private: {address: "localhost:0"}}
storage: {min_free: 0}
authentication: {dns_servers: ["DNS"]}
accounts: [{name: acme}, {name: zenith}]
endpoints: [{name: declared, account: acme, url: "https://declared.example/hook", secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}]
domains: [{name: declared.example.com, account: acme, routes: [{match: ann, endpoints: [declared]}]}]
`

func newAPIHouse(t *testing.T) *apiHouse {
	t.Helper()
	dns, err := nameserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	h := &apiHouse{dns: dns, serving: serveFile(t, strings.ReplaceAll(apiFile, "DNS", dns.Addr)), accounts: map[string]string{"": ""}}
	h.base = "http://" + h.public.Addr().String() + "/api/v1"
	known, err := h.store.KnownAccounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range known {
		h.accounts[a.Name] = a.ID
	}
	return h
}

// key makes a key of an account, "" being the operator, and gives its token. Without scopes it has all.
func (h *apiHouse) key(t *testing.T, account string, scopes ...string) string {
	t.Helper()
	if len(scopes) == 0 {
		scopes = scopeNames()
	}
	id, ok := h.accounts[account]
	if !ok {
		t.Fatalf("there is no account %q", account)
	}
	k := &storage.APIKey{ID: h.store.NewAPIKeyID(), Account: id, Name: "of " + account, Scopes: scopes, CreatedAt: time.Now()}
	token := access.Mint(k)
	if err := h.store.CreateAPIKey(t.Context(), k, storage.AuditLine{}); err != nil {
		t.Fatal(err)
	}
	return token
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	text   []byte
}

// ask sends a request; a body that is a text goes as it is, others as JSON.
func (h *apiHouse) ask(t *testing.T, token, method, path string, body any, header ...string) answer {
	t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, h.base+path, content)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "mx.example.com" // not from here: nobody is let in without a key
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/event-stream") || strings.HasPrefix(kind, "application/x-ndjson") { // it does not end: the first event is enough
		first, err := bufio.NewReader(response.Body).ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		return answer{response.StatusCode, response.Header, first}
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, text}
}

// do asks for something that must be done, and reads the answer.
func (h *apiHouse) do(t *testing.T, token, method, path string, body any, header ...string) map[string]any {
	t.Helper()
	a := h.ask(t, token, method, path, body, header...)
	if a.status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.text)
	}
	var v map[string]any
	if len(a.text) > 0 {
		if err := json.Unmarshal(a.text, &v); err != nil {
			t.Fatalf("%s %s: %s: %v", method, path, a.text, err)
		}
	}
	return v
}

// refused asks for something that must not be done.
func (h *apiHouse) refused(t *testing.T, want int, words, token, method, path string, body any, header ...string) problem.Problem {
	t.Helper()
	a := h.ask(t, token, method, path, body, header...)
	var p problem.Problem
	if err := json.Unmarshal(a.text, &p); err != nil || a.status != want || p.Status != want || a.header.Get("Content-Type") != problem.ContentType {
		t.Errorf("%s %s: %d %s, want %d", method, path, a.status, a.text, want)
	}
	if !strings.Contains(string(a.text), words) {
		t.Errorf("%s %s: %s does not say %q", method, path, a.text, words)
	}
	return p
}

func id(v map[string]any) string {
	s, _ := v["id"].(string)
	return s
}

func escape(s string) string { return url.PathEscape(s) }
