package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/letterhook/letterhook/storage"
)

// notConfigured is why a delivery waits whose endpoint no declaration names any more.
const notConfigured = "endpoint is not configured"

// endpoints are those that a store knows, by id.
type endpoints map[string]storage.KnownEndpoint

func readEndpoints(ctx context.Context, store *storage.Store) (endpoints, error) {
	known, err := store.KnownEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(endpoints, len(known))
	for _, e := range known {
		byID[e.ID] = e
	}
	return byID, nil
}

// name is what the operator calls an endpoint.
func (e endpoints) name(id string) string { return cmp.Or(e[id].Name, id) }

// find gives the id of an endpoint by its id or its name.
func (e endpoints) find(word string) (string, error) {
	if _, ok := e[word]; ok {
		return word, nil
	}
	var ids []string
	for id, known := range e {
		if known.Name == word {
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return "", &exitError{exitUsage, fmt.Errorf("no endpoint is called %q", word)}
	case 1:
		return ids[0], nil
	default:
		return "", &exitError{exitUsage, fmt.Errorf("several accounts have an endpoint %q; name one of the ids %s", word, strings.Join(ids, ", "))}
	}
}

// reason is why a delivery ended, or why it waits for something else than its time.
func (e endpoints) reason(r *storage.DeliveryRow) string {
	switch known, ok := e[r.Endpoint]; {
	case r.State == storage.StatePending && ok && !known.Declared:
		return notConfigured
	case r.State == storage.StatePending && ok && known.Life.State != storage.EndpointEnabled:
		return "endpoint is " + string(known.Life.State)
	case r.ReplayedBy != "":
		return strings.TrimSpace(r.Reason + " (replayed by " + r.ReplayedBy + ")")
	default:
		return r.Reason
	}
}

// warnWaiting logs what waits for endpoints that are not declared: nothing else tells of it until they are again.
func (s *server) warnWaiting(ctx context.Context) {
	known, err := s.store.KnownEndpoints(ctx)
	if err != nil {
		s.log.Warn("it is not known whether deliveries wait for endpoints that are gone", "error", err)
		return
	}
	for _, e := range known {
		if !e.Declared && e.Pending > 0 {
			s.log.Warn("deliveries wait for an endpoint that is not configured", "endpoint", e.Name, "id", e.ID, "pending", e.Pending)
		}
	}
}
