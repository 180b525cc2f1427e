package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/storage"
)

// routePage is what the page of a route shows.
type routePage struct {
	api.Route

	Tag      string // of what is shown: a change is meant for that
	Does     string // endpoints, refuse or discard
	To       []endpointBox
	MayWrite bool
}

// endpointBox is an endpoint that a route may lead to.
type endpointBox struct {
	choice

	Chosen bool
}

// domainPath is the page of a domain.
func domainPath(domain string) string { return "/domains/" + url.PathEscape(domain) }

// routeOf reads a route as it is now. It must be one of the domain that the page names.
func (d *dashboard) routeOf(r *http.Request) (route api.Route, tag string, err error) {
	if tag, err = d.askIf(r, http.MethodGet, "/routes/"+url.PathEscape(r.PathValue("route")), "", nil, &route); err != nil {
		return route, "", err
	}
	if route.Domain != r.PathValue("name") {
		return route, "", storage.ErrNotFound
	}
	return route, tag, nil
}

// route is the page of one.
func (d *dashboard) route(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	route, tag, err := d.routeOf(r)
	if err != nil {
		return err
	}
	p := &routePage{Route: route, Tag: tag, Does: "endpoints", MayWrite: v.May(access.ScopeWrite) && !route.ReadOnly}
	switch {
	case route.Refuse != "":
		p.Does = "refuse"
	case route.Discard:
		p.Does = "discard"
	}
	for _, c := range d.endpointChoices(v, route.Account) {
		p.To = append(p.To, endpointBox{c, slices.Contains(route.Endpoints, c.Name)})
	}
	return d.show(w, r, v, http.StatusOK, "route", page{Title: route.Match + "@" + route.Domain, Here: "/domains", Body: p})
}

// changeRoute changes a route that is still as it was shown.
func (d *dashboard) changeRoute(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	patch := map[string]any{"endpoints": nil, "refuse": nil, "discard": nil, "token": nil, "sync": nil, "max_message_size": nil}
	switch r.PostFormValue("does") {
	case "refuse":
		patch["refuse"] = orNoMailbox(r.PostFormValue("text"))
	case "discard":
		patch["discard"] = true
	default:
		to := r.PostForm["endpoint"]
		if len(to) == 0 {
			return badInput("Choose at least one endpoint, or what is to happen in its place.")
		}
		patch["endpoints"] = to
	}
	if token := r.PostFormValue("token"); token != "" {
		patch["token"] = token
	}
	if r.PostFormValue("sync") != "" {
		patch["sync"] = true
	}
	if text := strings.TrimSpace(r.PostFormValue("max")); text != "" {
		octets, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return badInput("The size is a number of octets, or empty.")
		}
		patch["max_message_size"] = octets
	}
	if _, _, err := d.routeOf(r); err != nil {
		return err
	}
	if _, err := d.askIf(r, http.MethodPatch, "/routes/"+url.PathEscape(r.PathValue("route")), r.PostFormValue("tag"), patch, nil); err != nil {
		return err
	}
	d.goTo(w, r, domainPath(r.PathValue("name")), "reroute")
	return nil
}

func orNoMailbox(text string) string {
	if text = oneLine(text); text == "" {
		text = "No such mailbox here"
	}
	return text
}

// makeRoute adds a route to a domain.
func (d *dashboard) makeRoute(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	in := api.NewRoute{Domain: r.PathValue("name"), Match: strings.TrimSpace(r.PostFormValue("match"))}
	switch to := r.PostFormValue("to"); to {
	case "refuse":
		in.Refuse = orNoMailbox(r.PostFormValue("text"))
	case "discard":
		in.Discard = true
	default:
		in.Endpoints = []string{strings.TrimPrefix(to, "endpoint ")}
	}
	if err := d.ask(r, http.MethodPost, "/routes", in, nil); err != nil {
		return err
	}
	d.goTo(w, r, domainPath(in.Domain), "route")
	return nil
}

func (d *dashboard) deleteRoute(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	if _, err := d.askIf(r, http.MethodDelete, "/routes/"+url.PathEscape(r.PathValue("route")), r.PostFormValue("tag"), nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, domainPath(r.PathValue("name")), "deleted")
	return nil
}

// ownRoutes are the routes of a domain that can be changed here, in their order.
func (d *dashboard) ownRoutes(r *http.Request, domain string) ([]api.Route, error) {
	all, err := askAll[api.Route](d, r, "/routes?domain="+url.QueryEscape(domain))
	return slices.DeleteFunc(all, func(one api.Route) bool { return one.ReadOnly }), err
}

// orderOf is the order of routes as the forms that change it have it.
func orderOf(routes []api.Route) string {
	ids := make([]string, len(routes))
	for i := range routes {
		ids[i] = routes[i].ID
	}
	return strings.Join(ids, " ")
}

// moveRoute has a route tried before the one above it, or behind the one below, if the order is still the one that was shown.
func (d *dashboard) moveRoute(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	domain := r.PathValue("name")
	routes, err := d.ownRoutes(r, domain)
	if err != nil {
		return err
	}
	if orderOf(routes) != r.PostFormValue("order") {
		return badInput("Somebody has changed the routes since. Look at them again.")
	}
	at := slices.IndexFunc(routes, func(one api.Route) bool { return one.ID == r.PostFormValue("route") })
	other := at - 1
	if r.PostFormValue("to") == "down" {
		other = at + 1
	}
	if at < 0 || other < 0 || other >= len(routes) || routes[at].Kind != routes[other].Kind {
		return badInput("It cannot go further: the kinds of routes keep their order.")
	}
	routes[at], routes[other] = routes[other], routes[at]
	if err := d.ask(r, http.MethodPut, "/domains/"+url.PathEscape(domain)+"/route-order", api.RouteOrder{Routes: strings.Fields(orderOf(routes))}, nil); err != nil {
		return err
	}
	d.goTo(w, r, domainPath(domain), "reroute")
	return nil
}
