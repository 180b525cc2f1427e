package dispatch

import (
	"errors"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// TestMirror: somebody who looks on gets what the endpoint gets, without its secrets, and nothing of it is recorded.
func TestMirror(t *testing.T) {
	url, hits := receiver(t, nil)
	ep := storage.Endpoint{Name: "one", URL: url, Headers: map[string]string{"X-Api-Key": "s3cret"}, Access: storage.Access{Bearer: "s3cret-2"}}
	h := build(t, ep)
	defer h.close()
	d := h.dispatcher(nil)
	stop := h.start(d)
	id := h.accept(mail("looked at"), "one")
	got := <-hits
	known := d.cfg.Directory().Endpoints
	var declared *storage.Endpoint
	for _, e := range known {
		declared = e
	}
	wh, err := standardwebhooks.NewWebhookRaw(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	all := func(*inbound.Recipient) bool { return true }
	for _, signed := range []bool{false, true} {
		var seen []*Mirrored
		err := d.Mirror(t.Context(), id, declared, all, signed, func(m *Mirrored) error {
			seen = append(seen, m)
			return nil
		})
		if err != nil || len(seen) != 1 {
			t.Fatalf("%d requests, %v", len(seen), err)
		}
		m := seen[0]
		if m.ID != id || len(m.Body) != len(got.body) || m.Header.Get("Webhook-Id") != id || m.Header.Get("Letterhook-Attempt") != "1" {
			t.Errorf("%s %v, %d octets, want %d", m.ID, m.Header, len(m.Body), len(got.body))
		}
		if m.Header.Get("X-Api-Key") != "" || m.Header.Get("Authorization") != "" {
			t.Errorf("secrets: %v", m.Header)
		}
		if err := wh.Verify(m.Body, m.Header); (err == nil) != signed || (m.Header.Get("Webhook-Signature") != "") != signed {
			t.Errorf("signed %t: %v, %v", signed, err, m.Header)
		}
	}
	mirrored := func(ep *storage.Endpoint, wanted func(*inbound.Recipient) bool) (n int, body string) {
		err := d.Mirror(t.Context(), id, ep, wanted, false, func(m *Mirrored) error {
			n, body = n+1, string(m.Body)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, body
	}
	if n, _ := mirrored(declared, func(*inbound.Recipient) bool { return false }); n != 0 {
		t.Errorf("%d requests for recipients that nobody wants", n)
	}
	if n, body := mirrored(nil, all); n != 1 || !strings.Contains(body, "looked at") {
		t.Errorf("%d requests without an endpoint: %s", n, body)
	}
	other := *declared
	other.ID = "ep_other"
	if n, _ := mirrored(&other, all); n != 0 {
		t.Errorf("%d requests of an endpoint that gets none", n)
	}
	enough := errors.New("enough")
	if err := d.Mirror(t.Context(), id, declared, all, false, func(*Mirrored) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("an error of the reader: %v", err)
	}
	stop()
	if attempts, err := h.store.Attempts(t.Context(), id); err != nil || len(attempts) != 1 {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
}

// TestMirrorParts: requests are divided as the deliveries are.
func TestMirrorParts(t *testing.T) {
	to := func(name string, endpoints, apart []string) inbound.Recipient {
		return inbound.Recipient{Path: inbound.Path{LocalPart: name, Domain: "in.example.com"}, Decision: inbound.Decision{Endpoints: endpoints, Apart: apart}}
	}
	all := []inbound.Recipient{
		to("a", []string{"one", "two"}, []string{"two"}), to("b", []string{"one"}, nil), to("c", nil, nil), to("d", []string{"two"}, []string{"two"}),
	}
	wanted := func(r *inbound.Recipient) bool { return r.Path.LocalPart != "b" }
	describe := func(parts []mirrorPart) string {
		var words []string
		for _, p := range parts {
			word := string(rune('0' + p.number))
			for _, r := range p.recipients {
				word += r.Path.LocalPart
			}
			words = append(words, word)
		}
		return strings.Join(words, " ")
	}
	for endpoint, want := range map[string]string{"one": "0a", "two": "1a 4d", "three": "", "": "0ad"} {
		var ep *storage.Endpoint
		if endpoint != "" {
			ep = &storage.Endpoint{ID: endpoint}
		}
		if got := describe(mirrorParts(all, ep, wanted)); got != want {
			t.Errorf("%q: %q, want %q", endpoint, got, want)
		}
	}
}
