package mailauth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// signature is what DKIM-Signature, ARC-Message-Signature and ARC-Seal have in common.
type signature struct {
	field    *field
	tags     tagList
	keyType  string // "rsa" or "ed25519"
	domain   string // d=, lower-case A-labels
	selector string // s=, likewise
	value    []byte // b=

	// Not of a seal.
	bodyHash    []byte
	headerCanon canonicalization
	bodyCanon   canonicalization
	names       []string // h=, in lower case
	userDomain  string   // of i= in DKIM; empty: domain
	limited     bool     // l= signs only the front of the body

	key *publicKey // of the domain, once looked up
	err error      // why there is no key, or no signature to check
}

const (
	// mayBeExpired is the skew of clocks that an expiry is given.
	mayBeExpired = 5 * time.Minute
	// maxSignature is the longest field that is taken apart, in octets: what it is taken apart into costs many times as much
	// memory, and is held while DNS is asked. A signature has less than 2 KB.
	maxSignature = 32 << 10
)

// signatureTags reads the tags of a field.
func signatureTags(f *field) (tagList, error) {
	if len(f.raw) > maxSignature {
		return nil, errors.New("the field is too long")
	}
	return parseTags(f.body)
}

// parseCommon reads what every signature has.
func parseCommon(f *field) (*signature, error) {
	s := &signature{field: f}
	var err error
	if s.tags, err = signatureTags(f); err != nil {
		return s, permanent(err.Error())
	}
	if s.domain, err = domainName(s.tags.get("d")); err != nil {
		return s, permanent("d= is missing or no domain")
	}
	if s.selector, err = hostName(s.tags.get("s")); err != nil {
		s.selector = ""
		return s, permanent("s= is missing or no selector")
	}
	keyType, hashName, _ := strings.Cut(strings.ToLower(s.tags.get("a")), "-")
	switch {
	case hashName == "sha1": // RFC 8301 section 3.1
		return s, permanent("a= is too weak")
	case hashName != "sha256" || keyType != "rsa" && keyType != "ed25519":
		return s, permanent("a= is missing or unknown")
	}
	s.keyType = keyType
	if s.value, err = base64.StdEncoding.DecodeString(withoutFold(s.tags.get("b"))); err != nil || len(s.value) == 0 {
		return s, permanent("b= is missing or malformed")
	}
	return s, nil
}

// parseMessageTags reads what the signature of a message has beyond that of a seal. fallback is the canonicalization of a
// signature without c=.
func (s *signature) parseMessageTags(fallback string) error {
	var err error
	if s.bodyHash, err = base64.StdEncoding.DecodeString(withoutFold(s.tags.get("bh"))); err != nil || len(s.bodyHash) != sha256.Size {
		return permanent("bh= is missing or malformed")
	}
	c := fallback
	if s.tags.find("c") != nil {
		c = strings.ToLower(s.tags.get("c"))
	}
	head, body, both := strings.Cut(c, "/")
	if !both { // RFC 6376 section 3.5
		body = "simple"
	}
	var known, knownBody bool
	s.headerCanon, known = canonicalizations[head]
	s.bodyCanon, knownBody = canonicalizations[body]
	if !known || !knownBody {
		return permanent("c= is unknown")
	}
	for _, name := range split(s.tags.get("h")) {
		s.names = append(s.names, strings.ToLower(name))
	}
	s.limited = s.tags.find("l") != nil
	return nil
}

// checkTimes checks t= and x= (RFC 6376 section 3.5) against the time the message was received.
func (s *signature) checkTimes(now time.Time) error {
	signed, err := s.seconds("t")
	if err != nil {
		return err
	}
	expires, err := s.seconds("x")
	switch {
	case err != nil:
		return err
	case s.tags.find("x") == nil:
		return nil
	case s.tags.find("t") != nil && expires <= signed:
		return permanent("x= is not behind t=")
	case now.Add(-mayBeExpired).Unix() > expires:
		return permanent("the signature has expired")
	}
	return nil
}

func (s *signature) seconds(name string) (int64, error) {
	t := s.tags.find(name)
	if t == nil {
		return 0, nil
	}
	n, err := strconv.ParseInt(t.value, 10, 64)
	if err != nil || n < 0 {
		return 0, permanent(name + "= is no time")
	}
	return n, nil
}

// appendUnsigned appends the field of the signature itself in canonical form, b= empty, without a line end (RFC 6376
// section 3.7).
func (s *signature) appendUnsigned(dst []byte, c canonicalization) []byte {
	bare := *s.field
	b := s.tags.find("b")
	offset := len(s.field.raw) - len(s.field.body)
	bare.raw = append(append([]byte{}, s.field.raw[:offset+b.from]...), s.field.body[b.to:]...)
	bare.body = bare.raw[offset:]
	dst = c.appendField(dst, &bare)
	for len(dst) > 0 && (dst[len(dst)-1] == '\n' || dst[len(dst)-1] == '\r') {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// verifyMessage checks the signature of a message. body is the hash of the body in its canonical form.
func (s *signature) verifyMessage(h *header, body []byte) error {
	if string(body) != string(s.bodyHash) {
		return failure("the body was changed")
	}
	hash := sha256.New()
	var canonical []byte
	taken := map[string]int{}
	for _, name := range s.names {
		fields := h.byName[name]
		left := len(fields) - taken[name]
		if left == 0 { // names what is not there, so that nobody can add it (RFC 6376 section 5.4.2)
			continue
		}
		taken[name]++
		canonical = s.headerCanon.appendField(canonical[:0], &h.fields[fields[left-1]])
		hash.Write(canonical)
	}
	hash.Write(s.appendUnsigned(canonical[:0], s.headerCanon))
	return s.key.verify(hash.Sum(nil), s.value)
}

// trouble is why a signature does not pass, with the result it has then.
type trouble struct {
	temporary, failed, policy bool // none of them: permanent
	text                      string
}

func (t *trouble) Error() string { return t.text }

func permanent(text string) error { return &trouble{text: text} }
func temporary(text string) error { return &trouble{temporary: true, text: text} }
func failure(text string) error   { return &trouble{failed: true, text: text} }
func unwanted(text string) error  { return &trouble{policy: true, text: text} }

func isTemporary(err error) bool {
	var t *trouble
	return errors.As(err, &t) && t.temporary
}
