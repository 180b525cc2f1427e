package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// RouteSettings are what happens to mail that a route takes. Exactly one of endpoints, refuse and discard is given. The keys are those
// of the file.
type RouteSettings struct {
	Endpoints      []string `json:"endpoints,omitempty" nullable:"false" maxItems:"100" doc:"Names of endpoints of the account."`
	Refuse         string   `json:"refuse,omitempty" maxLength:"400" doc:"Text of the 550 that the sender hears."`
	Discard        bool     `json:"discard,omitempty" doc:"Accept and forget."`
	Token          string   `json:"token,omitempty" enum:"required,marked" doc:"What is done about the signed token of a reply address."`
	MaxMessageSize int64    `json:"max_message_size,omitempty" minimum:"1024" maximum:"1073741824" doc:"Octets; left out: that of the domain."`
	RecipientCheck string   `json:"recipient_check,omitempty" maxLength:"100" doc:"In the place of the domain's; none: nobody is asked. The operator alone sets it."`
	Sync           bool     `json:"sync,omitempty" doc:"The sender waits for the answer of the endpoint, of which there is exactly one."`
	Filters        []Filter `json:"filters,omitempty" nullable:"false" maxItems:"100" doc:"Any of them keeps mail back."`
}

// Route leads mail to some recipients of a domain somewhere.
type Route struct {
	ID       string  `json:"id"`
	Account  string  `json:"account_id"`
	Domain   string  `json:"domain"`
	Match    string  `json:"match"`
	Kind     string  `json:"kind,omitempty" enum:"exact,detail,glob,regexp,all" doc:"The kinds are tried in this order. Left out while the route does not hold."`
	Position int64   `json:"position" doc:"Order among routes of one kind of the API. Those of the operator's file go first."`
	Source   string  `json:"source" doc:"api, or where the operator's file declares it."`
	ReadOnly bool    `json:"read_only" doc:"It is declared in the operator's file and can only be changed there."`
	Faults   []Fault `json:"faults,omitempty" doc:"Why it does not hold now."`

	RouteSettings
}

// NewRoute is a route to be made.
type NewRoute struct {
	Domain   string `json:"domain" minLength:"1" maxLength:"300" doc:"The name of a domain of the account."`
	Match    string `json:"match" minLength:"1" maxLength:"400" doc:"Local parts: support, reply+*, a glob, /an expression/ or * for all." example:"support"`
	Position *int64 `json:"position,omitempty" nullable:"false" minimum:"0" maximum:"1000000000" doc:"Order among routes of one kind; left out: the last."`

	RouteSettings
}

// RouteChange is what can be changed about a route. Its domain and its match are what it is known by.
type RouteChange struct {
	Position int64 `json:"position,omitempty" minimum:"0" maximum:"1000000000"`

	RouteSettings
}

// RoutePath names a route.
type RoutePath struct {
	ID string `path:"route" maxLength:"100" doc:"The id of the route."`
}

type routeOutput struct {
	ETagged

	Body Route
}

func (s *service) registerRoutes() {
	register(s, operation{
		method: http.MethodGet, path: "/routes", id: "list-routes", tag: tagRouting, scope: access.ScopeRead, summary: "List routes",
		about: "Of each domain in the order in which they are tried; those that do not hold come last.",
	}, s.listRoutes)
	register(s, operation{
		method: http.MethodPost, path: "/routes", id: "create-route", tag: tagRouting, scope: access.ScopeWrite, status: http.StatusCreated, summary: "Make a route",
	}, s.createRoute)
	register(s, operation{
		method: http.MethodGet, path: "/routes/{route}", id: "get-route", tag: tagRouting, scope: access.ScopeRead, summary: "Show a route",
	}, s.getRoute)
	register(s, operation{
		method: http.MethodPatch, path: "/routes/{route}", id: "update-route", tag: tagRouting, scope: access.ScopeWrite, summary: "Change a route",
	}, s.updateRoute)
	register(s, operation{
		method: http.MethodDelete, path: "/routes/{route}", id: "delete-route", tag: tagRouting, scope: access.ScopeWrite, summary: "Delete a route",
	}, s.deleteRoute)
}

