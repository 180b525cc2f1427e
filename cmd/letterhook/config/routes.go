package config

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

func (v *validator) accounts() {
	seen := map[string]bool{}
	for i, a := range v.Accounts {
		key := fmt.Sprintf("accounts[%d]", i)
		v.name(key+".name", a.Name, seen)
		for _, limit := range []struct {
			key   string
			value int
		}{
			{"backlog", a.Limits.Backlog}, {"messages_per_minute", a.Limits.MessagesPerMinute}, {"messages_per_hour", a.Limits.MessagesPerHour},
		} {
			v.between(key+".limits."+limit.key, int64(limit.value), 0, 1_000_000_000)
		}
	}
}

// account checks that a reference names a declared account.
func (v *validator) account(key, name string) {
	switch {
	case v.lostAny(accountNames):
	case name == "":
		v.faultf(key, "is required where several accounts are declared")
	case !slices.ContainsFunc(v.Accounts, func(a Account) bool { return a.Name == name }):
		v.faultf(key, "there is no account %q", name)
	}
}

func (v *validator) endpoints() {
	seen := map[string]map[string]bool{} // account, name
	for i, e := range v.Endpoints {
		key := fmt.Sprintf("endpoints[%d]", i)
		if seen[e.Account] == nil {
			seen[e.Account] = map[string]bool{}
		}
		v.name(key+".name", e.Name, seen[e.Account])
		v.account(key+".account", e.Account)
		v.endpointURL(key, e)
		v.format(key, e)
		v.schedule(key+".schedule", e.Schedule)
		v.filters(key, e.Filters)
		if e.Timeout != 0 {
			v.between(key+".timeout", int64(e.Timeout), int64(Duration(1e9)), int64(5*minute))
		}
		if e.MaxBody != 0 {
			v.between(key+".max_body", int64(e.MaxBody), 16<<10, 25<<20)
		}
		if e.Concurrency < 0 {
			v.faultf(key+".concurrency", "must be at least 1")
		}
		if e.Burst != 0 {
			v.between(key+".burst", int64(e.Burst), 1, 100_000)
			if e.Rate.Count <= 0 && !v.lost(key+".rate") {
				v.faultf(key+".burst", "says nothing without a rate")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
			v.header(key+".headers."+name, name, e.Headers[name])
		}
		v.access(key, e)
	}
}

func (v *validator) endpointURL(key string, e Endpoint) {
	key += ".url"
	if e.URL == "" {
		v.faultf(key, "is required")
		return
	}
	// User and password, which are sent as basic authentication, must not stand in a fault.
	u, err := httpURL(userinfo.ReplaceAllString(e.URL, "//"))
	if err != nil {
		v.faultf(key, "%v", err)
		return
	}
	if err := dispatch.CheckURL(e.URL); err != nil {
		v.faultf(key, "%v", err)
		return
	}
	v.reachable(key, u, e.AllowPrivate)
}

var userinfo = regexp.MustCompile("//[^/?#]*@")

func (v *validator) header(key, name, value string) {
	if err := dispatch.CheckField(name, value); err != nil {
		v.faultf(key, "%v", err)
	}
}

func (v *validator) domains() {
	seen := map[string]bool{}
	for i, d := range v.Domains {
		key := fmt.Sprintf("domains[%d]", i)
		name, ok := normalDomain(d.Name)
		v.name(key+".name", name, seen)
		if name != "" && !ok {
			v.faultf(key+".name", "%q is not a domain", d.Name)
		}
		v.account(key+".account", d.Account)
		if len(d.Routes) == 0 && d.Source != storage.SourceAPI { // there, routes come one by one
			v.faultf(key+".routes", "at least one is required: without it the domain takes no mail")
		}
		v.maxMessageSize(key, d.MaxMessageSize)
		if d.RequireTLS {
			v.requireTLS(key + ".require_tls")
		}
		v.recipientCheck(key, d.RecipientCheck)
		matches := map[string]bool{}
		for n, r := range d.Routes {
			at := fmt.Sprintf("%s.routes[%d]", key, n)
			v.match(at+".match", r.Match, matches)
			v.route(at, d, r)
		}
	}
	if len(v.Domains) == 0 {
		v.Warnings = append(v.Warnings, "domains: none is declared, so every recipient is refused")
	}
}

// requireTLS finds the listeners at which nobody could obey.
func (v *validator) requireTLS(key string) {
	for _, l := range v.SMTP.Listeners {
		if l.Kind == KindMX && l.TLS == TLSNone {
			v.Warnings = append(v.Warnings, fmt.Sprintf("%s: listener %q speaks no TLS, so every recipient of the domain is refused there", key, l.Name))
		}
	}
}

// normalDomain gives the form in which domains are compared, lower-case A-labels (RFC 5890), and whether it is one.
func normalDomain(name string) (string, bool) {
	rest, wild := strings.CutPrefix(name, "*.")
	ascii, err := idna.Lookup.ToASCII(rest)
	if err != nil {
		return name, false
	}
	if wild {
		return "*." + ascii, isHostname(ascii)
	}
	return ascii, isHostname(ascii)
}

func (v *validator) match(key, match string, seen map[string]bool) {
	expression, isRegexp := strings.CutPrefix(match, "/")
	switch {
	case match == "":
		v.faultf(key, `is required; "*" takes every local part`)
	case !isRegexp && strings.Contains(match, "@"):
		v.faultf(key, "chooses local parts: leave out the @ and the domain")
	case isRegexp && !strings.HasSuffix(expression, "/"):
		v.faultf(key, "a regular expression ends with / too")
	case isRegexp:
		if _, err := regexp.Compile(strings.TrimSuffix(expression, "/")); err != nil {
			v.faultf(key, "%v", err)
		}
	default:
		match = strings.ToLower(match)
	}
	if match != "" && seen[match] {
		v.faultf(key, "%q is declared twice", match)
	}
	seen[match] = true
}

func (v *validator) route(key string, d Domain, r Route) {
	results := count(len(r.Endpoints) > 0, r.Refuse != "", r.Discard)
	if results != 1 {
		v.faultf(key, "needs exactly one of endpoints, refuse and discard, not %d", results)
	}
	for i, name := range r.Endpoints {
		at := fmt.Sprintf("%s.endpoints[%d]", key, i)
		declared := slices.ContainsFunc(v.Endpoints, func(e Endpoint) bool { return e.Name == name && e.Account == d.Account })
		switch {
		case slices.Index(r.Endpoints, name) < i:
			v.faultf(at, "%q is named twice", name)
		case !declared && !v.lostAny(endpointNames):
			v.faultf(at, "account %q has no endpoint %q", d.Account, name)
		}
	}
	v.sync(key, d, r)
	v.recipientCheck(key, r.RecipientCheck)
	v.filters(key, r.Filters)
	if len(r.Filters) > 0 && (len(r.Endpoints) == 0 || r.Sync) {
		v.faultf(key+".filters", "are for a route with endpoints that is not sync")
	}
	v.token(key, d, r)
	v.maxMessageSize(key, r.MaxMessageSize)
	if strings.ContainsFunc(r.Refuse, func(c rune) bool { return c < ' ' || c > '~' }) {
		v.faultf(key+".refuse", "must be one line of plain ASCII: it is said to the peer")
	}
}

// maxSyncTimeout is the longest timeout of an endpoint that a sender may wait for. It may pass twice, before and after the
// endpoint is asked, and RFC 5321 section 4.5.3.2.6 has a sender wait ten minutes in all.
const maxSyncTimeout = 2 * minute

func (v *validator) sync(key string, d Domain, r Route) {
	if !r.Sync {
		return
	}
	key += ".sync"
	if len(r.Endpoints) != 1 {
		v.faultf(key, "needs exactly one endpoint, whose answer the sender hears")
		return
	}
	for _, e := range v.Endpoints {
		if e.Account != d.Account || e.Name != r.Endpoints[0] {
			continue
		}
		if cmp.Or(e.Timeout, v.Delivery.Timeout) > maxSyncTimeout {
			v.faultf(key, "the timeout of endpoint %q is longer than %s, and the sender waits for it", e.Name, maxSyncTimeout)
		}
		if e.Shadow {
			v.faultf(key, "endpoint %q is a shadow, whose answers count nowhere", e.Name)
		}
	}
}

// itemKey is the key of an item of a list.
func itemKey(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

func count(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}
