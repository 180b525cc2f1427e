package signature

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const (
	prefixSecret  = "whsec_"
	prefixPublic  = "whpk_"
	prefixPrivate = "whsk_"
)

// key is one way to read a secret.
type key struct {
	octets  []byte
	secret  int      // its index
	mistake *Finding // nil: as it should be
}

// readSecrets makes the keys that secrets may mean, the right reading of each first.
func (s *search) readSecrets(secrets []string) {
	var wrong []key
	for i, text := range secrets {
		clean := strings.Trim(text, " \t\r\n\"'")
		encoded, prefixed := strings.CutPrefix(clean, prefixSecret)
		switch {
		case strings.HasPrefix(clean, prefixPublic):
			s.readPublic(i, clean)
			continue
		case strings.HasPrefix(clean, prefixPrivate):
			s.verdict.addf(SecretFormat, "Secret %d begins with whsk_: it is the private key of v1a and belongs to the sender alone.", i+1)
			continue
		}
		add := func(octets []byte, err error, format string) {
			if err == nil && len(octets) > 0 {
				wrong = append(wrong, key{octets, i, &Finding{SecretFormat, format}})
			}
		}
		octets, err := base64.StdEncoding.DecodeString(encoded)
		if err == nil && prefixed && clean == text {
			s.keys = append(s.keys, key{octets, i, nil})
		} else {
			add(octets, err, wrongFrame(prefixed))
		}
		octets, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(encoded, "="))
		add(octets, err, "The secret fits when it is read as base64 with the alphabet of URLs, or without padding. What is behind whsec_ is base64 of the standard alphabet.")
		octets, err = hex.DecodeString(encoded)
		add(octets, err, "The secret fits when it is read as hexadecimal. What is behind whsec_ is base64.")
		add([]byte(clean), nil, "The signature was made with the text of the secret as the key, undecoded. The key is what is behind whsec_, decoded from base64.")
		add([]byte(encoded), nil, "The signature was made with the text behind whsec_ as the key, undecoded. Decode it from base64 first.")
		add([]byte(text), nil, "The signature was made with the text of the secret as the key, white space or quotes with it.")
	}
	s.keys = append(s.keys, wrong...)
}

func wrongFrame(prefixed bool) string {
	if !prefixed {
		return "The secret fits, but it has no whsec_ before it, without which libraries may take it for something else."
	}
	return "The secret fits, but there is white space or a quote around it. Look at the environment or the file that it comes from."
}

// readPublic takes a public key of v1a.
func (s *search) readPublic(i int, text string) {
	octets, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, prefixPublic))
	if err != nil || len(octets) != 32 {
		s.verdict.addf(SecretFormat, "Secret %d begins with whpk_, but what follows is not 32 octets in base64.", i+1)
		return
	}
	s.public = append(s.public, key{octets: octets, secret: i})
}
