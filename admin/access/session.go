package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// SessionLife is how long a login of a browser lasts.
const SessionLife = 7 * 24 * time.Hour

// ErrBadKey says that a login was tried with something that is no key, or with one that has ended.
var ErrBadKey = errors.New("not a valid key")

// cookieName is one that no other host can have set, where there is TLS (the prefix of RFC 6265bis section 4.1.3.2).
func (g *Gate) cookieName() string {
	if g.cfg.Secure {
		return "__Host-letterhook"
	}
	return "letterhook"
}

func sessionHash(cookie string) [sha256.Size]byte { return sha256.Sum256([]byte(cookie)) }

// Login makes a session for the holder of a token and sets its cookie. A token that is no good gives [ErrBadKey]. Serve it below
// [Gate.Handler], which bounds how often strangers may try.
func (g *Gate) Login(ctx context.Context, w http.ResponseWriter, token string) (Principal, error) {
	key, err := g.byToken(ctx, token)
	if err == nil {
		var p Principal
		if p, err = g.principal(ctx, key); err == nil {
			p.Session = true
			return p, g.Enter(ctx, w, key, SessionLife)
		}
	}
	if errors.Is(err, errUnknown) {
		err = ErrBadKey
	}
	return Principal{}, err
}

// Enter makes a session that stands on a key, whose holder was found out otherwise, and sets its cookie. It lasts for life, and as long as
// the key does.
func (g *Gate) Enter(ctx context.Context, w http.ResponseWriter, key *storage.APIKey, life time.Duration) error {
	cookie, expires := newSecret(), g.cfg.Now().Add(life)
	if err := g.cfg.Store.CreateAPISession(ctx, sessionHash(cookie), key.ID, expires); err != nil {
		return err
	}
	http.SetCookie(w, g.cookie(cookie, expires))
	return nil
}

// Logout ends the session of a request and takes its cookie back.
func (g *Gate) Logout(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, g.cookie("", time.Unix(1, 0)))
	cookie, err := r.Cookie(g.cookieName())
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	return g.cfg.Store.EndAPISession(r.Context(), sessionHash(cookie.Value))
}

func (g *Gate) cookie(value string, expires time.Time) *http.Cookie {
	return &http.Cookie{
		Name: g.cookieName(), Value: value, Path: "/", Expires: expires, HttpOnly: true, Secure: g.cfg.Secure, SameSite: http.SameSiteLaxMode,
	}
}