// routes are those that the principal may see, of each domain in their order.
func (s *service) routes(ctx context.Context, p access.Principal) ([]Route, map[string]*storage.Setting, error) {
	c, err := s.Store.Configuration(ctx)
	if err != nil {
		return nil, nil, err
	}
	faults, err := s.Configuration.Check(ctx, c.Settings)
	if err != nil {
		return nil, nil, err
	}
	settings := map[string]*storage.Setting{}
	for i := range c.Settings {
		if t := &c.Settings[i]; t.Kind == storage.SettingRoute && p.Sees(t.Account) {
			settings[t.ID] = t
		}
	}
	d := s.Configuration.Directory()
	var list []Route
	holding := map[string]bool{}
	for _, domain := range d.Domains() {
		if !p.Sees(domain.Account) || domain.Source == "" {
			continue
		}
		for i := range domain.Routes {
			k := &domain.Routes[i]
			v := knownRoute(d, &domain, k)
			if t := settings[k.ID]; t != nil && k.Source == storage.SourceAPI {
				if v.RouteSettings, err = unbody[RouteSettings](t); err != nil {
					return nil, nil, err
				}
				v.Position = t.Position
			}
			holding[k.ID] = true
			list = append(list, v)
		}
	}
	for _, t := range c.Settings {
		if settings[t.ID] == nil || holding[t.ID] {
			continue
		}
		domain, match, _ := strings.Cut(t.Name, " ")
		v := Route{ID: t.ID, Account: t.Account, Domain: domain, Match: match, Position: t.Position, Source: storage.SourceAPI, Faults: faults[t.ID]}
		if v.RouteSettings, err = unbody[RouteSettings](&t); err != nil {
			return nil, nil, err
		}
		list = append(list, v)
	}
	return list, settings, nil
}

// knownRoute shows a route as it holds.
func knownRoute(d *storage.Directory, domain *storage.KnownDomain, k *storage.KnownRoute) Route {
	v := Route{
		ID: k.ID, Account: domain.Account, Domain: domain.Name, Match: k.Match, Kind: k.Kind, Source: k.Source, ReadOnly: k.Source != storage.SourceAPI,
		RouteSettings: RouteSettings{
			Discard: k.Refuse == nil && len(k.Endpoints) == 0, Token: string(k.Token), MaxMessageSize: k.MaxSize, RecipientCheck: k.Check, Sync: k.Sync,
			Filters: filtersOf(d.RouteFilters(k.ID)),
		},
	}
	if k.Refuse != nil {
		v.Refuse = k.Refuse.Text
	}
	for _, id := range k.Endpoints {
		if e := d.Endpoints[id]; e != nil {
			v.Endpoints = append(v.Endpoints, e.Name)
		}
	}
	return v
}

