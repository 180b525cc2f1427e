package signature

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // of signatures that are wrong
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strings"
)

// search looks for what leads to a signature.
type search struct {
	verdict    *Verdict
	body       []byte
	ids, times []string // different values; more than one is a finding already
	targets    []target
	asymmetric bool // there are entries of v1a, and none of v1
	symmetric  bool // there are some of v1
	keys       []key
	public     []key
	hashed     int
	found      []Finding
}

// variant is a body or a layout of what is signed.
type variant struct {
	body    []byte
	layout  layout
	mistake *Finding
}

// run tries no mistake first, then one, then two. It says whether anything leads to the signature.
func (s *search) run() bool {
	if s.tryPublic() {
		return true
	}
	bodies, layouts := bodiesOf(s.body), layouts()
	right, wrong := s.partKeys()
	all := append(append([]key{}, right...), wrong...)
	return s.try(right, bodies[:1], layouts[:1]) ||
		s.try(wrong, bodies[:1], layouts[:1]) ||
		s.try(right, bodies[1:], layouts[:1]) ||
		s.try(right, bodies[:1], layouts[1:]) ||
		s.tryDigests(all) ||
		s.try(wrong, bodies[1:], layouts[:1]) ||
		s.try(wrong, bodies[:1], layouts[1:]) ||
		s.try(right, bodies[1:], layouts[1:])
}

func (s *search) partKeys() (right, wrong []key) {
	for _, k := range s.keys {
		if k.mistake == nil {
			right = append(right, k)
		} else {
			wrong = append(wrong, k)
		}
	}
	return right, wrong
}

// tryPublic verifies the entries of v1a with public keys, and says where the two kinds were mixed up.
func (s *search) tryPublic() bool {
	for _, t := range s.targets {
		for _, k := range s.public {
			for _, id := range s.ids {
				for _, at := range s.times {
					if t.version == "v1a" && len(t.sum) == ed25519.SignatureSize &&
						ed25519.Verify(k.octets, []byte(id+"."+at+"."+string(s.body)), []byte(t.sum)) {
						s.verdict.Secret = k.secret
						return true
					}
				}
			}
		}
	}
	switch {
	case s.asymmetric && len(s.public) == 0:
		s.verdict.addf(OnlyV1a, "The request is signed with v1a (ed25519) alone. Verify it with the public key, whpk_...; a secret whsec_... is for v1.")
	case !s.asymmetric && len(s.public) > 0 && len(s.keys) == 0:
		s.verdict.addf(SecretFormat, "A key that begins with whpk_ is for v1a (ed25519). The request is signed with v1: verify it with the secret, whsec_....")
	}
	return false
}

// try computes HMAC-SHA256 of every combination.
func (s *search) try(keys []key, bodies []variant, layouts []variant) bool {
	for _, k := range keys {
		for _, l := range layouts {
			for _, b := range bodies {
				if s.compute(sha256.New, k, b, l) {
					return true
				}
			}
		}
	}
	return false
}

// compute says whether one combination leads to a signature, and notes its mistakes.
func (s *search) compute(h func() hash.Hash, k key, b, l variant) bool {
	for _, id := range s.ids {
		for _, at := range s.times {
			if s.hashed += len(b.body); s.hashed > maxHashed {
				return false
			}
			mac := hmac.New(h, k.octets)
			l.layout.write(mac, id, at, b.body)
			if t := s.fits(mac.Sum(nil)); t != nil {
				s.note(t, k, b.mistake, l.mistake)
				return true
			}
		}
	}
	return false
}

func (s *search) fits(sum []byte) *target {
	for i, t := range s.targets {
		if t.version != "v1a" && t.sum == string(sum) {
			return &s.targets[i]
		}
	}
	return nil
}

func (s *search) note(t *target, k key, more ...*Finding) {
	s.verdict.Secret = k.secret
	if t.version != "v1" && s.symmetric {
		s.found = append(s.found, Finding{SignatureFormat, "The entry that fits is not of version v1, and receivers pass it over."})
	}
	if t.written != "" && t.version == "v1" {
		s.found = append(s.found, Finding{SignatureFormat, "The signature is right but written as " + t.written + ". It is base64 of the standard alphabet, with padding."})
	}
	for _, f := range append([]*Finding{k.mistake}, more...) {
		if f != nil {
			s.found = append(s.found, *f)
		}
	}
}

// tryDigests tries other functions than HMAC-SHA256.
func (s *search) tryDigests(keys []key) bool {
	layouts := layouts()
	macs := map[string]func() hash.Hash{"HMAC-SHA1": sha1.New, "HMAC-SHA512": sha512.New}
	for _, k := range keys {
		for _, l := range layouts {
			b := variant{body: s.body}
			for name, h := range macs {
				d := l
				if d.mistake = digestMistake(name, l.mistake); s.compute(h, k, b, d) {
					return true
				}
			}
		}
		plain := layouts[0]
		plain.mistake = digestMistake("SHA-256 without HMAC", nil)
		for _, outer := range []func() hash.Hash{sha256.New, withKey(k.octets)} {
			for _, id := range s.ids {
				for _, at := range s.times {
					h := outer()
					plain.layout.write(h, id, at, s.body)
					if t := s.fits(h.Sum(nil)); t != nil {
						s.note(t, k, plain.mistake)
						return true
					}
				}
			}
		}
	}
	return false
}

func digestMistake(name string, other *Finding) *Finding {
	f := &Finding{Digest, "The signature was made with " + name + ". v1 is HMAC-SHA256."}
	if other != nil {
		f.Text += " " + other.Text
	}
	return f
}

// withKey is SHA-256 of the key and what follows.
func withKey(octets []byte) func() hash.Hash {
	return func() hash.Hash {
		h := sha256.New()
		h.Write(octets)
		return h
	}
}

// layout is how id (i), timestamp (t) and body (b) are joined.
type layout struct{ order, separator string }

func (l layout) write(h hash.Hash, id, at string, body []byte) {
	for i, part := range l.order {
		if i > 0 {
			h.Write([]byte(l.separator))
		}
		switch part {
		case 'i':
			h.Write([]byte(id))
		case 't':
			h.Write([]byte(at))
		case 'b':
			h.Write(body)
		}
	}
}

// layouts are the ways to join them, the right one first.
func layouts() []variant {
	list := []variant{{layout: layout{"itb", "."}}}
	names := strings.NewReplacer("i", "id ", "t", "timestamp ", "b", "body ")
	for _, order := range []string{"itb", "tib", "ibt", "tbi", "bit", "bti", "tb", "ib", "bt", "bi", "it", "b"} {
		for _, separator := range []string{".", "", ":", ",", "\n", " ", "|", "-", "_"} {
			if l := (layout{order, separator}); l != list[0].layout {
				text := "The signature covers " + strings.ReplaceAll(strings.TrimSpace(names.Replace(order)), " ", ", ")
				if len(order) > 1 {
					text += ", joined by " + separatorName(separator)
				}
				list = append(list, variant{layout: l, mistake: &Finding{Layout, text + ". It must cover id.timestamp.body: these three in this order, joined by dots."}})
			}
			if len(order) == 1 {
				break
			}
		}
	}
	return list
}

func separatorName(separator string) string {
	switch separator {
	case "":
		return "nothing"
	case "\n":
		return "line ends"
	case " ":
		return "blanks"
	}
	return `"` + separator + `"`
}
