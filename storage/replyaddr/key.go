package replyaddr

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// keyPrefix marks the text form of a key, so that it is not taken for a webhook's secret and scanners find it.
const keyPrefix = "replykey_"

// The size of a key in octets: at least what HMAC-SHA256 can make use of (RFC 2104 section 3), at most one block of it.
const (
	minKey = 32
	maxKey = 64
)

// Key signs reply addresses. It prints as a placeholder so that it cannot reach a log.
type Key []byte

// ParseKey reads a key in its text form: "replykey_" and the base64 of 32 to 64 octets. The error does not repeat the key.
func ParseKey(s string) (Key, error) {
	encoded, ok := strings.CutPrefix(s, keyPrefix)
	if !ok {
		return nil, errors.New("a key of reply addresses begins with " + keyPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("a key of reply addresses is base64 after " + keyPrefix)
	}
	if len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("a key of reply addresses has %d to %d octets, this one %d", minKey, maxKey, len(key))
	}
	return key, nil
}

// UnmarshalText is [ParseKey].
func (k *Key) UnmarshalText(text []byte) error {
	key, err := ParseKey(string(text))
	if err != nil {
		return err
	}
	*k = key
	return nil
}

// String hides the key.
func (k Key) String() string { return keyPrefix + "..." }

// GoString hides the key from %#v too.
func (k Key) GoString() string { return k.String() }
