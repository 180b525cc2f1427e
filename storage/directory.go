package storage

import (
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// Directory is a snapshot of the accounts, domains, endpoints and routes. It never changes: a reload makes a new one.
type Directory struct {
	// Endpoints holds every endpoint by its id, those that are no longer declared with Disabled set.
	Endpoints map[string]*Endpoint
	// Accounts gives the name of every account by its id.
	Accounts map[string]string
	// Limits and Retention are those of the declared accounts that have some of their own, by their ids.
	Limits    map[string]Limits
	Retention map[string]AccountRetention

	now       func() time.Time
	domains   map[string]*domain
	filters   map[string][]Filter // by the id of their route
	acceptAll *domain

	suppressions suppressions
	postmaster   *domain // takes <postmaster> without a domain; nil when no domain is declared
}

// domain is a declared domain with its routes, sorted by kind.
type domain struct {
	account  string
	dmarc    inbound.DMARCAction
	greylist bool

	requireTLS bool
	fallback   []string          // endpoint ids for postmaster and abuse: the account's first endpoint
	exact      map[string]*route // by normalised local-part
	detail     map[string]*route // by what stands before the "+"
	patterns   []*route          // globs, then regular expressions
	all        *route

	replyKeys []replyaddr.Key
	maxSize   int64 // octets; 0: whatever the server takes
	check     string
	source    string
}

type route struct {
	id        string
	match     match
	endpoints []string
	refuse    *inbound.Reply
	token     TokenPolicy
	maxSize   int64 // octets; 0: the domain's
	sync      bool
	check     string // CheckNone or empty: none
	source    string
}

// Recipients decides about a forward-path at RCPT (RFC 5321 section 4.1.1.3). It only reads memory, so it never blocks.
// postmaster and abuse exist in every declared domain (RFC 5321 section 4.5.1, RFC 2142): no route can refuse them.
func (d *Directory) Recipients(p inbound.Path) inbound.Decision {
	dom, name := d.lookup(p)
	if dom == nil {
		return inbound.Decision{Refuse: foreignDomain()}
	}
	localPart, detail, _ := strings.Cut(p.LocalPart, "+")
	decision := inbound.Decision{
		Account: dom.account, LocalPart: localPart, Detail: detail, MaxSize: dom.maxSize, DMARC: dom.dmarc, RequireTLS: dom.requireTLS, Greylist: dom.greylist,
	}
	normal := normalLocalPart(p.LocalPart)
	r, captures := dom.route(normal, p.LocalPart)
	switch {
	case (r == nil || r.refuse != nil) && isRole(normal):
		decision.Endpoints, decision.Apart = dom.fallback, d.apart(dom.fallback)
		return decision
	case r == nil:
		return inbound.Decision{Refuse: unknownMailbox()}
	case r.refuse != nil:
		return inbound.Decision{Refuse: r.refuse}
	}
	if r.token != TokenIgnored {
		local, _, _ := strings.Cut(normal, "+")
		decision.Token = VerifyToken(dom.replyKeys, replyaddr.Mailbox{Local: local, Domain: name}, detail, d.now())
		if r.token == TokenRequired && !decision.Token.Valid {
			return inbound.Decision{Refuse: badToken(decision.Token)}
		}
	}
	decision.Route = r.id
	decision.Endpoints, decision.Apart = r.endpoints, d.apart(r.endpoints)
	decision.Captures = captures
	if !isRole(normal) { // those exist whatever an application thinks of it
		decision.Sync = r.sync
		if r.check != CheckNone {
			decision.Check = r.check
		}
	}
	if r.maxSize > 0 {
		decision.MaxSize = r.maxSize
	}
	return decision
}

// apart picks the endpoints that want an event of their own for each recipient. It is never longer than a few.
func (d *Directory) apart(endpoints []string) (list []string) {
	for _, id := range endpoints {
		if e := d.Endpoints[id]; e != nil && e.PerRecipient {
			list = append(list, id)
		}
	}
	return list
}

// isRole says whether a normalised local-part must exist wherever mail is taken.
func isRole(normal string) bool { return normal == "postmaster" || normal == "abuse" }

// lookup finds the domain that a forward-path belongs to, and gives the normalised name that it was found by.
func (d *Directory) lookup(p inbound.Path) (dom *domain, name string) {
	if p.Domain == "" {
		if normalLocalPart(p.LocalPart) == "postmaster" {
			return d.postmaster, ""
		}
		return nil, ""
	}
	name, err := normalDomain(p.Domain)
	if err != nil || strings.HasPrefix(name, "*.") {
		return d.acceptAll, name
	}
	if dom := d.domains[name]; dom != nil {
		return dom, name
	}
	for rest := name; ; {
		_, parent, ok := strings.Cut(rest, ".")
		if !ok {
			return d.acceptAll, name
		}
		if dom := d.domains["*."+parent]; dom != nil {
			return dom, name
		}
		rest = parent
	}
}

// Account is the id of the account whose domain a forward-path belongs to; empty: nobody's.
func (d *Directory) Account(p inbound.Path) string {
	if dom, _ := d.lookup(p); dom != nil {
		return dom.account
	}
	return ""
}

func (d *domain) route(normal, written string) (*route, map[string]string) {
	if r := d.exact[normal]; r != nil {
		return r, nil
	}
	if before, _, ok := strings.Cut(normal, "+"); ok {
		if r := d.detail[before]; r != nil {
			return r, nil
		}
	}
	for _, r := range d.patterns {
		if r.match.kind == matchGlob {
			if r.match.re.MatchString(normal) {
				return r, nil
			}
		} else if captures, ok := r.match.captures(written); ok {
			return r, captures
		}
	}
	return d.all, nil
}

func (d *domain) add(r *route) {
	switch r.match.kind {
	case matchExact:
		d.exact[r.match.text] = r
	case matchDetail:
		d.detail[strings.TrimSuffix(r.match.text, "+*")] = r
	case matchGlob, matchRegexp:
		d.patterns = append(d.patterns, r)
		slices.SortStableFunc(d.patterns, func(a, b *route) int { return int(a.match.kind) - int(b.match.kind) })
	case matchAll:
		d.all = r
	}
}

// normalDomain is the form in which domains are compared: lower-case A-labels (RFC 5890). "*." in front stays.
func normalDomain(s string) (string, error) {
	rest, wild := strings.CutPrefix(s, "*.")
	if strings.HasPrefix(rest, "[") {
		return "", errors.New("an address literal is no domain")
	}
	if net.ParseIP(rest) != nil {
		return "", errors.New("an IP address is no domain")
	}
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(rest, "."))
	if err != nil {
		// Lookup is strict about letters; names with an underscore are in use and harmless to compare.
		if !isASCII(rest) {
			return "", err
		}
		name = strings.ToLower(strings.TrimSuffix(rest, "."))
	}
	if name == "" || len(name) > 255 || strings.ContainsAny(name, "*@ ") {
		return "", errors.New("not a domain name")
	}
	if wild {
		return "*." + name, nil
	}
	return name, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// foreignDomain refuses a domain that nobody declared: we relay for no one (RFC 5321 section 3.6.2).
func foreignDomain() *inbound.Reply {
	return &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: "No mail is taken for this domain here"}
}

func unknownMailbox() *inbound.Reply {
	return &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "No such mailbox here"}
}
