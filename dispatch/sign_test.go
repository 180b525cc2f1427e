package dispatch

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestSignIsVerifiedByTheStandardLibrary(t *testing.T) {
	newest, oldest := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{9}, 24)
	body := []byte(`{"type":"email.received","text":"grüße <&>"}`)
	at := time.Now()
	header := http.Header{}
	header.Set("webhook-id", "msg_01k0")
	header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("webhook-signature", Sign("msg_01k0", at, body, [][]byte{newest, oldest}))

	for name, secret := range map[string][]byte{"newest": newest, "oldest": oldest} {
		wh, err := standardwebhooks.NewWebhook(FormatSecret(secret))
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify(body, header); err != nil {
			t.Errorf("the receiver with the %s secret refuses: %v", name, err)
		}
		if wh.Verify(append([]byte(" "), body...), header) == nil {
			t.Errorf("a changed body verifies with the %s secret", name)
		}
		wrong := header.Clone()
		wrong.Set("webhook-id", "msg_01k1")
		if wh.Verify(body, wrong) == nil {
			t.Errorf("another id verifies with the %s secret", name)
		}
	}
	stranger, err := standardwebhooks.NewWebhookRaw(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if stranger.Verify(body, header) == nil {
		t.Error("a stranger's secret verifies")
	}
}

// The vector was computed with openssl dgst -sha256 -mac hmac over "msg_1.1700000000.{}".
func TestSignVector(t *testing.T) {
	got := Sign("msg_1", time.Unix(1700000000, 999), []byte("{}"), [][]byte{[]byte("0123456789abcdef01234567")})
	if want := "v1,DjijpYnPcWcWSiPdvC93sCoKwGNWcH97A32JApk39OU="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Sign("msg_1", time.Unix(0, 0), nil, nil); got != "" {
		t.Errorf("no secrets give %q", got)
	}
}

func TestParseSecret(t *testing.T) {
	key := bytes.Repeat([]byte{3}, 24)
	got, err := ParseSecret(FormatSecret(key))
	if err != nil || !bytes.Equal(got, key) {
		t.Fatalf("round trip: %x, %v", got, err)
	}
	long := FormatSecret(make([]byte, 64))
	if _, err := ParseSecret(long); err != nil {
		t.Errorf("64 octets: %v", err)
	}
	for _, bad := range []string{"", "whsec_", "whsec_!!", FormatSecret(make([]byte, 23)), FormatSecret(make([]byte, 65)),
		strings.TrimPrefix(long, "whsec_"), "whpk_" + strings.TrimPrefix(long, "whsec_")} {
		_, err := ParseSecret(bad)
		if err == nil {
			t.Errorf("%q is taken for a secret", bad)
		} else if len(bad) > 10 && strings.Contains(err.Error(), bad[6:]) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}
