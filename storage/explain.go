package storage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// KnownDomain is a domain of a [Directory] as people look at it.
type KnownDomain struct {
	Name       string // lower-case A-labels, or "*." and such; "*": every domain that is not declared
	Account    string // id
	MaxSize    int64  // octets; 0: whatever the server takes
	DMARC      inbound.DMARCAction
	RequireTLS bool
	Greylist   bool
	Check      string          // as in [DeclaredDomain]
	ReplyKeys  []replyaddr.Key // never show them
	Source     string          // where it was declared, as in [Endpoint]; empty: it stands for all that are not
	Routes     []KnownRoute    // in the order in which they are tried
}

// KnownRoute is a route of a [KnownDomain].
type KnownRoute struct {
	ID        string
	Match     string         // as in [DeclaredRoute], normalised
	Kind      string         // exact, detail, glob, regexp or all
	Endpoints []string       // ids; empty: discarded, or refused
	Refuse    *inbound.Reply // nil: it takes mail
	Token     TokenPolicy
	Sync      bool
	MaxSize   int64  // octets; 0: the domain's
	Check     string // CheckNone or empty: nothing is asked
	Source    string // where it was declared, as in [Endpoint]
}

// Domains lists the declared domains by name, and last the one that stands for all others, where there is one.
func (d *Directory) Domains() []KnownDomain {
	list := make([]KnownDomain, 0, len(d.domains)+1)
	for _, name := range slices.Sorted(maps.Keys(d.domains)) {
		list = append(list, d.domains[name].known(name))
	}
	if d.acceptAll != nil {
		list = append(list, d.acceptAll.known(catchAllDomain))
	}
	return list
}

func (d *domain) known(name string) KnownDomain {
	k := KnownDomain{Name: name, Account: d.account, MaxSize: d.maxSize, DMARC: d.dmarc, RequireTLS: d.requireTLS, Greylist: d.greylist, Check: d.check, ReplyKeys: d.replyKeys, Source: d.source}
	for _, r := range d.ordered() {
		k.Routes = append(k.Routes, r.known())
	}
	return k
}

// ordered gives the routes in the order in which they are tried. At most one exact and one detail can match, so theirs among
// themselves is that of their names.
func (d *domain) ordered() []*route {
	var list []*route
	for _, name := range slices.Sorted(maps.Keys(d.exact)) {
		list = append(list, d.exact[name])
	}
	for _, name := range slices.Sorted(maps.Keys(d.detail)) {
		list = append(list, d.detail[name])
	}
	list = append(list, d.patterns...)
	if d.all != nil {
		list = append(list, d.all)
	}
	return list
}

func (r *route) known() KnownRoute {
	return KnownRoute{
		ID: r.id, Match: r.match.text, Kind: r.match.kind.String(), Endpoints: r.endpoints, Refuse: r.refuse, Token: r.token, Sync: r.sync, MaxSize: r.maxSize,
		Check: r.check, Source: r.source,
	}
}

// String is the word for a kind of match.
func (k matchKind) String() string {
	return [...]string{"exact", "detail", "glob", "regexp", "all"}[k]
}

// Explanation says where an address would go, and why.
type Explanation struct {
	inbound.Decision

	Suppressed bool // by a suppression of the recipient: it is refused, or has no endpoints any more

	Domain string // that it belongs to, by its name in [Directory.Domains]; empty: none
	Text   string // what would happen, for people
	Routes []ExplainedRoute
}

// ExplainedRoute is a route with why it is chosen or not.
type ExplainedRoute struct {
	KnownRoute

	Chosen bool
	Why    string // for people
}

