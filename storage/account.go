package storage

import (
	"context"
	"fmt"
)

// KnownAccount is an account that the store has seen in a declaration, the current one or an earlier one.
type KnownAccount struct {
	ID       string
	Name     string
	Declared bool // by the current declaration
}

// KnownAccounts lists the accounts in the order of their ids.
func (s *Store) KnownAccounts(ctx context.Context) ([]KnownAccount, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, name, declared FROM account ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	var known []KnownAccount
	err = each(rows, func() error {
		var a KnownAccount
		err := rows.Scan(&a.ID, &a.Name, &a.Declared)
		known = append(known, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return known, nil
}
