package dispatch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// secretPrefix marks the text form of a signing key (Standard Webhooks 1.0, "Signature scheme").
const secretPrefix = "whsec_"

// Sign makes the value of the webhook-signature header of Standard Webhooks: one "v1," entry for each secret, separated
// by spaces, so that a receiver that knows any one of them can verify during a rotation. The signature covers id, at
// (in whole seconds) and body. The id must not hold a dot.
func Sign(id string, at time.Time, body []byte, secrets [][]byte) string {
	sums := newSums(id, at, secrets)
	for _, mac := range sums {
		mac.Write(body)
	}
	return sums.signature()
}

// sums are the beginnings of signatures, one for each secret, which the body is to be written to.
type sums []hash.Hash

func newSums(id string, at time.Time, secrets [][]byte) sums {
	head := id + "." + strconv.FormatInt(at.Unix(), 10) + "."
	s := make(sums, len(secrets))
	for i, secret := range secrets {
		s[i] = hmac.New(sha256.New, secret)
		s[i].Write([]byte(head))
	}
	return s
}

func (s sums) writers() []io.Writer {
	ws := make([]io.Writer, len(s), len(s)+1)
	for i := range s {
		ws[i] = s[i]
	}
	return ws
}

func (s sums) signature() string {
	var b strings.Builder
	b.Grow(len(s) * (len("v1, ") + base64.StdEncoding.EncodedLen(sha256.Size)))
	var sum [sha256.Size]byte
	for i, mac := range s {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("v1,")
		b.WriteString(base64.StdEncoding.EncodeToString(mac.Sum(sum[:0])))
	}
	return b.String()
}

// ParseRetiring reads a signing key that may have an end: "whsec_..." alone, or "whsec_... until 2026-12-31T00:00:00Z" (RFC 3339).
// The error does not repeat the secret.
func ParseRetiring(s string) (storage.RetiringSecret, error) {
	text, end, retiring := strings.Cut(strings.TrimSpace(s), " ")
	key, err := ParseSecret(text)
	if err != nil || !retiring {
		return storage.RetiringSecret{Key: key}, err
	}
	word, moment, _ := strings.Cut(strings.TrimSpace(end), " ")
	until, err := time.Parse(time.RFC3339, strings.TrimSpace(moment))
	if word != "until" || err != nil {
		return storage.RetiringSecret{}, errors.New("behind a signing secret stands nothing, or until and a time like 2026-12-31T00:00:00Z")
	}
	return storage.RetiringSecret{Key: key, Until: until}, nil
}

// ParseSecret reads a signing key in its text form: "whsec_" and 24 to 64 octets in base64. The error does not repeat
// the secret.
func ParseSecret(s string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s, secretPrefix)
	if !ok {
		return nil, errors.New("a signing secret begins with " + secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("a signing secret is base64 after " + secretPrefix)
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("a signing secret has 24 to 64 octets, this one %d", len(key))
	}
	return key, nil
}

// FormatSecret writes a signing key in its text form.
func FormatSecret(key []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(key) }
