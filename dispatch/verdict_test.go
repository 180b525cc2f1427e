package dispatch

import (
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// TestDisposition is told to the endpoint whose recipient is quarantined, and to no other.
func TestDisposition(t *testing.T) {
	m := sampleMail(nil)
	for endpoint, want := range map[string]string{"ep_1": "quarantine", "ep_2": "none"} {
		a, _ := verdicts(m.Envelope.AuthResults, m.Envelope.Recipients, endpoint)
		if a.DMARC.Disposition != want {
			t.Errorf("%s: %s, want %s", endpoint, a.DMARC.Disposition, want)
		}
	}
	if a, identity := verdicts(nil, []inbound.Recipient{}, "ep_1"); a != nil || identity != nil {
		t.Errorf("not checked, and told %v, %v", a, identity)
	}
}
