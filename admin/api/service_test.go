package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// house is a server of the API with a real store and two accounts.
type house struct {
	store *storage.Store
	url   string
	log   *bytes.Buffer
	// accounts gives ids by names.
	accounts  map[string]string
	directory atomic.Pointer[storage.Directory]
	woken     atomic.Int64 // how often the delivery was
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	blobs, err := storage.NewDir(dir+"/blobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	return newHouseOn(t, storage.Config{Dir: dir, Blobs: blobs})
}

func newHouseOn(t *testing.T, config storage.Config) *house {
	t.Helper()
	config.Keys = [][]byte{bytes.Repeat([]byte{7}, 32)}
	store, err := storage.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := store.Apply(t.Context(), storage.Declaration{Accounts: []string{"acme", "zenith"}}); err != nil {
		t.Fatal(err)
	}
	h := &house{store: store, log: &bytes.Buffer{}, accounts: map[string]string{"": ""}}
	known, err := store.KnownAccounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range known {
		h.accounts[a.Name] = a.ID
	}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	gate := access.New(access.Config{Store: store, Log: log, Rates: access.Rates{Key: 1e6, KeyBurst: 1e6, Stranger: 1e6, StrangerBurst: 1e6}})
	server := httptest.NewServer(gate.Handler(api.New(api.Config{
		Store: store, Version: "test", Log: log, Configuration: api.Configuration{
			Directory: h.directory.Load,
			Check:     func(context.Context, []storage.Setting) (map[string][]problem.Fault, error) { return nil, nil },
		},
		Wake: func() { h.woken.Add(1) },
	})))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// token makes a key of an account, "" being the operator, and gives its token. Without scopes it has all.
func (h *house) token(t *testing.T, account string, scopes ...string) string {
	t.Helper()
	if len(scopes) == 0 {
		scopes = []string{"read", "write", "replay", "admin"}
	}
	k := &storage.APIKey{ID: h.store.NewAPIKeyID(), Account: h.accounts[account], Name: "of " + account, Scopes: scopes, CreatedAt: time.Now()}
	token := access.Mint(k)
	if err := h.store.CreateAPIKey(t.Context(), k, storage.AuditLine{}); err != nil {
		t.Fatal(err)
	}
	return token
}

// ask sends a request with a body as JSON, if there is one, and decodes the answer into the result.
func (h *house) ask(t *testing.T, token, method, path string, body, result any) *http.Response {
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
	r, err := http.NewRequestWithContext(t.Context(), method, h.url+path, content)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if result != nil {
		if err := json.Unmarshal(text, result); err != nil {
			t.Fatalf("%s %s: %s %s: %v", method, path, response.Status, text, err)
		}
	}
	return response
}

// refused asks for something that must not be done.
func (h *house) refused(t *testing.T, want int, token, method, path string, body any) problem.Problem {
	t.Helper()
	var p problem.Problem
	response := h.ask(t, token, method, path, body, &p)
	if response.StatusCode != want || p.Status != want || p.Detail == "" || p.Type != "about:blank" || response.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("%s %s: %s %+v, want %d", method, path, response.Status, p, want)
	}
	return p
}

func TestDocument(t *testing.T) {
	h := newHouse(t)
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	response := h.ask(t, "", http.MethodGet, "/api/v1/openapi.json", nil, &document)
	if response.StatusCode != http.StatusOK || document.OpenAPI != "3.1.0" || document.Paths["/keys/{key}"]["delete"] == nil {
		t.Errorf("%s %+v", response.Status, document)
	}
	h.refused(t, http.StatusNotFound, "", http.MethodGet, "/api/v1/nothing", nil)
	h.refused(t, http.StatusNotFound, "", http.MethodGet, "/api/", nil)
	h.refused(t, http.StatusMethodNotAllowed, "", http.MethodPut, "/api/v1/keys", nil)
	h.refused(t, http.StatusUnauthorized, "", http.MethodGet, "/api/v1/keys", nil)
	h.refused(t, http.StatusUnauthorized, "lhk_wrong", http.MethodGet, "/api/v1/openapi.json", nil)
}

func TestKeysOfTheAPI(t *testing.T) {
	h := newHouse(t)
	operator, acme, zenith := h.token(t, ""), h.token(t, "acme"), h.token(t, "zenith")
	var made api.NewKey
	response := h.ask(t, operator, http.MethodPost, "/api/v1/keys", map[string]any{"name": "app", "account_id": h.accounts["acme"], "scopes": []string{"read"}}, &made)
	if response.StatusCode != http.StatusCreated || made.Token == "" || made.Account != h.accounts["acme"] {
		t.Fatalf("%s %+v", response.Status, made)
	}
	var self api.Self
	if h.ask(t, made.Token, http.MethodGet, "/api/v1/self", nil, &self); self.Key != made.ID || self.Operator || !slices.Equal(self.Scopes, []access.Scope{"read"}) {
		t.Errorf("%+v", self)
	}
	h.refused(t, http.StatusForbidden, made.Token, http.MethodGet, "/api/v1/keys", nil)
	path := "/api/v1/keys/" + made.ID
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		h.refused(t, http.StatusNotFound, zenith, method, path, nil)
	}
	h.refused(t, http.StatusNotFound, zenith, http.MethodPost, path+"/rotate", map[string]any{})
	h.refused(t, http.StatusNotFound, zenith, http.MethodPost, "/api/v1/keys", map[string]any{"name": "x", "account_id": h.accounts["acme"], "scopes": []string{"read"}})

	// What is wrong is told, all at once.
	p := h.refused(t, http.StatusUnprocessableEntity, acme, http.MethodPost, "/api/v1/keys", map[string]any{"name": "", "scopes": []string{"everything"}, "surprise": 1})
	if len(p.Errors) != 3 {
		t.Errorf("%+v", p)
	}
	h.refused(t, http.StatusBadRequest, acme, http.MethodPost, "/api/v1/keys", "{")
	h.refused(t, http.StatusUnprocessableEntity, acme, http.MethodGet, "/api/v1/keys?limit=0", nil)
	h.refused(t, http.StatusUnprocessableEntity, acme, http.MethodGet, "/api/v1/keys?page=2", nil)
	h.refused(t, http.StatusUnprocessableEntity, acme, http.MethodGet, "/api/v1/keys?cursor=%25", nil)

	// Nobody makes a key that may more.
	helper := h.token(t, "acme", "admin")
	h.refused(t, http.StatusForbidden, helper, http.MethodPost, "/api/v1/keys", map[string]any{"name": "x", "scopes": []string{"write"}})
	h.refused(t, http.StatusForbidden, helper, http.MethodPost, path+"/rotate", map[string]any{})

	var rotated api.NewKey
	if response := h.ask(t, acme, http.MethodPost, path+"/rotate", map[string]any{"overlap_seconds": 0}, &rotated); response.StatusCode != http.StatusCreated || rotated.Replaces != made.ID {
		t.Errorf("%s %+v", response.Status, rotated)
	}
	h.refused(t, http.StatusConflict, acme, http.MethodPost, path+"/rotate", map[string]any{})
	h.refused(t, http.StatusUnauthorized, made.Token, http.MethodGet, "/api/v1/self", nil)
	if response := h.ask(t, acme, http.MethodDelete, "/api/v1/keys/"+rotated.ID, nil, nil); response.StatusCode != http.StatusNoContent {
		t.Errorf("%s", response.Status)
	}
	h.refused(t, http.StatusUnauthorized, rotated.Token, http.MethodGet, "/api/v1/self", nil)

	// The log tells who did it, to those whom it concerns, and no token.
	var lines api.Page[api.AuditLine]
	h.ask(t, acme, http.MethodGet, "/api/v1/audit", nil, &lines)
	var actions []string
	for _, l := range lines.Items {
		actions = append(actions, l.Action)
	}
	if !slices.Equal(actions, []string{"key.revoke", "key.rotate", "key.create"}) {
		t.Errorf("%v", actions)
	}
	text, err := json.Marshal(lines)
	if err != nil || strings.Contains(string(text), made.Token) || strings.Contains(string(text), rotated.Token) {
		t.Errorf("%s %v", text, err)
	}
	if h.ask(t, zenith, http.MethodGet, "/api/v1/audit", nil, &lines); len(lines.Items) != 0 {
		t.Errorf("another account reads %+v", lines)
	}
}

