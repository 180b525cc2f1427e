package dispatch

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestRetiringSecretsEnd has a secret with an end sign until then, to the moment, and leave the others alone.
func TestRetiringSecretsEnd(t *testing.T) {
	end := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	old := bytes.Repeat([]byte{6}, 32)
	ep := &storage.Endpoint{Secrets: [][]byte{testSecret}, Retiring: []storage.RetiringSecret{{Key: old, Until: end}}}
	stored := []storage.EndpointSecret{{Kind: storage.SecretHMAC, Key: [32]byte{7}, Until: end.Add(time.Hour)}}
	for at, want := range map[time.Time]int{end.Add(-time.Nanosecond): 3, end: 2, end.Add(time.Hour): 1} {
		k := ring(ep, stored, at)
		if n := len(strings.Fields(k.sign("msg_1", at, nil))); n != want {
			t.Errorf("at %s there are %d signatures, want %d", at, n, want)
		}
	}
	if len(ep.Secrets) != 1 {
		t.Error("the endpoint was changed")
	}
}

func TestParseRetiring(t *testing.T) {
	text := FormatSecret(testSecret)
	for _, good := range []string{text, text + " until 2026-12-31T00:00:00Z", "  " + text + "  until  2026-12-31T01:00:00+01:00 "} {
		got, err := ParseRetiring(good)
		if err != nil || !bytes.Equal(got.Key, testSecret) || got.Until.IsZero() == strings.Contains(good, "until") {
			t.Errorf("%q: %+v, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", text + " until", text + " until tomorrow", text + " 2026-12-31T00:00:00Z", text + "x until 2026-12-31T00:00:00Z"} {
		if got, err := ParseRetiring(bad); err == nil || strings.Contains(err.Error(), text) {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}
