package access

import (
	"context"
	"slices"
)

// Scope is something that a key allows. None includes another one.
type Scope string

// The scopes.
const (
	ScopeRead   Scope = "read"   // see messages, deliveries and the configuration
	ScopeWrite  Scope = "write"  // change the configuration
	ScopeReplay Scope = "replay" // have deliveries made again
	ScopeAdmin  Scope = "admin"  // keys, the audit log; for the operator accounts and levers too
)

// Scopes are all of them.
func Scopes() []Scope { return []Scope{ScopeRead, ScopeWrite, ScopeReplay, ScopeAdmin} }

// Principal is who asks.
type Principal struct {
	Account string  // id of the account that it may see; empty: the operator, who sees all
	Scopes  []Scope // what it may do there
	Key     string  // id of its key; empty: let in without one, by dev
	Name    string  // of the key, for people
	Address string  // of the client
	Session bool    // it is a browser with a login
}

// Operator says whether it is the operator.
func (p Principal) Operator() bool { return p.Account == "" }

// May says whether it may do something.
func (p Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }

// Sees says whether something of an account may be shown to it.
func (p Principal) Sees(account string) bool { return p.Account == "" || p.Account == account }

type principalKey struct{}

// With puts a principal into a context.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// Of gives the principal of a request's context. It is false where nobody proved who they are: then nothing may be shown. The
// zero Principal sees all accounts and may do nothing, so look at the second result first.
func Of(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
