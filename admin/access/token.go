package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"regexp"
	"strings"

	"github.com/letterhook/letterhook/storage"
)

// A token is "lhk_", the ULID of its key, "_" and 256 random bits in lower-case base32. The prefix lets scanners of source code find
// tokens, and all of it is one word to a double click. The random part is no password: one round of SHA-256 is enough.
const (
	tokenPrefix = "lhk_"
	idPrefix    = "key_"
)

var tokenForm = regexp.MustCompile(`^lhk_[0-9a-z]{26}_[a-z2-7]{52}$`)

var secretEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret makes 256 random bits as a word.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return secretEncoding.EncodeToString(b[:])
}

// Mint makes the token of a key that has its id, and sets the key's hash. The token is shown once and kept nowhere.
func Mint(k *storage.APIKey) (token string) {
	secret := newSecret()
	k.Hash = sha256.Sum256([]byte(secret))
	return tokenPrefix + strings.TrimPrefix(k.ID, idPrefix) + "_" + secret
}

// split gives the id of the key that a token names, and the hash of its secret.
func split(token string) (id string, hash [sha256.Size]byte, ok bool) {
	if !tokenForm.MatchString(token) {
		return "", hash, false
	}
	ulid, secret, _ := strings.Cut(token[len(tokenPrefix):], "_")
	return idPrefix + ulid, sha256.Sum256([]byte(secret)), true
}

func sameHash(a, b [sha256.Size]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