func (s *service) route(ctx context.Context, p access.Principal, id string) (*Route, *storage.Setting, error) {
	list, settings, err := s.routes(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(list, func(r Route) bool { return r.ID == id })
	if i < 0 {
		return nil, nil, notFound()
	}
	return &list[i], settings[id], nil
}

func (s *service) listRoutes(ctx context.Context, p access.Principal, in *struct {
	PageQuery

	Domain string `query:"domain" maxLength:"300" doc:"Of the domain of this name alone."`
}) (*pageOutput[Route], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	list, _, err := s.routes(ctx, p)
	if err != nil {
		return nil, err
	}
	if in.Domain != "" {
		name, err := storage.DomainName(in.Domain)
		if err != nil {
			return nil, invalid(fault("query.domain", "is not a domain"))
		}
		list = slices.DeleteFunc(list, func(r Route) bool { return r.Domain != name })
	}
	// The order is no order of ids: the page begins behind the one that the cursor names.
	if after != "" {
		i := slices.IndexFunc(list, func(r Route) bool { return r.ID == after })
		if i < 0 { // beginning again would never end
			return nil, problem.New(http.StatusUnprocessableEntity, "The route that the cursor stands at is gone. Begin with the first page.", fault("query.cursor", "stands at nothing"))
		}
		list = list[i+1:]
	}
	return page(list, in.Limit, func(r Route) Route { return r }, func(r Route) string { return r.ID }), nil
}

func (s *service) getRoute(ctx context.Context, p access.Principal, in *RoutePath) (*routeOutput, error) {
	r, t, err := s.route(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	return &routeOutput{ETagged{etagOf(t, r.ID)}, *r}, nil
}

func (s *service) createRoute(ctx context.Context, p access.Principal, in *struct{ Body NewRoute }) (*routeOutput, error) {
	b := &in.Body
	d, _, err := s.domain(ctx, p, b.Domain)
	if err != nil {
		return nil, invalid(fault("body.domain", "there is no such domain, or it is not yours"))
	}
	name, err := storage.RouteName(d.Name, b.Match)
	if err != nil {
		return nil, invalid(fault("body.match", err.Error()))
	}
	if b.RecipientCheck != "" {
		if err := operators(p, []string{"recipient_check"}); err != nil {
			return nil, err
		}
	}
	if d.Ownership.State == "pending" {
		return nil, problem.New(http.StatusConflict, "Whose the domain is has to be proved first.")
	}
	made := &storage.Setting{Kind: storage.SettingRoute, Account: d.Account, Name: name, Body: body(b.RouteSettings)}
	err = s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		made.ID, made.Position = "", nextPosition(c, storage.SettingRoute)
		if b.Position != nil {
			made.Position = *b.Position
		}
		return storage.SettingChange{Put: made, Line: s.line(p, d.Account, "route.create", "", nil, namedRoute{name, made.Position, b.RouteSettings})}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.getRoute(ctx, p, &RoutePath{made.ID})
}

// namedRoute is how a route stands in the audit log.
type namedRoute struct {
	Name     string `json:"name"`
	Position int64  `json:"position"`

	RouteSettings
}

func (s *service) editRoute(ctx context.Context, p access.Principal, id string, m *IfMatch, edit func(*storage.Setting) (storage.SettingChange, error)) error {
	r, t, err := s.route(ctx, p, id)
	if err != nil {
		return err
	}
	if t == nil {
		return declaredByFile("route", r.Source)
	}
	return s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		t := find(c, p, storage.SettingRoute, id)
		if t == nil {
			return storage.SettingChange{}, notFound()
		}
		if err := m.check(t); err != nil {
			return storage.SettingChange{}, err
		}
		return edit(t)
	})
}

func (s *service) updateRoute(ctx context.Context, p access.Principal, in *struct {
	RoutePath
	IfMatch

	Body Patch[RouteChange]
}) (*routeOutput, error) {
	err := s.editRoute(ctx, p, in.ID, &in.IfMatch, func(t *storage.Setting) (storage.SettingChange, error) {
		settings, err := unbody[RouteSettings](t)
		if err != nil {
			return storage.SettingChange{}, err
		}
		old := RouteChange{t.Position, settings}
		next, err := patched(old, in.Body)
		if err != nil {
			return storage.SettingChange{}, err
		}
		if next.RecipientCheck != old.RecipientCheck {
			if err := operators(p, []string{"recipient_check"}); err != nil {
				return storage.SettingChange{}, err
			}
		}
		t.Position, t.Body = next.Position, body(next.RouteSettings)
		return storage.SettingChange{Put: t, Line: s.lineOf(p, t, "route.update", namedRoute{t.Name, old.Position, old.RouteSettings}, namedRoute{t.Name, next.Position, next.RouteSettings})}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.getRoute(ctx, p, &in.RoutePath)
}

func (s *service) deleteRoute(ctx context.Context, p access.Principal, in *struct {
	RoutePath
	IfMatch
}) (*struct{}, error) {
	return nil, s.editRoute(ctx, p, in.ID, &in.IfMatch, func(t *storage.Setting) (storage.SettingChange, error) {
		old, err := unbody[RouteSettings](t)
		return storage.SettingChange{Delete: t.ID, Line: s.lineOf(p, t, "route.delete", namedRoute{t.Name, t.Position, old}, nil)}, err
	})
}
