package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// SecretKind is the signature scheme of a secret, by its name in Standard Webhooks.
type SecretKind string

// The kinds of secrets.
const (
	SecretHMAC    SecretKind = "v1"  // HMAC-SHA256; the key is 32 octets
	SecretEd25519 SecretKind = "v1a" // ed25519; the key is the seed of RFC 8032 section 5.1.5
)

// EndpointSecret is a signing secret that the store made and keeps, sealed with the instance key. Never log it.
type EndpointSecret struct {
	ID        string // "sec_" and a ULID
	Endpoint  string
	Kind      SecretKind
	Key       [KeySize]byte
	CreatedAt time.Time
	Until     time.Time // from then on it does not sign; zero: no end
}

// maxSecrets bounds the secrets of one kind that sign for an endpoint at once: each makes a signature, and a header field of receivers is
// not endless.
const maxSecrets = 10

// Signs says whether the secret signs at a time.
func (s *EndpointSecret) Signs(at time.Time) bool { return s.Until.IsZero() || at.Before(s.Until) }

const (
	selectSecrets = "SELECT endpoint, id, kind, sealed, created_at, until FROM endpoint_secret WHERE until = 0 OR until > ? ORDER BY endpoint, until = 0 DESC, until DESC, id DESC"
	retireSecrets = "UPDATE endpoint_secret SET until = ? WHERE endpoint = ? AND kind = ? AND (until = 0 OR until > ?)"
	forgetSecrets = "DELETE FROM endpoint_secret WHERE until > 0 AND until <= ?"
	countSecrets  = "SELECT count(*) FROM endpoint_secret WHERE endpoint = ? AND kind = ? AND (until = 0 OR until > ?)"
	insertSecret  = "INSERT INTO endpoint_secret (endpoint, id, kind, sealed, created_at, until) VALUES (?,?,?,?,?,0)"
)

// Secrets gives the secrets that sign now, by endpoint, those without an end first.
func (s *Store) Secrets(ctx context.Context) (map[string][]EndpointSecret, error) {
	rows, err := s.read.QueryContext(ctx, selectSecrets, s.cfg.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read secrets of endpoints: %w", err)
	}
	secrets := map[string][]EndpointSecret{}
	err = each(rows, func() error {
		var e EndpointSecret
		var sealed []byte
		var created, until int64
		if err := rows.Scan(&e.Endpoint, &e.ID, &e.Kind, &sealed, &created, &until); err != nil {
			return err
		}
		key, err := unwrapKey(s.cfg.Keys, e.ID, sealed)
		if err != nil {
			return fmt.Errorf("secret %s of endpoint %s: %w", e.ID, e.Endpoint, err)
		}
		e.Key, e.CreatedAt, e.Until = key, unmilli(created), unmilli(until)
		secrets[e.Endpoint] = append(secrets[e.Endpoint], e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read secrets of endpoints: %w", err)
	}
	return secrets, nil
}

// RotateSecret makes a new secret of an endpoint, durable when it returns. Those of the same kind that were made before sign
// beside it until overlap has passed, or their own earlier end. A running server signs with it within a second. Without an
// instance key there is nothing to seal it with, and that is an error; an endpoint that the store has never seen gives one that
// Is [ErrNotFound], one with ten secrets that still sign one that Is [ErrTooManySecrets].
func (s *Store) RotateSecret(ctx context.Context, endpoint string, kind SecretKind, overlap time.Duration) (EndpointSecret, error) {
	made := EndpointSecret{Endpoint: endpoint, Kind: kind}
	err := s.do(ctx, func(w *writer) (err error) {
		known, err := w.queryInt("SELECT count(*) FROM endpoint WHERE id = ?", endpoint)
		if err != nil {
			return err
		}
		if known == 0 {
			return ErrNotFound
		}
		return s.makeSecret(w, &made, overlap)
	})
	if err != nil {
		return EndpointSecret{}, fmt.Errorf("rotate the secret of endpoint %s: %w", endpoint, err)
	}
	return made, nil
}

// makeSecret fills in what is new about a secret and writes it.
func (s *Store) makeSecret(w *writer, made *EndpointSecret, overlap time.Duration) error {
	if len(s.cfg.Keys) == 0 {
		return errors.New("there is no instance key to seal it with")
	}
	now := s.cfg.Now()
	made.ID, made.CreatedAt = newID(secretPrefix, now), now
	rand.Read(made.Key[:])
	sealed, err := wrapKey(s.cfg.Keys, made.ID, made.Key)
	if err != nil {
		return err
	}
	if _, err := w.exec(forgetSecrets, now.UnixMilli()); err != nil {
		return err
	}
	until := now.Add(overlap).UnixMilli()
	if _, err := w.exec(retireSecrets, until, made.Endpoint, string(made.Kind), until); err != nil {
		return err
	}
	n, err := w.queryInt(countSecrets, made.Endpoint, string(made.Kind), now.UnixMilli())
	if err != nil {
		return err
	}
	if n >= maxSecrets {
		return ErrTooManySecrets
	}
	_, err = w.exec(insertSecret, made.Endpoint, made.ID, string(made.Kind), sealed, now.UnixMilli())
	return err
}

// ensureSecret makes the first secret of an endpoint whose declaration leaves that to the store.
func (s *Store) ensureSecret(w *writer, endpoint string) error {
	n, err := w.queryInt("SELECT count(*) FROM endpoint_secret WHERE endpoint = ? AND kind = 'v1' AND until = 0", endpoint)
	if err != nil || n > 0 {
		return err
	}
	return s.makeSecret(w, &EndpointSecret{Endpoint: endpoint, Kind: SecretHMAC}, 0)
}
