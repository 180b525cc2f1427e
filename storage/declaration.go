package storage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// Declaration is what the operator's file says about routing, everything by name. [Store.Apply] gives every name an id
// that stays the same over restarts and changes of the rest.
type Declaration struct {
	// Accounts are the names of the tenants.
	Accounts []string
	// Limits and Retention are by the names of accounts. What an account says nothing about is unlimited, and kept as long as all else.
	Limits    map[string]Limits
	Retention map[string]AccountRetention
	// Suppressions are what accounts do not want; unlike all else they name the account by its id.
	Suppressions []Suppression
	Domains      []DeclaredDomain
	// Endpoints have no ID yet, and their Account is the NAME of the account. The first one of an account is its
	// default: it gets what is sent to postmaster and abuse unless a route says otherwise.
	Endpoints []Endpoint
	Routes    []DeclaredRoute
	// AcceptAll, when not nil, takes mail for every domain that is not declared. It is for development only.
	AcceptAll *AcceptAll
}

// DeclaredDomain gives a domain to an account.
type DeclaredDomain struct {
	// Name is a domain in either form of IDNA, or "*." and a domain for all its subdomains at any depth.
	Name    string
	Account string // name of the account
	// ReplyKeys verify the tokens of reply addresses; any of them may have signed.
	ReplyKeys []replyaddr.Key
	// MaxSize is the size in octets up to which its recipients take a message; 0: whatever the server takes.
	MaxSize int64
	// Check is what is asked about recipients at RCPT, as in [inbound.Decision.Check]; empty: nothing.
	Check string
	// DMARC is what is done with mail for the domain that fails DMARC.
	DMARC inbound.DMARCAction
	// Greylist puts off senders that were never seen.
	Greylist bool
	// RequireTLS refuses mail for the domain that comes over a connection in clear.
	RequireTLS bool
	// Source is where it was declared, as in [Endpoint].
	Source string
}

// DeclaredRoute says what happens to mail for certain local-parts of a domain. A route is known again by its domain and
// its match.
type DeclaredRoute struct {
	Domain string // as in DeclaredDomain.Name
	// Match selects local-parts, without regard to case:
	//
	//	support        this one
	//	reply+*        "reply+" and any detail; "reply" alone needs a route of its own
	//	order-*        a glob: * is any run of characters, ? is one character
	//	/^o-(?P<n>.*)/ a regular expression (RE2) over the whole local-part; named groups become captures
	//	*              all of them
	//
	// The kinds are tried in this order, routes of the same kind in the order of the declaration.
	Match     string
	Endpoints []string       // names of endpoints of the domain's account; may be empty: accepted and discarded
	Refuse    *inbound.Reply // the answer to RCPT instead of accepting; Endpoints is then empty
	// Token says what is done about the token of a reply address. It is for a Match of the form reply+* in a domain with
	// reply keys.
	Token TokenPolicy
	// MaxSize stands in the place of the domain's; 0: the domain's.
	MaxSize int64
	// Check stands in the place of the domain's; empty: the domain's; CheckNone: nothing is asked.
	Check string
	// Sync has the sender of a mail wait for the answer of the endpoint, of which there is exactly one, and hear it. It does
	// not hold for postmaster and abuse.
	Sync bool
	// Filters keep mail back from the endpoints for the recipients of the route; any of them does.
	Filters []Filter
	// Source is where it was declared, as in [Endpoint].
	Source string
}

// CheckNone is the Check of a route whose recipients nobody is asked about.
const CheckNone = "none"

// TokenPolicy says what a route does about the signed token of a reply address (see package replyaddr).
type TokenPolicy string

// The token policies of a route.
const (
	TokenIgnored  TokenPolicy = ""         // what stands behind the "+" is a detail like any other
	TokenRequired TokenPolicy = "required" // without a valid one: 550 5.7.1
	TokenMarked   TokenPolicy = "marked"   // accepted whatever it is; the verdict goes into the event
)

// AcceptAll leads the mail of all domains that are not declared to one endpoint.
type AcceptAll struct {
	Account  string // name
	Endpoint string // name
}

// Validate reports every fault of the declaration, joined, or nil.
func (d *Declaration) Validate() error {
	v := validation{accounts: map[string]bool{}, domains: map[string]string{}, signing: map[string]bool{}, endpoints: map[[2]string]bool{}}
	v.readAccounts(d.Accounts)
	v.readLimits(d)
	v.readDomains(d.Domains)
	v.readEndpoints(d.Endpoints)
	v.checkFallbacks(d.Domains, d.Endpoints)
	v.readRoutes(d.Routes)
	if a := d.AcceptAll; a != nil && !v.endpoints[[2]string{a.Account, a.Endpoint}] {
		v.faultf("accept all: account %q has no endpoint %q", a.Account, a.Endpoint)
	}
	return errors.Join(v.faults...)
}

// validation holds the names met so far.
type validation struct {
	faults    []error
	accounts  map[string]bool
	domains   map[string]string  // normalised domain -> account
	signing   map[string]bool    // normalised domains with reply keys
	endpoints map[[2]string]bool // account, name
}

