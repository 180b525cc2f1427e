package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// CreateAPISession makes a login durable: until it expires, whoever shows what hash is of stands for the key.
func (s *Store) CreateAPISession(ctx context.Context, hash [sha256.Size]byte, key string, expires time.Time) error {
	now := s.cfg.Now().UnixMilli()
	err := s.do(ctx, func(w *writer) error {
		if _, err := w.exec("DELETE FROM api_session WHERE expires_at <= ?", now); err != nil {
			return err
		}
		_, err := w.exec("INSERT INTO api_session (hash, api_key, created_at, expires_at) VALUES (?,?,?,?)", hash[:], key, now, expires.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	return nil
}

// APISession gives the key that a login stands for. One that is not there or has expired gives an error that Is [ErrNotFound]. Whether
// the key still works is for the caller to see.
func (s *Store) APISession(ctx context.Context, hash [sha256.Size]byte) (*APIKey, error) {
	var key string
	err := s.read.QueryRowContext(ctx, "SELECT api_key FROM api_session WHERE hash = ? AND expires_at > ?", hash[:], s.cfg.Now().UnixMilli()).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return s.APIKey(ctx, key)
}

// EndAPISession ends a login. One that is not there is no fault.
func (s *Store) EndAPISession(ctx context.Context, hash [sha256.Size]byte) error {
	err := s.do(ctx, func(w *writer) error {
		_, err := w.exec("DELETE FROM api_session WHERE hash = ?", hash[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
