package storage

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// A wrapped key is a salt and the message key sealed under a key that the salt and the instance key give. The detour over
// the salt is there because AES-GCM with random nonces is safe for about 2^32 uses of one key (NIST SP 800-38D section
// 8.3), which a busy server passes in days: here every wrapping key is used once.
const (
	wrapSalt    = 24
	wrappedSize = wrapSalt + len(messageKey{}) + sealTag
	wrapInfo    = "letterhook message key v1 "
)

// wrapKey gives the form of a message key that is stored in the row of the message id. The first instance key wraps it.
// Without an instance key it is the key itself.
func wrapKey(instance [][]byte, id string, key messageKey) ([]byte, error) {
	if len(instance) == 0 {
		return key[:], nil
	}
	out := make([]byte, wrapSalt, wrappedSize)
	rand.Read(out)
	kek, err := wrappingKey(instance[0], out, id)
	if err != nil {
		return nil, err
	}
	return appendSealed(out, kek, key[:]), nil
}

// unwrapKey is the inverse of wrapKey. Every instance key is tried, so that a new one can be put before the old ones. A
// key that was stored bare, before there was an instance key, is returned as it is.
func unwrapKey(instance [][]byte, id string, stored []byte) (key messageKey, err error) {
	switch len(stored) {
	case len(key):
		copy(key[:], stored)
		return key, nil
	case wrappedSize:
	default:
		return key, fmt.Errorf("a stored message key has %d octets, not %d or %d", len(stored), len(key), wrappedSize)
	}
	var box [wrappedSize - wrapSalt]byte
	for _, k := range instance {
		kek, err := wrappingKey(k, stored[:wrapSalt], id)
		if err != nil {
			return key, err
		}
		copy(box[:], stored[wrapSalt:])
		if plain, err := unseal(kek, box[:]); err == nil {
			copy(key[:], plain)
			return key, nil
		}
	}
	return key, ErrOtherKey
}

// wrappingKey binds the id of the message too, so a wrapped key is of no use in another row.
func wrappingKey(instance, salt []byte, id string) (kek messageKey, err error) {
	// Expand alone: an instance key is random throughout, so there is nothing to extract (RFC 5869 section 3.3).
	k, err := hkdf.Expand(sha256.New, instance, wrapInfo+string(salt)+id, len(kek))
	if err != nil {
		return kek, fmt.Errorf("derive wrapping key: %w", err)
	}
	copy(kek[:], k)
	return kek, nil
}
