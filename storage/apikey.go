package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// APIKey lets its holder use the HTTP API. What the holder shows is not kept, only its hash.
type APIKey struct {
	ID        string // "key_" and a ULID
	Account   string // id; empty: the operator, who sees all accounts
	Name      string // for people
	Scopes    []string
	Hash      [sha256.Size]byte // of the random part of the token
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: it is not
	UsedAt    time.Time // to a few minutes; zero: never
	Replaces  string    // id of the key that it was rotated from; empty: none
}

// Works says whether the key lets anybody in at a time.
func (k *APIKey) Works(at time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || at.Before(k.ExpiresAt))
}

const selectAPIKeys = `SELECT id, account, name, scopes, hash, created_at, expires_at, revoked_at, used_at, replaces FROM api_key`

const insertAPIKey = `INSERT INTO api_key (id, account, name, scopes, hash, created_at, expires_at, revoked_at, used_at, replaces)
	VALUES (?,?,?,?,?,?,?,0,0,?)`

// NewAPIKeyID makes the id of a key that is to be created.
func (s *Store) NewAPIKeyID() string { return newID(apiKeyPrefix, s.cfg.Now()) }

// CreateAPIKey makes a key durable, and with it the line of the audit log. An account that is not there gives an error that Is
// [ErrNotFound].
func (s *Store) CreateAPIKey(ctx context.Context, k *APIKey, line AuditLine) error {
	err := s.do(ctx, func(w *writer) error {
		if err := accountKnown(w, k.Account); err != nil {
			return err
		}
		return s.insertAPIKey(w, k, line)
	})
	if err != nil {
		return fmt.Errorf("create API key: %w", err)
	}
	return nil
}

func accountKnown(w *writer, id string) error {
	if id == "" {
		return nil
	}
	n, err := w.queryInt("SELECT count(*) FROM account WHERE id = ?", id)
	if err == nil && n == 0 {
		return fmt.Errorf("account %s: %w", id, ErrNotFound)
	}
	return err
}

func (s *Store) insertAPIKey(w *writer, k *APIKey, line AuditLine) error {
	_, err := w.exec(insertAPIKey, k.ID, k.Account, k.Name, strings.Join(k.Scopes, " "), k.Hash[:], milli(k.CreatedAt), milli(k.ExpiresAt), k.Replaces)
	if err != nil {
		return err
	}
	return s.audit(w, line)
}

// RotateAPIKey makes a key that takes the place of another one, which ends after overlap, or earlier where it would anyway. A key
// that does not work any more gives an error that Is [ErrNotFound].
func (s *Store) RotateAPIKey(ctx context.Context, k *APIKey, overlap time.Duration, line AuditLine) error {
	now := s.cfg.Now()
	err := s.do(ctx, func(w *writer) error {
		until := now.Add(overlap).UnixMilli()
		changed, err := w.exec(`UPDATE api_key SET expires_at = CASE WHEN expires_at = 0 OR expires_at > ? THEN ? ELSE expires_at END
			WHERE id = ? AND revoked_at = 0 AND (expires_at = 0 OR expires_at > ?)`, until, until, k.Replaces, now.UnixMilli())
		if err != nil {
			return err
		}
		if changed == 0 {
			return ErrNotFound
		}
		return s.insertAPIKey(w, k, line)
	})
	if err != nil {
		return fmt.Errorf("rotate API key %s: %w", k.Replaces, err)
	}
	return nil
}

// RevokeAPIKey ends a key and the sessions that stand on it, durable when it returns. One that was revoked before stays as it is.
func (s *Store) RevokeAPIKey(ctx context.Context, id string, line AuditLine) error {
	err := s.do(ctx, func(w *writer) error {
		changed, err := w.exec("UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at = 0", s.cfg.Now().UnixMilli(), id)
		if err != nil || changed == 0 {
			return err
		}
		if _, err := w.exec("DELETE FROM api_session WHERE api_key = ?", id); err != nil {
			return err
		}
		return s.audit(w, line)
	})
	if err != nil {
		return fmt.Errorf("revoke API key %s: %w", id, err)
	}
	return nil
}

// NoteAPIKeyUse records when a key was used. Whoever calls it does so rarely.
func (s *Store) NoteAPIKeyUse(ctx context.Context, id string, at time.Time) error {
	err := s.do(ctx, func(w *writer) error {
		_, err := w.exec("UPDATE api_key SET used_at = ? WHERE id = ? AND used_at < ?", at.UnixMilli(), id, at.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("note the use of API key %s: %w", id, err)
	}
	return nil
}

// APIKey gives a key by its id. One that is not there gives an error that Is [ErrNotFound].
func (s *Store) APIKey(ctx context.Context, id string) (*APIKey, error) {
	k, err := scanAPIKey(s.read.QueryRowContext(ctx, selectAPIKeys+" WHERE id = ?", id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("API key %s: %w", id, err)
	}
	return k, nil
}

// APIKeyQuery selects keys.
type APIKeyQuery struct {
	Account string // id; empty: of all accounts and the operator's
	After   string // id; the keys behind it
	Limit   int
}

// APIKeys lists keys in the order in which they were made.
func (s *Store) APIKeys(ctx context.Context, q APIKeyQuery) ([]*APIKey, error) {
	text := selection{text: selectAPIKeys}
	text.where(q.Account != "", "account = ?", q.Account)
	text.where(q.After != "", "id > ?", q.After)
	rows, err := s.read.QueryContext(ctx, text.text+" ORDER BY id LIMIT ?", append(text.args, q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	var list []*APIKey
	err = each(rows, func() error {
		k, err := scanAPIKey(rows.Scan)
		list = append(list, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return list, nil
}

func scanAPIKey(scan func(...any) error) (*APIKey, error) {
	k := &APIKey{}
	var scopes string
	var hash []byte
	var created, expires, revoked, used int64
	if err := scan(&k.ID, &k.Account, &k.Name, &scopes, &hash, &created, &expires, &revoked, &used, &k.Replaces); err != nil {
		return nil, err
	}
	k.Scopes = strings.Fields(scopes)
	copy(k.Hash[:], hash)
	k.CreatedAt, k.ExpiresAt, k.RevokedAt, k.UsedAt = unmilli(created), unmilli(expires), unmilli(revoked), unmilli(used)
	return k, nil
}