func TestPages(t *testing.T) {
	h := newHouse(t)
	acme := h.token(t, "acme")
	for range 4 {
		h.token(t, "acme", "read")
		h.token(t, "zenith", "read")
	}
	var ids []string
	for path, pages := "/api/v1/keys?limit=2", 0; path != ""; pages++ {
		var p api.Page[api.Key]
		if h.ask(t, acme, http.MethodGet, path, nil, &p); len(p.Items) > 2 || pages > 3 {
			t.Fatalf("page %d: %+v", pages, p)
		}
		for _, k := range p.Items {
			if k.Account != h.accounts["acme"] {
				t.Errorf("shown: %+v", k)
			}
			ids = append(ids, k.ID)
		}
		if path = ""; p.NextCursor != "" {
			path = "/api/v1/keys?limit=2&cursor=" + p.NextCursor
		}
	}
	if len(ids) != 5 || !slices.IsSorted(ids) {
		t.Errorf("%v", ids)
	}
}

// TestTroubleSaysNothing: the text of an internal error stays in the log.
func TestTroubleSaysNothing(t *testing.T) {
	h := newHouse(t)
	token := h.token(t, "")
	response := h.ask(t, token, http.MethodGet, "/api/v1/self", nil, nil)
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	p := h.refused(t, http.StatusServiceUnavailable, token, http.MethodGet, "/api/v1/keys", nil)
	if strings.Contains(p.Detail, "sql") || strings.Contains(p.Detail, "closed") {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(h.log.String(), "closed") {
		t.Errorf("the log says %s", h.log)
	}
}
