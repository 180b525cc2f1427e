package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestRotateSecretBesideTheServer has a receiver that knows only one secret verify during the whole of a rotation, and not after.
func TestRotateSecretBesideTheServer(t *testing.T) {
	type request struct {
		header http.Header
		body   []byte
	}
	requests := make(chan request, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- request{r.Header, body}
	}))
	defer receiver.Close()
	text := strings.Replace(served, "secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]", "stored_secrets: true", 1)
	s := serveFile(t, strings.ReplaceAll(text, "URL", receiver.URL))
	run := func(args ...string) string {
		t.Helper()
		out, err := command(t, append(append([]string{"endpoints"}, args...), "-c", s.path)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(out)
	}
	// event waits for one with so many signatures: the server notices a rotation within a second.
	event := func(signatures int) request {
		t.Helper()
		for range 20 {
			run("test", "app")
			if r := <-requests; len(strings.Fields(r.header.Get("webhook-signature"))) == signatures {
				return r
			}
		}
		t.Fatalf("no request has %d signatures", signatures)
		return request{}
	}
	verifies := func(r request, secret string) bool {
		t.Helper()
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		return w.Verify(r.body, r.header) == nil
	}
	var first secretLine
	if err := json.Unmarshal([]byte(run("secrets", "app", "--reveal", "--json")), &first); err != nil {
		t.Fatal(err)
	}
	if r := event(1); !verifies(r, first.Secret) {
		t.Error("the first secret does not verify")
	}
	if out := run("secrets", "app"); strings.Contains(out, first.Secret) || !strings.Contains(out, "hidden") {
		t.Errorf("the list shows\n%s", out)
	}
	second := run("rotate-secret", "app", "--overlap", "24h")
	if r := event(2); !verifies(r, first.Secret) || !verifies(r, second) || second == first.Secret {
		t.Errorf("during the rotation the first verifies: %t, the second: %t", verifies(r, first.Secret), verifies(r, second))
	}
	public := run("rotate-secret", "app", "--ed25519")
	r := event(3)
	if !verifies(r, first.Secret) || !verifies(r, second) {
		t.Error("beside v1a a library does not verify v1")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil || len(key) != ed25519.PublicKeySize || !strings.HasPrefix(public, "whpk_") {
		t.Fatalf("the public key is %q", public)
	}
	entry := strings.Fields(r.header.Get("webhook-signature"))[2]
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(entry, "v1a,"))
	signed := r.header.Get("webhook-id") + "." + r.header.Get("webhook-timestamp") + "." + string(r.body)
	if err != nil || !strings.HasPrefix(entry, "v1a,") || !ed25519.Verify(key, []byte(signed), sum) {
		t.Errorf("%q does not verify with %s", entry, public)
	}
	if ed25519.Verify(key, []byte(signed+" "), sum) {
		t.Error("another body verifies too")
	}
	third := run("rotate-secret", "app", "--overlap", "0s") // the first and the second end now
	if r := event(2); verifies(r, first.Secret) || verifies(r, second) || !verifies(r, third) {
		t.Error("after the rotation an old secret verifies still")
	}
}
