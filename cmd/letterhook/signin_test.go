package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// signInHouse is a server that people log in to by a provider.
type signInHouse struct {
	*apiHouse

	issuer *issuer
	site   string
}

func newSignInHouse(t *testing.T) *signInHouse {
	t.Helper()
	i := startIssuer(t)
	h := &signInHouse{issuer: i, apiHouse: &apiHouse{accounts: map[string]string{"": ""}}}
	text := strings.NewReplacer(`public_url: http://127.0.0.1:1/`, "public_url: http://mail.example.com/mail", "DNS", "127.0.0.1:1").Replace(apiFile) + `
oidc:
  issuer: "` + i.URL + `"
  name: Example
  client_id: letterhook
  client_secret: secret
  grants:
    - {emails: [Ann@example.com], groups: [oncall], scopes: [write, read, admin, replay]}
    - {domains: [acme.example], account: acme, scopes: [read]}
    - {emails: [lost@example.com], account: nobody, scopes: [read]}
`
	h.serving = serveGuardedFile(t, text)
	h.site, h.base = "http://mail.example.com/mail", "http://"+h.public.Addr().String()+"/api/v1"
	known, err := h.store.KnownAccounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range known {
		h.accounts[a.Name] = a.ID
	}
	return h
}

// browser is a client with cookies, for which the public URL leads to the server.
func (h *signInHouse) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "mail.example.com:80" {
			address = h.public.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

func fetchPage(t *testing.T, c *http.Client, address string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// logIn goes the whole way, and gives the page that it ends at.
func (h *signInHouse) logIn(t *testing.T, c *http.Client, claims map[string]any, signs *ecdsa.PrivateKey) (*http.Response, string) {
	t.Helper()
	h.issuer.says(claims, signs)
	return fetchPage(t, c, h.site+"/login/oidc?back="+url.QueryEscape("/settings"))
}

// TestSignIn: who comes back from the provider gets what the file grants to him, until his access is ended.
func TestSignIn(t *testing.T) {
	h := newSignInHouse(t)
	c := h.browser(t)
	if _, page := fetchPage(t, c, h.site+"/messages"); !strings.Contains(page, "Log in with Example") {
		t.Fatal("the login does not offer the provider")
	}
	response, page := h.logIn(t, c, map[string]any{"email": "ann@example.com", "email_verified": true}, nil)
	if response.Request.URL.Path != "/mail/settings" || !strings.Contains(page, "ann@example.com, who sees every account") || !strings.Contains(page, "Make an account") {
		t.Fatalf("%s %s", response.Request.URL, page)
	}
	for name, cookie := range map[string]string{"the session": "letterhook", "the login under way": "letterhook-login"} {
		found := false
		u, _ := url.Parse(h.site)
		for _, one := range c.Jar.Cookies(u) {
			found = found || one.Name == cookie
		}
		if found != (cookie == "letterhook") {
			t.Errorf("%s: the cookie is there: %v", name, found)
		}
	}

	acme := h.browser(t)
	_, page = h.logIn(t, acme, map[string]any{"email": "bob@ACME.example", "email_verified": "true", "sub": "subject-2"}, nil)
	if !strings.Contains(page, "bob@acme.example") || strings.Contains(page, "who sees every account") || strings.Contains(page, "Make a key") {
		t.Errorf("%s", page)
	}
	_, page = h.logIn(t, h.browser(t), map[string]any{"groups": []string{"staff", "oncall"}, "sub": "subject-3"}, nil)
	if !strings.Contains(page, "subject-3, who sees every account") {
		t.Errorf("%s", page)
	}

	// A second login of the same person stands on the same key, and ending it ends all of them, for good.
	again := h.browser(t)
	h.logIn(t, again, map[string]any{"email": "ann@example.com", "email_verified": true}, nil)
	var anns []*storage.APIKey
	keys, err := h.store.APIKeys(t.Context(), storage.APIKeyQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Name == "ann@example.com" {
			anns = append(anns, k)
		}
	}
	if len(anns) != 1 || strings.Join(anns[0].Scopes, " ") != "read write replay admin" {
		t.Fatalf("%+v", anns)
	}
	operator := h.key(t, "")
	if lines := fmt.Sprint(h.do(t, operator, "GET", "/audit?object="+anns[0].ID, nil)); strings.Count(lines, "action:login") != 2 || !strings.Contains(lines, "127.0.0.1") {
		t.Errorf("the audit log: %s", lines)
	}
	h.do(t, operator, "DELETE", "/keys/"+anns[0].ID, nil)
	for _, browser := range []*http.Client{c, again} {
		if response, _ := fetchPage(t, browser, h.site+"/settings"); response.Request.URL.Path != "/mail/login" {
			t.Errorf("after the key was ended: %s", response.Request.URL)
		}
	}
	if _, page := h.logIn(t, c, map[string]any{"email": "ann@example.com", "email_verified": true}, nil); !strings.Contains(page, "Your access was ended here") {
		t.Errorf("%s", page)
	}
}

// TestSignInRefuses: nobody gets in by a token that was not made for this login, nor by what the provider only claims.
func TestSignInRefuses(t *testing.T) {
	h := newSignInHouse(t)
	thief, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := func(more map[string]any) map[string]any {
		claims := map[string]any{"email": "ann@example.com", "email_verified": true}
		maps.Copy(claims, more)
		return claims
	}
	for name, tt := range map[string]struct {
		claims map[string]any
		signs  *ecdsa.PrivateKey
		want   string
	}{
		"somebody else's signature":           {good(nil), thief, "did not succeed"},
		"a token for another client":          {good(map[string]any{"aud": "other"}), nil, "did not succeed"},
		"of another provider":                 {good(map[string]any{"iss": "https://evil.example"}), nil, "did not succeed"},
		"an expired token":                    {good(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), nil, "did not succeed"},
		"of another login":                    {good(map[string]any{"nonce": "other"}), nil, "belongs to another one"},
		"without a nonce":                     {good(map[string]any{"nonce": nil}), nil, "belongs to another one"},
		"an address that nobody verified":     {good(map[string]any{"email_verified": false}), nil, "nothing here is granted"},
		"an address of which nothing is said": {good(map[string]any{"email_verified": nil}), nil, "nothing here is granted"},
		"somebody unknown":                    {good(map[string]any{"email": "eve@example.com"}), nil, "nothing here is granted"},
		"a domain that only ends alike":       {good(map[string]any{"email": "eve@notacme.example"}), nil, "nothing here is granted"},
		"a domain below":                      {good(map[string]any{"email": "eve@sub.acme.example"}), nil, "nothing here is granted"},
		"an account that is not there":        {good(map[string]any{"email": "lost@example.com"}), nil, "is not there"},
	} {
		c := h.browser(t)
		response, page := h.logIn(t, c, tt.claims, tt.signs)
		if response.StatusCode != http.StatusForbidden || !strings.Contains(page, tt.want) {
			t.Errorf("%s: %s %s", name, response.Status, page)
		}
		if response, _ := fetchPage(t, c, h.site+"/settings"); response.Request.URL.Path != "/mail/login" {
			t.Errorf("%s: in all the same", name)
		}
	}
}

// TestSignInBelongsToItsBrowser: a link that somebody was sent logs nobody in, and no login is finished twice.
func TestSignInBelongsToItsBrowser(t *testing.T) {
	h := newSignInHouse(t)
	h.issuer.says(map[string]any{"email": "ann@example.com", "email_verified": true}, nil)
	attacker := h.browser(t)
	var link string
	attacker.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			link = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	fetchPage(t, attacker, h.site+"/login/oidc")
	if link == "" {
		t.Fatal("the provider sent nobody back")
	}
	victim := h.browser(t)
	if response, _ := fetchPage(t, victim, link); response.StatusCode != http.StatusForbidden {
		t.Errorf("another browser: %s", response.Status)
	}
	fetchPage(t, victim, h.site+"/login/oidc") // it has a login under way of its own now, or is in by it
	stranger := h.browser(t)
	stranger.CheckRedirect = attacker.CheckRedirect
	own := link
	fetchPage(t, stranger, h.site+"/login/oidc")
	if response, _ := fetchPage(t, stranger, own); response.StatusCode != http.StatusForbidden {
		t.Errorf("the state of another login: %s", response.Status)
	}
	attacker.CheckRedirect = nil
	if response, _ := fetchPage(t, attacker, own); response.StatusCode != http.StatusOK {
		t.Errorf("the browser that began it: %s", response.Status)
	}
	if response, _ := fetchPage(t, attacker, own); response.StatusCode != http.StatusForbidden {
		t.Errorf("once more: %s", response.Status)
	}
	for _, back := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`} {
		if response, _ := fetchPage(t, h.browser(t), h.site+"/login/oidc?back="+url.QueryEscape(back)); !strings.HasPrefix(response.Request.URL.String(), h.site) {
			t.Errorf("%s leads to %s", back, response.Request.URL)
		}
	}
}

// TestSignInWithoutProvider: a provider that is away keeps nobody from logging in with a key, nor the server from starting.
func TestSignInWithoutProvider(t *testing.T) {
	h := newSignInHouse(t)
	h.issuer.Close()
	response, page := fetchPage(t, h.browser(t), h.site+"/login/oidc")
	if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page, "cannot be reached now") || strings.Contains(page, "dial tcp") {
		t.Errorf("%s %s", response.Status, page)
	}
}
