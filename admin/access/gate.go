package access

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Config is what a [Gate] needs.
type Config struct {
	Store *storage.Store
	Log   *slog.Logger
	// Open says which requests come from the operator without any proof; nil: none. See [FromHere].
	Open func(*http.Request) bool
	// Secure says that browsers come over TLS: cookies then go nowhere else.
	Secure bool
	// Origin is that of the public URL, for example https://mail.example.com: pages of it are our own, whatever Host a proxy in front
	// puts into their requests. Empty: the Host decides alone.
	Origin string
	Rates  Rates
	Now    func() time.Time // nil: time.Now
}

// Rates bound how often somebody may ask.
type Rates struct {
	// Key is how many requests a key may make in a second, in the mean; 0: 50. KeyBurst is how many it may make at once after a
	// rest; 0: 200.
	Key      float64
	KeyBurst int
	// Stranger and StrangerBurst hold for each address whose requests prove nothing; 0: 5 and 50. An IPv6 /64 is one address.
	Stranger      float64
	StrangerBurst int
}

// Gate finds out who asks. It is safe for concurrent use.
type Gate struct {
	cfg       Config
	keys      *limiter
	strangers *limiter
	origins   *http.CrossOriginProtection
}

// New makes a gate. It starts nothing.
func New(cfg Config) *Gate {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	origins := http.NewCrossOriginProtection()
	if cfg.Origin != "" {
		if err := origins.AddTrustedOrigin(cfg.Origin); err != nil {
			cfg.Log.Warn("the origin of the public URL is none, so that the Host of requests decides alone", "error", err)
		}
	}
	return &Gate{
		cfg: cfg, origins: origins,
		keys:      newLimiter("key", orFloat(cfg.Rates.Key, 50), orInt(cfg.Rates.KeyBurst, 200), cfg.Now),
		strangers: newLimiter("address", orFloat(cfg.Rates.Stranger, 5), orInt(cfg.Rates.StrangerBurst, 50), cfg.Now),
	}
}

func orFloat(n, otherwise float64) float64 {
	if n == 0 {
		return otherwise
	}
	return n
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// errUnknown says that what a request shows proves nothing.
var errUnknown = errors.New("unknown credentials")

// Handler serves next with the [Principal] of each request in its context, if it has one. A bearer token that is no good is
// answered 401, so that nobody takes a page for strangers for their own; a login that has ended is as if there were none. A change
// at the bidding of another site's page is answered 403, and whoever asks too often 429.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bound(w, r)
		if err := g.origins.Check(r); err != nil {
			problem.Write(w, http.StatusForbidden, "This request came from a page of another site.")
			return
		}
		address := clientAddress(r)
		p, err := g.identify(r)
		switch {
		case err == nil:
			p.Address = ClientHost(r)
			if !g.keys.take(w, p.limitKey()) {
				return
			}
			next.ServeHTTP(w, r.WithContext(With(r.Context(), p)))
			return
		case !errors.Is(err, errUnknown):
			if r.Context().Err() == nil {
				g.cfg.Log.Error("a key could not be looked up", "error", err)
			}
			w.Header().Set("Retry-After", "5")
			problem.Write(w, http.StatusServiceUnavailable, "Keys cannot be looked up now. Try again later.")
			return
		case !g.strangers.take(w, address):
			return
		case r.Header.Get("Authorization") != "":
			Refuse(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Refuse answers a request that had to prove who asks.
func Refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="Letterhook"`)
	problem.Write(w, http.StatusUnauthorized, "Send a valid key: Authorization: Bearer lhk_...")
}

// limitKey is what the rate is counted by.
func (p *Principal) limitKey() string {
	if p.Key == "" {
		return "open"
	}
	return p.Key
}

func (g *Gate) open(r *http.Request) bool { return g.cfg.Open != nil && g.cfg.Open(r) }

func (g *Gate) identify(r *http.Request) (Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Principal{}, errUnknown
		}
		key, err := g.byToken(r.Context(), strings.TrimSpace(token))
		if err != nil {
			return Principal{}, err
		}
		return g.principal(r.Context(), key)
	}
	if cookie, err := r.Cookie(g.cookieName()); err == nil {
		key, err := g.cfg.Store.APISession(r.Context(), sessionHash(cookie.Value))
		switch {
		case err == nil:
			p, err := g.principal(r.Context(), key)
			p.Session = true
			if !errors.Is(err, errUnknown) {
				return p, err
			}
		case !errors.Is(err, storage.ErrNotFound):
			return Principal{}, err
		}
	}
	if g.open(r) {
		return Principal{Scopes: Scopes(), Name: "dev"}, nil
	}
	return Principal{}, errUnknown
}

// byToken gives the key of a token.
func (g *Gate) byToken(ctx context.Context, token string) (*storage.APIKey, error) {
	id, hash, ok := split(token)
	if !ok {
		return nil, errUnknown
	}
	key, err := g.cfg.Store.APIKey(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, errUnknown
	case err != nil:
		return nil, err
	case !sameHash(key.Hash, hash):
		return nil, errUnknown
	}
	return key, nil
}

// useNoted is how exactly it is known when a key was used last.
const useNoted = 5 * time.Minute

func (g *Gate) principal(ctx context.Context, key *storage.APIKey) (Principal, error) {
	now := g.cfg.Now()
	if !key.Works(now) {
		return Principal{}, errUnknown
	}
	if now.Sub(key.UsedAt) > useNoted {
		if err := g.cfg.Store.NoteAPIKeyUse(ctx, key.ID, now); err != nil && ctx.Err() == nil {
			g.cfg.Log.Warn("the use of a key was not noted", "key", key.ID, "error", err)
		}
	}
	p := Principal{Account: key.Account, Key: key.ID, Name: key.Name}
	for _, s := range key.Scopes {
		p.Scopes = append(p.Scopes, Scope(s))
	}
	return p, nil
}
