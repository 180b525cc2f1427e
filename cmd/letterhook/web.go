package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/admin/dashboard"
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/admin/signin"
)

// web is what the public listener serves: signed links to whoever holds one, and the API and the dashboard to holders of keys. The path of the
// public URL may stand before all of it or be taken away by a proxy in front.
func (s *server) web() http.Handler {
	gate := access.New(access.Config{
		Store: s.store, Log: s.log, Open: s.openTo(), Rates: s.rates, Secure: strings.HasPrefix(s.cfg.PublicURL, "https:"), Origin: originOf(s.cfg.PublicURL),
	})
	desk := reading.New(s.store, version())
	operating := s.apiConfig(desk)
	operations := onDemand(func() http.Handler { return api.New(operating) })
	served := gate.Handler(operations)
	links := admin.Public(s.store, s.blobs, s.links, s.log)
	mux := http.NewServeMux()
	watching := s.dashboardConfig(gate, operations, desk)
	mux.Handle("/", gate.Handler(onDemand(func() http.Handler { return dashboard.New(watching) })))
	mux.Handle("/v1/", links)
	mux.Handle("/.well-known/", links)
	mux.Handle("/api/", served)
	if path := s.links.Path(); path != "" {
		mux.Handle(path+"/v1/", links)
		mux.Handle(path+"/api/", http.StripPrefix(path, served))
	}
	return mux
}

// signIn lets people in by the provider of the configuration; nil: there is none.
func (s *server) signIn(gate *access.Gate) *signin.Provider {
	o := &s.cfg.OIDC
	if o.Issuer == "" {
		return nil
	}
	c := signin.Config{
		Name: o.Name, Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: string(o.ClientSecret), Scopes: o.Scopes, GroupsClaim: o.GroupsClaim,
		RedirectURL: strings.TrimSuffix(s.cfg.PublicURL, "/") + dashboard.CallbackPath, Secure: strings.HasPrefix(s.cfg.PublicURL, "https:"),
		Store: s.store, Gate: gate, Log: s.log,
	}
	if u, err := url.Parse(o.Issuer); err == nil && c.Name == "" {
		c.Name = u.Hostname()
	}
	for i := range o.Grants {
		g := &o.Grants[i]
		granted := signin.Grant{Emails: g.Emails, Domains: g.Domains, Groups: g.Groups, Account: g.Account}
		for _, scope := range access.Scopes() { // in their order, each once
			if slices.Contains(g.Scopes, string(scope)) {
				granted.Scopes = append(granted.Scopes, scope)
			}
		}
		c.Grants = append(c.Grants, granted)
	}
	return signin.New(c)
}

// onDemand makes a handler when the first request for it comes: many servers are never asked, and the operations and pages are some
// megabytes of memory.
func onDemand(build func() http.Handler) http.Handler {
	built := sync.OnceValue(build)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { built().ServeHTTP(w, r) })
}

// originOf is the origin of a URL, as browsers name it; empty: it has none.
func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	usual := map[string]string{"http": ":80", "https": ":443"}[u.Scheme] // which browsers leave out
	return u.Scheme + "://" + strings.TrimSuffix(u.Host, usual)
}

// openTo says who needs no key: in dev, whoever sits at this machine.
func (s *server) openTo() func(*http.Request) bool {
	if !s.loopback {
		return nil
	}
	return access.FromHere
}

func (s *server) apiConfig(desk *reading.Desk) api.Config {
	return api.Config{
		Store: s.store, Version: version(), Log: s.log, Desk: desk,
		Configuration: api.Configuration{Directory: s.directory.Load, Check: s.checkSettings, Reload: s.refresh},
		LookupTXT:     s.lookupTXT, CheckDNS: s.checkDomainDNS,
		Mirror: s.dispatcher.Mirror,
		Wake:   s.dispatcher.Wake, Stopping: s.stopping.Load,
		Levers: s.smtp.Levers, Pull: s.smtp.Pull, Nodes: s.nodes,
	}
}
