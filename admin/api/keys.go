package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Key is a key of the API, without its token.
type Key struct {
	ID        string         `json:"id"`
	Account   string         `json:"account_id,omitempty" doc:"Left out for a key of the operator."`
	Name      string         `json:"name"`
	Scopes    []access.Scope `json:"scopes" nullable:"false" enum:"read,write,replay,admin"`
	CreatedAt time.Time      `json:"created_at"`
	ExpiresAt *time.Time     `json:"expires_at,omitempty"`
	RevokedAt *time.Time     `json:"revoked_at,omitempty"`
	UsedAt    *time.Time     `json:"used_at,omitempty" doc:"To a few minutes."`
	Replaces  string         `json:"replaces,omitempty" doc:"The key that it was rotated from."`
}

// NewKey is a key with its token.
type NewKey struct {
	Key

	Token string `json:"token" doc:"What is sent as bearer token. It is shown this once and kept nowhere."`
}

// KeySettings are what a key is made of.
type KeySettings struct {
	Name      string         `json:"name" minLength:"1" maxLength:"100" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" doc:"For people: who has it, or what for."`
	Account   string         `json:"account_id,omitempty" maxLength:"100" doc:"For the operator: the account that it is for; left out: a key of the operator. Others make keys of their own account."`
	Scopes    []access.Scope `json:"scopes" nullable:"false" minItems:"1" maxItems:"4" enum:"read,write,replay,admin" doc:"What it may do: at most what the key may that makes it."`
	ExpiresAt *time.Time     `json:"expires_at,omitempty" doc:"Left out: it does not expire."`
}

// maxKeyLife keeps times within what can be written.
const maxKeyLife = 100 * 365 * 24 * time.Hour

// KeyPath names a key.
type KeyPath struct {
	ID string `path:"key" maxLength:"100" doc:"The id of the key."`
}

func (s *service) registerKeys() {
	register(s, operation{
		method: http.MethodGet, path: "/keys", id: "list-keys", tag: tagAccess, scope: access.ScopeAdmin, summary: "List keys",
		about: "Those that ended are among them.",
	}, s.listKeys)
	register(s, operation{
		method: http.MethodPost, path: "/keys", id: "create-key", tag: tagAccess, scope: access.ScopeAdmin, summary: "Make a key", status: http.StatusCreated,
	}, s.createKey)
	register(s, operation{
		method: http.MethodGet, path: "/keys/{key}", id: "get-key", tag: tagAccess, scope: access.ScopeAdmin, summary: "Show a key",
	}, s.getKey)
	register(s, operation{
		method: http.MethodDelete, path: "/keys/{key}", id: "revoke-key", tag: tagAccess, scope: access.ScopeAdmin, summary: "End a key at once",
		about: "Logins that stand on it end too. It stays in the list.",
	}, s.revokeKey)
	register(s, operation{
		method: http.MethodPost, path: "/keys/{key}/rotate", id: "rotate-key", tag: tagAccess, scope: access.ScopeAdmin, status: http.StatusCreated,
		summary: "Make a key that takes the place of another", about: "The new one has its name and scopes; the old one works until the overlap has passed.",
	}, s.rotateKey)
}

func showKey(k *storage.APIKey) Key {
	v := Key{
		ID: k.ID, Account: k.Account, Name: k.Name, Scopes: []access.Scope{}, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: optionalTime(k.ExpiresAt),
		RevokedAt: optionalTime(k.RevokedAt), UsedAt: optionalTime(k.UsedAt), Replaces: k.Replaces,
	}
	for _, scope := range k.Scopes {
		v.Scopes = append(v.Scopes, access.Scope(scope))
	}
	return v
}

func (s *service) listKeys(ctx context.Context, p access.Principal, in *struct{ PageQuery }) (*pageOutput[Key], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.APIKeys(ctx, storage.APIKeyQuery{Account: p.Account, After: after, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	return page(list, in.Limit, showKey, func(k *storage.APIKey) string { return k.ID }), nil
}

// key gives a key that the principal may see.
func (s *service) key(ctx context.Context, p access.Principal, id string) (*storage.APIKey, error) {
	k, err := s.Store.APIKey(ctx, id)
	if err == nil && !p.Sees(k.Account) {
		err = notFound()
	}
	return k, err
}

func (s *service) getKey(ctx context.Context, p access.Principal, in *KeyPath) (*output[Key], error) {
	k, err := s.key(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	return &output[Key]{showKey(k)}, nil
}

func (s *service) createKey(ctx context.Context, p access.Principal, in *struct{ Body KeySettings }) (*output[NewKey], error) {
	b := &in.Body
	account, err := accountOf(p, b.Account)
	if err != nil {
		return nil, err
	}
	k := &storage.APIKey{ID: s.Store.NewAPIKeyID(), Account: account, Name: b.Name, CreatedAt: s.Now()}
	if b.ExpiresAt != nil {
		if life := b.ExpiresAt.Sub(k.CreatedAt); life <= 0 || life > maxKeyLife {
			return nil, invalid(fault("body.expires_at", "is not within the next hundred years"))
		}
		k.ExpiresAt = *b.ExpiresAt
	}
	if !hasAll(p, b.Scopes) {
		return nil, problem.New(http.StatusForbidden, "A key cannot make one that may do more than itself.")
	}
	for _, scope := range access.Scopes() { // in their order, each once; the library's check of that panics on lists of lists
		if slices.Contains(b.Scopes, scope) {
			k.Scopes = append(k.Scopes, string(scope))
		}
	}
	token := access.Mint(k)
	shown := showKey(k)
	if err := s.Store.CreateAPIKey(ctx, k, s.line(p, account, "key.create", k.ID, nil, shown)); err != nil {
		return nil, err
	}
	return &output[NewKey]{NewKey{shown, token}}, nil
}

func (s *service) revokeKey(ctx context.Context, p access.Principal, in *KeyPath) (*struct{}, error) {
	k, err := s.key(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.RevokeAPIKey(ctx, k.ID, s.line(p, k.Account, "key.revoke", k.ID, showKey(k), nil))
}

type rotateKeyInput struct {
	KeyPath

	Body struct {
		OverlapSeconds *int `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old one works beside the new one; left out: a day."`
	}
}

func (s *service) rotateKey(ctx context.Context, p access.Principal, in *rotateKeyInput) (*output[NewKey], error) {
	old, err := s.key(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	switch {
	case !old.Works(s.Now()):
		return nil, problem.New(http.StatusConflict, "The key has ended. Make a new one.")
	case slices.ContainsFunc(old.Scopes, func(scope string) bool { return !p.May(access.Scope(scope)) }):
		return nil, problem.New(http.StatusForbidden, "A key cannot make one that may do more than itself.")
	}
	k := &storage.APIKey{
		ID: s.Store.NewAPIKeyID(), Account: old.Account, Name: old.Name, Scopes: old.Scopes, CreatedAt: s.Now(), ExpiresAt: old.ExpiresAt, Replaces: old.ID,
	}
	token := access.Mint(k)
	shown := showKey(k)
	overlap := overlapOf(in.Body.OverlapSeconds)
	if err := s.Store.RotateAPIKey(ctx, k, overlap, s.line(p, k.Account, "key.rotate", k.ID, showKey(old), shown)); err != nil {
		return nil, err
	}
	return &output[NewKey]{NewKey{shown, token}}, nil
}

// overlapOf is how long what is rotated works beside what takes its place.
func overlapOf(seconds *int) time.Duration {
	if seconds == nil {
		return 24 * time.Hour
	}
	return time.Duration(*seconds) * time.Second
}
