// Package signin lets people in by OpenID Connect, in the place of a key of the API that they paste.
//
// The promise of this package: somebody gets in who just came back from the provider to the very browser that he left from, with a token of the
// provider that was made for this login (state, nonce and PKCE), and he gets what the operator's file grants to him and no more. What the
// provider only claims about an address counts for nothing: it must say that it has verified it.
package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// Config says who may come in, and by whom.
type Config struct {
	Name         string // of the provider, for people
	Issuer       string // its URL
	ClientID     string
	ClientSecret string   // empty: a public client, which PKCE protects
	Scopes       []string // beside openid
	GroupsClaim  string   // that holds the groups
	RedirectURL  string   // of the page that people come back to
	Grants       []Grant  // the first one that fits counts
	Secure       bool     // browsers come over TLS

	Store *storage.Store
	Gate  *access.Gate
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// Life is how long such a login lasts: what the provider says of somebody is asked for again then.
const Life = 12 * time.Hour

const (
	cookieLife = 10 * time.Minute // in which somebody logs in at the provider
	patience   = 10 * time.Second // with the provider
	// failureHolds is how long a provider that was away is taken for that: whoever comes meanwhile does not queue up to ask it again.
	failureHolds = 5 * time.Second
)

// DeniedError says why somebody does not get in. Its text is for him.
type DeniedError struct{ Text string }

// Error implements error.
func (e *DeniedError) Error() string { return e.Text }

// Provider lets people in by one provider. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	client *http.Client

	mu       sync.Mutex
	oauth    *oauth2.Config // nil: the provider was not asked yet
	verifier *oidc.IDTokenVerifier
	failed   time.Time // when the provider was asked in vain
	failure  error
}

// New makes a provider. It asks nobody before the first login.
func New(cfg Config) *Provider {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Provider{cfg: cfg, client: &http.Client{Timeout: patience}}
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.cfg.Name }

// discover asks the provider for what it is, once.
func (p *Provider) discover(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.oauth != nil {
		return p.oauth, p.verifier, nil
	}
	if p.cfg.Now().Sub(p.failed) < failureHolds {
		return nil, nil, p.failure
	}
	// The keys of the provider are fetched later, by other logins too.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.cfg.Issuer)
	if err != nil {
		p.failed, p.failure = p.cfg.Now(), fmt.Errorf("asking %s: %w", p.cfg.Issuer, err)
		return nil, nil, p.failure
	}
	p.oauth = &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.cfg.RedirectURL,
		Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
	}
	p.verifier = found.Verifier(&oidc.Config{ClientID: p.cfg.ClientID, Now: p.cfg.Now})
	return p.oauth, p.verifier, nil
}

// attempt is a login that is under way, kept in a cookie of the browser.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // of PKCE (RFC 7636)
	Back     string `json:"b"` // path to go to then
}

// Start sends somebody to the provider. back is where he is to be then.
func (p *Provider) Start(w http.ResponseWriter, r *http.Request, back string) error {
	config, _, err := p.discover(r.Context())
	if err != nil {
		return err
	}
	a := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Back: back}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	http.SetCookie(w, p.cookie(base64.RawURLEncoding.EncodeToString(text), int(cookieLife.Seconds())))
	http.Redirect(w, r, config.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), http.StatusSeeOther)
	return nil
}

// Finish lets somebody in who comes back from the provider, and gives the path that he wanted. A [*DeniedError] is for him to read; any
// other error is not.
func (p *Provider) Finish(w http.ResponseWriter, r *http.Request) (back string, err error) {
	a, err := p.attempt(r)
	http.SetCookie(w, p.cookie("", -1))
	if err != nil {
		return "", err
	}
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.State)) != 1 {
		return "", &DeniedError{"This login was begun in another window or browser. Begin it again."}
	}
	if q.Get("error") != "" {
		return "", &DeniedError{p.cfg.Name + " did not let you in. Begin the login again."}
	}
	who, err := p.redeem(r.Context(), a, q.Get("code"))
	if err != nil {
		return "", err
	}
	key, err := p.admit(r.Context(), who)
	if err != nil {
		return "", err
	}
	line := storage.AuditLine{Account: key.Account, Actor: key.ID, Name: key.Name, Address: access.ClientHost(r), Action: "login", Object: key.ID}
	if err := p.cfg.Store.Audit(r.Context(), line); err != nil {
		return "", err
	}
	return a.Back, p.cfg.Gate.Enter(r.Context(), w, key, Life)
}

func (p *Provider) cookie(value string, age int) *http.Cookie {
	name := "letterhook-login"
	if p.cfg.Secure {
		name = "__Host-" + name
	}
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: p.cfg.Secure, SameSite: http.SameSiteLaxMode}
}

// attempt reads the login that the browser has under way.
func (p *Provider) attempt(r *http.Request) (a attempt, err error) {
	unknown := &DeniedError{"The login took too long, or was begun in another browser. Begin it again."}
	c, err := r.Cookie(p.cookie("", 0).Name)
	if err != nil {
		return a, unknown
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(text, &a) != nil || a.State == "" || a.Nonce == "" || a.Verifier == "" {
		return a, unknown
	}
	return a, nil
}

// redeem turns the code into what the provider says of somebody.
func (p *Provider) redeem(ctx context.Context, a attempt, code string) (*person, error) {
	config, verifier, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError:
		p.cfg.Log.Warn("the provider of logins took a code for none", "issuer", p.cfg.Issuer, "error", refused.ErrorCode)
		return nil, &DeniedError{"The login is not valid any more. Begin it again."}
	case err != nil:
		return nil, fmt.Errorf("redeeming a code at %s: %w", p.cfg.Issuer, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("verifying a token of %s: %w", p.cfg.Issuer, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return nil, &DeniedError{"The login belongs to another one. Begin it again."}
	}
	return p.read(id)
}
