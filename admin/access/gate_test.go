package access_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// house is a store with a gate in front of a page that says who asks.
type house struct {
	store *storage.Store
	gate  *access.Gate
	url   string
	now   time.Time
}

func newHouse(t *testing.T, change func(*access.Config)) *house {
	t.Helper()
	h := &house{now: time.Now()}
	dir := t.TempDir()
	blobs, err := storage.NewDir(dir+"/blobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	if h.store, err = storage.Open(t.Context(), storage.Config{Dir: dir, Blobs: blobs, Now: func() time.Time { return h.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := access.Config{Store: h.store, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return h.now }}
	if change != nil {
		change(&cfg)
	}
	h.gate = access.New(cfg)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if _, err := h.gate.Login(r.Context(), w, r.FormValue("key")); err != nil {
			problem.Write(w, http.StatusForbidden, "no")
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := h.gate.Logout(w, r); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p, ok := access.Of(r.Context())
		if !ok {
			access.Refuse(w)
			return
		}
		_ = json.NewEncoder(w).Encode(p)
	})
	server := httptest.NewServer(h.gate.Handler(mux))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// key makes a key and gives its token.
func (h *house) key(t *testing.T, change func(*storage.APIKey)) (*storage.APIKey, string) {
	t.Helper()
	k := &storage.APIKey{ID: h.store.NewAPIKeyID(), Name: "test", Scopes: []string{"read", "write"}, CreatedAt: h.now}
	if change != nil {
		change(k)
	}
	token := access.Mint(k)
	if err := h.store.CreateAPIKey(t.Context(), k, storage.AuditLine{Action: "key.create", Object: k.ID}); err != nil {
		t.Fatal(err)
	}
	return k, token
}

func (h *house) ask(t *testing.T, method, path string, header ...string) (*http.Response, access.Principal) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p access.Principal
	if response.StatusCode == http.StatusOK && len(text) > 0 {
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return response, p
}

func (h *house) status(t *testing.T, want int, header ...string) {
	t.Helper()
	if response, _ := h.ask(t, http.MethodGet, "/", header...); response.StatusCode != want {
		t.Errorf("%v: %s, want %d", header, response.Status, want)
	}
}

func TestKeys(t *testing.T) {
	h := newHouse(t, nil)
	k, token := h.key(t, nil)
	response, p := h.ask(t, http.MethodGet, "/", "Authorization", "Bearer "+token)
	if response.StatusCode != http.StatusOK || p.Key != k.ID || !p.Operator() || !slices.Equal(p.Scopes, []access.Scope{"read", "write"}) || p.Address != "127.0.0.1" {
		t.Errorf("%s %+v", response.Status, p)
	}
	if response.Header.Get("RateLimit") != `"key";r=199;t=1` || response.Header.Get("RateLimit-Policy") != `"key";q=200;w=4` {
		t.Errorf("%v", response.Header)
	}
	h.status(t, http.StatusOK, "Authorization", "bearer "+token)
	_, other := h.key(t, nil)
	for _, wrong := range []string{
		"Bearer ", "Bearer x", "Basic " + token, token, "Bearer " + token + "a", "Bearer " + token[:len(token)-1], "Bearer " + strings.ToUpper(token),
		"Bearer " + token[:31] + other[31:], // the id of one, the secret of another
	} {
		response, _ := h.ask(t, http.MethodGet, "/", "Authorization", wrong)
		if response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") == "" ||
			response.Header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%q: %s", wrong, response.Status)
		}
	}
	h.status(t, http.StatusUnauthorized)
}

