package mailauth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"slices"
)

// The sizes of RSA keys: RFC 8301 section 3.2 wants at least 1024 bits and support up to 4096. A larger key costs more to
// use than it can be worth, and it is a stranger who chooses it.
const (
	minRSABits = 1024
	maxRSABits = 8192
)

const maxKeyRecords = 4 // of one selector that are looked at

// publicKey is the key that a domain publishes for a selector (RFC 6376 section 3.6.1).
type publicKey struct {
	rsa     *rsa.PublicKey // nil: ed25519
	ed25519 ed25519.PublicKey
	strict  bool // t=s: the domain of i= must be that of d=
}

// lookupKey fetches the key of a signature.
func lookupKey(ctx context.Context, r Resolver, s *signature) (*publicKey, error) {
	records, err := r.LookupTXT(ctx, s.selector+"._domainkey."+s.domain)
	switch {
	case isTemporaryDNS(err):
		return nil, temporary("the key could not be looked up")
	case err != nil || len(records) == 0:
		return nil, permanent("there is no key")
	}
	// More than one record is undefined (RFC 6376 section 3.6.2.2); keys of two types under one selector are in use.
	for _, record := range records[:min(len(records), maxKeyRecords)] {
		var key *publicKey
		if key, err = parseKey(record, s.keyType); err == nil {
			return key, nil
		}
	}
	return nil, err
}

// parseKey reads a key record for a signature that needs a key of a type.
func parseKey(record, keyType string) (*publicKey, error) {
	tags, err := parseTags([]byte(record))
	if err != nil {
		return nil, permanent("the key record is malformed: " + err.Error())
	}
	if v := tags.find("v"); v != nil && (v.value != "DKIM1" || v.name != tags[0].name) {
		return nil, permanent("the key record has an unknown version")
	}
	if k := tags.get("k"); k != keyType && (k != "" || keyType != "rsa") {
		return nil, permanent("the key is of another type than the signature")
	}
	if h := tags.find("h"); h != nil && !slices.Contains(split(h.value), "sha256") {
		return nil, permanent("the key is not for SHA-256")
	}
	if s := tags.find("s"); s != nil && !slices.Contains(split(s.value), "email") && !slices.Contains(split(s.value), "*") {
		return nil, permanent("the key is not for mail")
	}
	p := tags.find("p")
	switch {
	case p == nil:
		return nil, permanent("the key record has no key")
	case p.value == "":
		return nil, permanent("the key is revoked")
	}
	der, err := base64.StdEncoding.DecodeString(withoutFold(p.value))
	if err != nil {
		return nil, permanent("the key is malformed")
	}
	key := &publicKey{strict: slices.Contains(split(tags.get("t")), "s")}
	if keyType == "ed25519" {
		if len(der) != ed25519.PublicKeySize {
			return nil, permanent("the key is malformed")
		}
		key.ed25519 = der
		return key, nil
	}
	key.rsa, err = parseRSA(der)
	return key, err
}

// parseRSA takes both forms in which RSA keys are published (RFC 6376 erratum 3017).
func parseRSA(der []byte) (*rsa.PublicKey, error) {
	var key *rsa.PublicKey
	if anyKey, err := x509.ParsePKIXPublicKey(der); err == nil {
		key, _ = anyKey.(*rsa.PublicKey)
	} else if key, err = x509.ParsePKCS1PublicKey(der); err != nil {
		key = nil
	}
	switch {
	case key == nil:
		return nil, permanent("the key is malformed")
	case key.N.BitLen() < minRSABits:
		return nil, permanent("the key is too short")
	case key.N.BitLen() > maxRSABits:
		return nil, permanent("the key is too long")
	}
	return key, nil
}

// verify checks a signature over a SHA-256 hash; Ed25519 signs the hash too (RFC 8463 section 3).
func (k *publicKey) verify(hash, value []byte) error {
	if k.rsa == nil {
		if !ed25519.Verify(k.ed25519, hash, value) {
			return failure("the signature does not verify")
		}
		return nil
	}
	if err := rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, hash, value); err != nil {
		return failure("the signature does not verify")
	}
	return nil
}
