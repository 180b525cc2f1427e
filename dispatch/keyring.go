package dispatch

import (
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// publicPrefix marks the text form of a public key (Standard Webhooks 1.0, "Signature scheme").
const publicPrefix = "whpk_"

// keyring has everything that signs the requests to an endpoint at one time.
type keyring struct {
	secrets [][]byte             // of HMAC-SHA256
	private []ed25519.PrivateKey // nil for nearly all endpoints
}

// ring gathers what signs for an endpoint now: what its declaration has, but for what has ended, and what the store made.
func ring(ep *storage.Endpoint, stored []storage.EndpointSecret, now time.Time) keyring {
	k := keyring{secrets: ep.Secrets}
	add := func(key []byte) { k.secrets = append(slices.Clip(k.secrets), key) }
	for i := range stored {
		switch s := &stored[i]; {
		case !s.Signs(now):
		case s.Kind == storage.SecretHMAC:
			add(s.Key[:])
		case s.Kind == storage.SecretEd25519:
			k.private = append(k.private, ed25519.NewKeyFromSeed(s.Key[:]))
		}
	}
	for _, old := range ep.Retiring {
		if now.Before(old.Until) {
			add(old.Key)
		}
	}
	return k
}

// sign makes the value of the webhook-signature header. The entries of ed25519 stand behind the others, which every receiver
// knows.
func (k *keyring) sign(id string, at time.Time, body []byte) string {
	text := Sign(id, at, body, k.secrets)
	if len(k.private) == 0 {
		return text
	}
	content := append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
	for _, key := range k.private {
		if text != "" {
			text += " "
		}
		text += "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, content))
	}
	return text
}

// FormatPublicKey writes the public key by which receivers verify the signatures of a secret of the kind v1a: "whpk_" and base64.
func FormatPublicKey(s *storage.EndpointSecret) string {
	public, _ := ed25519.NewKeyFromSeed(s.Key[:]).Public().(ed25519.PublicKey)
	return publicPrefix + base64.StdEncoding.EncodeToString(public)
}
