package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// RouteOrder is the order of the routes of a domain.
type RouteOrder struct {
	Routes []string `json:"routes" nullable:"false" minItems:"1" maxItems:"10000" doc:"Ids of all routes of the domain that came by the API, in the order in which they are to be tried among their kind."`
}

func (s *service) registerRouteOrder() {
	register(s, operation{
		method: http.MethodPut, path: "/domains/{domain}/route-order", id: "order-routes", tag: tagRouting, scope: access.ScopeWrite, summary: "Put the routes of a domain in order",
		about: "All at once. Where a route was made or deleted since the list was read it is answered 409. Those of the operator's file go first, and the kinds keep their order.",
	}, s.orderRoutes)
}

func (s *service) orderRoutes(ctx context.Context, p access.Principal, in *struct {
	DomainPath

	Body RouteOrder
}) (*output[List[Route]], error) {
	d, _, err := s.domain(ctx, p, in.Domain)
	if err != nil {
		return nil, err
	}
	for range 8 {
		c, err := s.Store.Configuration(ctx)
		if err != nil {
			return nil, err
		}
		changes, err := s.reordered(p, &c, d, in.Body.Routes)
		if err != nil {
			return nil, err
		}
		if len(changes) > 0 {
			if _, err = s.Store.ChangeConfiguration(ctx, c.Revision, changes); errors.Is(err, storage.ErrStale) {
				continue
			}
			if err == nil {
				err = s.Configuration.Reload(ctx)
			}
			if err != nil {
				return nil, err
			}
		}
		list, _, err := s.routes(ctx, p)
		list = slices.DeleteFunc(list, func(r Route) bool { return r.Domain != d.Name || r.Account != d.Account })
		return &output[List[Route]]{List[Route]{Items: append([]Route{}, list...)}}, err
	}
	return nil, tooFast()
}

// reordered are the changes that put routes in an order. They share the positions that they have, made distinct where they are not.
func (s *service) reordered(p access.Principal, c *storage.Configuration, d *Domain, ids []string) ([]storage.SettingChange, error) {
	byID := map[string]*storage.Setting{}
	var positions []int64
	for i := range c.Settings {
		t := &c.Settings[i]
		if name, _, _ := strings.Cut(t.Name, " "); t.Kind == storage.SettingRoute && t.Account == d.Account && name == d.Name {
			byID[t.ID] = t
			positions = append(positions, t.Position)
		}
	}
	slices.Sort(positions)
	for i := range positions {
		if i > 0 {
			positions[i] = max(positions[i], positions[i-1]+1)
		}
	}
	if len(ids) != len(byID) {
		return nil, otherRoutes()
	}
	var changes []storage.SettingChange
	for i, id := range ids {
		t := byID[id]
		delete(byID, id)
		switch {
		case t == nil: // none of the domain, or named twice
			return nil, otherRoutes()
		case t.Position == positions[i]:
			continue
		}
		was := map[string]int64{"position": t.Position}
		t.Position = positions[i]
		changes = append(changes, storage.SettingChange{Put: t, Line: s.lineOf(p, t, "route.order", was, map[string]int64{"position": t.Position})})
	}
	return changes, nil
}

func otherRoutes() error {
	return problem.New(http.StatusConflict, "These are not all the routes that the domain has by the API. Read them again.")
}