func (v *validation) faultf(format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf(format, args...))
}

func (v *validation) readAccounts(names []string) {
	for _, name := range names {
		switch {
		case name == "":
			v.faultf("an account has no name")
		case v.accounts[name]:
			v.faultf("account %q is declared twice", name)
		}
		v.accounts[name] = true
	}
}

func (v *validation) readLimits(d *Declaration) {
	for name, l := range d.Limits {
		if !v.accounts[name] {
			v.faultf("limits: there is no account %q", name)
		}
		if l.Octets < 0 || l.Backlog < 0 || l.PerMinute < 0 || l.PerHour < 0 {
			v.faultf("limits of account %q: one is negative", name)
		}
	}
	for name, r := range d.Retention {
		if !v.accounts[name] {
			v.faultf("retention: there is no account %q", name)
		}
		if r.Messages < 0 || r.Attachments < 0 {
			v.faultf("retention of account %q: a time is negative", name)
		}
	}
}

func (v *validation) readDomains(domains []DeclaredDomain) {
	for _, d := range domains {
		name, err := normalDomain(d.Name)
		if err != nil {
			v.faultf("domain %q: %w", d.Name, err)
			continue
		}
		if _, ok := v.domains[name]; ok {
			v.faultf("domain %q is declared twice", d.Name)
		}
		if !v.accounts[d.Account] {
			v.faultf("domain %q: there is no account %q", d.Name, d.Account)
		}
		if d.MaxSize < 0 {
			v.faultf("domain %q: a size is negative", d.Name)
		}
		v.domains[name] = d.Account
		v.signing[name] = len(d.ReplyKeys) > 0
	}
}

func (v *validation) readEndpoints(endpoints []Endpoint) {
	for i := range endpoints {
		e := &endpoints[i]
		key := [2]string{e.Account, e.Name}
		switch {
		case e.Name == "":
			v.faultf("an endpoint of account %q has no name", e.Account)
		case v.endpoints[key]:
			v.faultf("endpoint %q is declared twice", e.Name)
		case !v.accounts[e.Account]:
			v.faultf("endpoint %q: there is no account %q", e.Name, e.Account)
		}
		v.endpoints[key] = true
	}
}

// checkFallbacks finds domains whose mail to postmaster and abuse, which cannot be refused, would have nowhere to go.
func (v *validation) checkFallbacks(domains []DeclaredDomain, endpoints []Endpoint) {
	for _, d := range domains {
		owns := func(e Endpoint) bool { return e.Account == d.Account }
		if v.accounts[d.Account] && !slices.ContainsFunc(endpoints, owns) {
			v.faultf("domain %q: account %q has no endpoint, so mail to postmaster and abuse would be lost", d.Name, d.Account)
		}
	}
}

func (v *validation) readRoutes(routes []DeclaredRoute) {
	seen := map[[2]string]bool{}
	for _, r := range routes {
		name, err := normalDomain(r.Domain)
		account, ok := v.domains[name]
		if err != nil || !ok {
			v.faultf("route %q: domain %q is not declared", r.Match, r.Domain)
			continue
		}
		m, err := parseMatch(r.Match)
		if err != nil {
			v.faultf("route %q of %q: %w", r.Match, r.Domain, err)
			continue
		}
		if key := [2]string{name, m.text}; seen[key] {
			v.faultf("route %q of %q is declared twice", r.Match, r.Domain)
		} else {
			seen[key] = true
		}
		if r.Sync && len(r.Endpoints) != 1 {
			v.faultf("route %q of %q is synchronous and has %d endpoints, not one", r.Match, r.Domain, len(r.Endpoints))
		}
		if r.Refuse != nil && len(r.Endpoints) > 0 {
			v.faultf("route %q of %q refuses and has endpoints", r.Match, r.Domain)
		}
		if r.MaxSize < 0 {
			v.faultf("route %q of %q: a size is negative", r.Match, r.Domain)
		}
		v.checkToken(&r, m, v.signing[name])
		for _, e := range r.Endpoints {
			if !v.endpoints[[2]string{account, e}] {
				v.faultf("route %q of %q: account %q has no endpoint %q", r.Match, r.Domain, account, e)
			}
		}
	}
}

// checkToken finds routes whose token nobody could mint or verify.
func (v *validation) checkToken(r *DeclaredRoute, m match, signing bool) {
	switch {
	case r.Token == TokenIgnored:
	case r.Token != TokenRequired && r.Token != TokenMarked:
		v.faultf("route %q of %q: there is no token policy %q", r.Match, r.Domain, r.Token)
	case m.kind != matchDetail:
		v.faultf("route %q of %q: a token stands behind the + of a match like reply+*", r.Match, r.Domain)
	case !signing:
		v.faultf("route %q of %q looks for a token and the domain has no reply keys", r.Match, r.Domain)
	case r.Refuse != nil:
		v.faultf("route %q of %q refuses whatever the token is", r.Match, r.Domain)
	}
}