// Explain tells what [Directory.Recipients] decides about a forward-path, and what it makes of each route; and what a suppression of the
// recipient makes of that, as [Directory.Suppress] does.
func (d *Directory) Explain(p inbound.Path) Explanation {
	e := Explanation{Decision: d.Recipients(p)}
	dom, name := d.lookup(p)
	if dom == nil {
		e.Text = "The domain is not declared: no mail is taken for it."
		return e
	}
	e.Domain = d.nameOf(dom, name)
	normal := normalLocalPart(p.LocalPart)
	chosen, _ := dom.route(normal, p.LocalPart)
	// What must exist is taken by the first endpoint of the account where its route would refuse.
	fallback := (chosen == nil || chosen.refuse != nil) && isRole(normal)
	passed := false
	for _, r := range dom.ordered() {
		x := ExplainedRoute{KnownRoute: r.known(), Chosen: r == chosen && !fallback}
		switch {
		case r == chosen && fallback:
			x.Why = "it matches, but " + normal + " cannot be refused (RFC 5321 section 4.5.1, RFC 2142)"
		case r == chosen:
			x.Why, passed = "it matches, and is the first that does", true
		case r.matches(normal, p.LocalPart) && passed:
			x.Why = "it matches too, but comes after the one that is taken"
		case r.matches(normal, p.LocalPart):
			x.Why = "it matches too, but another one goes before it"
		default:
			x.Why = r.whyNot(normal)
		}
		e.Routes = append(e.Routes, x)
	}
	e.Text = e.text(fallback, normal)
	d.unwanted(p, &e)
	return e
}

// unwanted says of a recipient that is taken what a suppression of it makes of that.
func (d *Directory) unwanted(p inbound.Path, e *Explanation) {
	decision := e.Decision
	over := d.Suppress(inbound.Path{}, p, &decision)
	switch {
	case e.Refuse != nil:
	case over != nil:
		e.Suppressed, e.Refuse, e.Endpoints, e.Text = true, over.Reply, nil, "It is refused: a suppression of the account names the recipient."
	case len(decision.Endpoints) < len(e.Endpoints):
		e.Suppressed, e.Decision, e.Text = true, decision, "It is accepted and thrown away: a suppression of the account names the recipient."
	}
}

func (d *Directory) nameOf(dom *domain, name string) string {
	if dom == d.acceptAll {
		return catchAllDomain
	}
	for declared, one := range d.domains {
		if one == dom && (declared == name || strings.HasPrefix(declared, "*.") && strings.HasSuffix(name, declared[1:])) {
			return declared
		}
	}
	return name
}

// matches says whether the route would take a local-part if it were asked first.
func (r *route) matches(normal, written string) bool {
	switch r.match.kind {
	case matchExact:
		return r.match.text == normal
	case matchDetail:
		before, _, ok := strings.Cut(normal, "+")
		return ok && before == strings.TrimSuffix(r.match.text, "+*")
	case matchGlob:
		return r.match.re.MatchString(normal)
	case matchRegexp:
		_, ok := r.match.captures(written)
		return ok
	}
	return true
}

func (r *route) whyNot(normal string) string {
	switch r.match.kind {
	case matchExact:
		return fmt.Sprintf("%q is not %q", normal, r.match.text)
	case matchDetail:
		before, _, ok := strings.Cut(normal, "+")
		if want := strings.TrimSuffix(r.match.text, "+*"); ok {
			return fmt.Sprintf("before the + stands %q, not %q", before, want)
		}
		return "there is no + in the local part"
	case matchGlob:
		return "the pattern does not cover all of the local part"
	}
	return "the expression does not match all of the local part"
}

func (e *Explanation) text(fallback bool, normal string) string {
	switch {
	case e.Refuse != nil && e.chosen() != nil && e.chosen().Refuse == nil:
		return "A route is for it, but it is refused: " + e.Refuse.Error()
	case e.Refuse != nil && e.chosen() != nil:
		return "Its route refuses it: " + e.Refuse.Error()
	case e.Refuse != nil:
		return "No route matches, so it is refused: " + e.Refuse.Error()
	case fallback:
		return normal + " exists wherever mail is taken: it goes to the first endpoint of the account."
	case len(e.Endpoints) == 0:
		return "It is accepted and discarded: its route names no endpoint."
	}
	return "It is accepted."
}

func (e *Explanation) chosen() *ExplainedRoute {
	for i := range e.Routes {
		if e.Routes[i].Chosen {
			return &e.Routes[i]
		}
	}
	return nil
}
