package storage

import (
	"context"
	"fmt"
)

// KnownEndpoint is an endpoint that the store has seen in a declaration, the current one or an earlier one.
type KnownEndpoint struct {
	ID       string
	Account  string // id
	Name     string // unique within the account
	Declared bool   // by the current declaration
	Pending  int64  // deliveries that are not finished
	Life     EndpointLife
}

// KnownEndpoints lists the endpoints in the order of their ids. It counts what each is owed.
func (s *Store) KnownEndpoints(ctx context.Context) ([]KnownEndpoint, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, account, name, declared,
		(SELECT count(*) FROM delivery WHERE delivery.endpoint = endpoint.id) FROM endpoint ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	var known []KnownEndpoint
	err = each(rows, func() error {
		var e KnownEndpoint
		err := rows.Scan(&e.ID, &e.Account, &e.Name, &e.Declared, &e.Pending)
		known = append(known, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	lives, err := s.Lives(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]EndpointLife, len(lives))
	for _, l := range lives {
		byID[l.Endpoint] = l
	}
	for i := range known {
		life, ok := byID[known[i].ID]
		if !ok {
			life = EndpointLife{Endpoint: known[i].ID, State: EndpointEnabled}
		}
		known[i].Life = life
	}
	return known, nil
}
