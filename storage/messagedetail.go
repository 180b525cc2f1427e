package storage

import (
	"context"
	"fmt"
)

// Detail is a message with all that has happened to it.
type Detail struct {
	Listed
	Deliveries []DeliveryRow
	Attempts   []Attempt // of all deliveries, those of one in the order they were made
}

// Detail reads one message, by its id or a webhook-id, which must be of the account unless that is empty; else the error Is
// [ErrNotFound].
func (s *Store) Detail(ctx context.Context, account, id string) (*Detail, error) {
	d, err := s.detail(ctx, account, id)
	if err != nil {
		return nil, fmt.Errorf("read message %s: %w", id, err)
	}
	return d, nil
}

func (s *Store) detail(ctx context.Context, account, id string) (*Detail, error) {
	message, ok := messageOf(id)
	if !ok {
		return nil, ErrNotFound
	}
	mail, err := s.Mail(ctx, message)
	if err != nil {
		return nil, err
	}
	if account != "" && mail.Account != account {
		return nil, ErrNotFound
	}
	d := &Detail{Listed: Listed{Mail: mail}}
	page := []Listed{d.Listed}
	if err := s.setStates(ctx, page); err != nil {
		return nil, err
	}
	d.Listed = page[0]
	if d.Deliveries, err = s.Deliveries(ctx, DeliveryFilter{Message: message}); err != nil {
		return nil, err
	}
	d.Attempts, err = s.Attempts(ctx, message)
	return d, err
}