// TestNothingStoredLetsIn: neither the id nor the hash of a key is a token.
func TestNothingStoredLetsIn(t *testing.T) {
	h := newHouse(t, nil)
	k, token := h.key(t, nil)
	stored, err := h.store.APIKey(t.Context(), k.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret := token[strings.LastIndex(token, "_")+1:]
	if strings.Contains(string(stored.Hash[:]), secret) || len(secret) != 52 {
		t.Errorf("the secret %q is stored", secret)
	}
	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer "+k.ID)
	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer "+string([]rune(token[:31]))+strings.Repeat("a", 52))
}

func TestKeysEnd(t *testing.T) {
	h := newHouse(t, nil)
	line := storage.AuditLine{Action: "key.end"}
	revoked, token := h.key(t, nil)
	h.status(t, http.StatusOK, "Authorization", "Bearer "+token)
	if err := h.store.RevokeAPIKey(t.Context(), revoked.ID, line); err != nil {
		t.Fatal(err)
	}
	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer "+token)

	_, expiring := h.key(t, func(k *storage.APIKey) { k.ExpiresAt = h.now.Add(time.Hour) })
	old, oldToken := h.key(t, nil)
	next := &storage.APIKey{ID: h.store.NewAPIKeyID(), Name: "next", Scopes: old.Scopes, CreatedAt: h.now, Replaces: old.ID}
	nextToken := access.Mint(next)
	if err := h.store.RotateAPIKey(t.Context(), next, 30*time.Minute, line); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{expiring, oldToken, nextToken} {
		h.status(t, http.StatusOK, "Authorization", "Bearer "+token)
	}
	h.now = h.now.Add(31 * time.Minute)
	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer "+oldToken)
	h.status(t, http.StatusOK, "Authorization", "Bearer "+expiring)
	h.now = h.now.Add(time.Hour)
	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer "+expiring)
	h.status(t, http.StatusOK, "Authorization", "Bearer "+nextToken)
	if err := h.store.RotateAPIKey(t.Context(), &storage.APIKey{ID: h.store.NewAPIKeyID(), Replaces: old.ID}, 0, line); err == nil {
		t.Error("an ended key was rotated")
	}
}

func TestLastUse(t *testing.T) {
	h := newHouse(t, nil)
	k, token := h.key(t, nil)
	used := func() time.Time {
		stored, err := h.store.APIKey(t.Context(), k.ID)
		if err != nil {
			t.Fatal(err)
		}
		return stored.UsedAt
	}
	if !used().IsZero() {
		t.Error("used before it was")
	}
	first := h.now
	for range 3 {
		h.status(t, http.StatusOK, "Authorization", "Bearer "+token)
		h.now = h.now.Add(time.Minute)
	}
	if got := used(); got.UnixMilli() != first.UnixMilli() {
		t.Errorf("used at %v, want %v: it is written rarely", got, first)
	}
	h.now = h.now.Add(time.Hour)
	h.status(t, http.StatusOK, "Authorization", "Bearer "+token)
	if got := used(); got.UnixMilli() != h.now.UnixMilli() {
		t.Errorf("used at %v, want %v", got, h.now)
	}
}

func TestSessions(t *testing.T) {
	h := newHouse(t, nil)
	k, token := h.key(t, nil)
	login := func(key string) *http.Cookie {
		response, _ := h.ask(t, http.MethodPost, "/login?key="+key)
		for _, c := range response.Cookies() {
			return c
		}
		return nil
	}
	if login("lhk_wrong") != nil {
		t.Error("logged in without a key")
	}
	cookie := login(token)
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Value == token {
		t.Fatalf("cookie %+v", cookie)
	}
	show := cookie.Name + "=" + cookie.Value
	response, p := h.ask(t, http.MethodGet, "/", "Cookie", show)
	if response.StatusCode != http.StatusOK || p.Key != k.ID || !p.Session {
		t.Errorf("%s %+v", response.Status, p)
	}
	for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		if response, _ := h.ask(t, http.MethodPost, "/", append(header, "Cookie", show)...); response.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %s", header, response.Status)
		}
	}
	h.status(t, http.StatusUnauthorized, "Cookie", cookie.Name+"=x")

	second := login(token)
	if _, _ = h.ask(t, http.MethodPost, "/logout", "Cookie", show); true {
		h.status(t, http.StatusUnauthorized, "Cookie", show)
	}
	show = second.Name + "=" + second.Value
	h.status(t, http.StatusOK, "Cookie", show)
	if err := h.store.RevokeAPIKey(t.Context(), k.ID, storage.AuditLine{}); err != nil {
		t.Fatal(err)
	}
	h.status(t, http.StatusUnauthorized, "Cookie", show)

	_, token = h.key(t, nil)
	show = cookie.Name + "=" + login(token).Value
	h.now = h.now.Add(access.SessionLife + time.Second)
	h.status(t, http.StatusUnauthorized, "Cookie", show)
}

func TestRates(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Rates = access.Rates{Key: 1, KeyBurst: 3, Stranger: 1, StrangerBurst: 2} })
	_, token := h.key(t, nil)
	_, other := h.key(t, nil)
	for range 3 {
		h.status(t, http.StatusOK, "Authorization", "Bearer "+token)
	}
	response, _ := h.ask(t, http.MethodGet, "/", "Authorization", "Bearer "+token)
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "1" || response.Header.Get("RateLimit") != `"key";r=0;t=3` {
		t.Errorf("%s %v", response.Status, response.Header)
	}
	h.status(t, http.StatusOK, "Authorization", "Bearer "+other) // one does not take from another
	h.now = h.now.Add(time.Second)
	h.status(t, http.StatusOK, "Authorization", "Bearer "+token)

	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer x")
	h.status(t, http.StatusUnauthorized)
	h.status(t, http.StatusTooManyRequests, "Authorization", "Bearer x")
	h.status(t, http.StatusOK, "Authorization", "Bearer "+other) // strangers at the same address take nothing from who has a key
	h.now = h.now.Add(time.Second)
	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer x")
}

// TestOpen: in dev the machine itself needs no key, and no page of a browser passes for it.
func TestOpen(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Open = access.FromHere })
	response, p := h.ask(t, http.MethodGet, "/")
	if response.StatusCode != http.StatusOK || !p.Operator() || len(p.Scopes) != 4 {
		t.Errorf("%s %+v", response.Status, p)
	}
	h.status(t, http.StatusOK, "Host", "localhost:8080")
	h.status(t, http.StatusUnauthorized, "Host", "rebound.evil.example")
	h.status(t, http.StatusUnauthorized, "Authorization", "Bearer x")
	if response, _ := h.ask(t, http.MethodPost, "/", "Origin", "https://evil.example"); response.StatusCode != http.StatusForbidden {
		t.Errorf("another site: %s", response.Status)
	}
}

// TestTroubleIsOurs: a database that fails is not taken for a wrong key, and not told about.
func TestTroubleIsOurs(t *testing.T) {
	h := newHouse(t, nil)
	_, token := h.key(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.gate.Login(ctx, httptest.NewRecorder(), token); err == nil {
		t.Error("logged in without a database")
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	response, _ := h.ask(t, http.MethodGet, "/", "Authorization", "Bearer "+token)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s", response.Status)
	}
}
