package storage

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"fmt"
)

// keyCheckID stands in the place of a message's id where the row of instance_key is sealed.
const keyCheckID = "instance_key"

const (
	// It locks the row that is there: of servers that start at once each sees what the one before it left.
	insertKeyCheck = "INSERT INTO instance_key (one, sealed) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET one = excluded.one"
	updateKeyCheck = "UPDATE instance_key SET sealed = ?"
	selectKeyCheck = "SELECT sealed FROM instance_key"
)

// sealedKey is what an instance key seals, and how to find the newest of it.
type sealedKey struct{ what, query string }

var (
	newestMessage = sealedKey{"the newest message", "SELECT id, key FROM message WHERE length(key) > 0 ORDER BY id DESC LIMIT 1"}
	// What a database may have that has no message and was begun before there was the table instance_key.
	newestOthers = []sealedKey{
		{"the newest secret of an endpoint", "SELECT id, sealed FROM endpoint_secret WHERE until = 0 ORDER BY id DESC LIMIT 1"},
		{"the newest setting", "SELECT id, key FROM setting ORDER BY updated_at DESC, id DESC LIMIT 1"},
	}
)

// checkKeys proves that the instance keys open what the database has, also where that is nothing yet but another server began with it, so
// that a wrong key is told at the start and not by every mail that cannot be read. When it returns, the row of instance_key is sealed
// with the first key: once the new key of a rotation stands there, the old one may be missing. What no key opens is an error that Is
// [ErrOtherKey], and leaves the database as it was.
func (s *Store) checkKeys(w *writer) error {
	err := s.opens(w, newestMessage)
	if err == nil {
		err = w.transact(func() error { return s.checkKeyRow(w) })
	}
	if errors.Is(err, ErrOtherKey) {
		return fmt.Errorf("%w; give this server the key file of the one that began with this database (storage.key_file, or instance.key "+
			"in its data_dir), and after a change of keys the old line behind the new one", err)
	}
	return err
}

// opens opens the key in the row that a query gives, if any.
func (s *Store) opens(w *writer, thing sealedKey) error {
	err := w.query(func(row []driver.Value) error {
		id, _ := row[0].(string)
		stored, _ := row[1].([]byte)
		_, err := unwrapKey(s.cfg.Keys, id, stored)
		return err
	}, thing.query)
	if err != nil {
		return fmt.Errorf("open %s with the instance keys given: %w", thing.what, err)
	}
	return nil
}

// checkKeyRow makes the row of instance_key, or opens the one that is there and brings it to the first key. Without keys none is made.
func (s *Store) checkKeyRow(w *writer) error {
	var ours []byte
	if len(s.cfg.Keys) > 0 {
		var err error
		if ours, err = wrapKey(s.cfg.Keys, keyCheckID, newMessageKey()); err != nil {
			return err
		}
		if _, err := w.exec(insertKeyCheck, ours); err != nil {
			return fmt.Errorf("note the instance key: %w", err)
		}
	}
	var found []byte
	err := w.query(func(row []driver.Value) error {
		stored, _ := row[0].([]byte)
		found = bytes.Clone(stored)
		return nil
	}, selectKeyCheck)
	switch {
	case err != nil:
		return fmt.Errorf("read what the instance key is known by: %w", err)
	case found == nil:
		return nil
	case bytes.Equal(found, ours): // made now
		for _, thing := range newestOthers {
			if err := s.opens(w, thing); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := unwrapKey(s.cfg.Keys, keyCheckID, found); err != nil {
		return fmt.Errorf("the database was begun with another instance key: %w", err)
	}
	if _, err := unwrapKey(s.cfg.Keys[:1], keyCheckID, found); err == nil {
		return nil
	}
	if _, err := w.exec(updateKeyCheck, ours); err != nil {
		return fmt.Errorf("note the new instance key: %w", err)
	}
	return nil
}
