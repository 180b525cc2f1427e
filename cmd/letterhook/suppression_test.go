package main

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestSuppressions: an account's mail from a sender, or for a recipient, is refused or thrown away, that of nobody else, until it wants it
// again.
func TestSuppressions(t *testing.T) {
	h := newAPIHouse(t)
	operator, zenith, acme := h.key(t, ""), h.key(t, "zenith"), h.key(t, "acme")
	h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": h.accounts["zenith"], "name": "app", "url": "https://app.example/hook"})
	h.do(t, operator, "POST", "/domains", map[string]any{"account_id": h.accounts["zenith"], "name": "zen.example"})
	h.do(t, operator, "POST", "/routes", map[string]any{"domain": "zen.example", "match": "*", "endpoints": []string{"app"}})
	says := func(from, to, want string) {
		t.Helper()
		c, err := dialSMTP(t.Context(), h.smtpListeners[0].Addr().String(), "localhost", tlsNever)
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		if _, err := c.command(250, "MAIL FROM:<%s>", from); err != nil {
			t.Fatal(err)
		}
		got := "250"
		if _, err := c.command(250, "RCPT TO:<%s>", to); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("from %s to %s: %s, want %s", from, to, got, want)
		}
	}
	add := func(body map[string]any) string {
		t.Helper()
		return id(h.do(t, zenith, "POST", "/suppressions", body))
	}
	one := add(map[string]any{"sender": "Ann@Spam.example"})
	add(map[string]any{"sender": "@bulk.example"})
	add(map[string]any{"recipient": "old@zen.example"})
	add(map[string]any{"recipient": "void@zen.example", "action": "discard"})
	add(map[string]any{"sender": "past@ok.example", "until": "2020-01-01T00:00:00Z"})
	const sender, recipient = "550 5.7.1 This sender", "550 5.2.1 This recipient"
	for _, c := range []struct{ from, to, want string }{
		{"ann@spam.example", "a@zen.example", sender}, {"ANN@SPAM.EXAMPLE", "a@zen.example", sender}, {"bob@spam.example", "a@zen.example", "250"},
		{"any@bulk.example", "a@zen.example", sender}, {"any@sub.bulk.example", "a@zen.example", "250"}, {"any@bulk.example", "postmaster@zen.example", "250"},
		{"x@ok.example", "OLD@zen.example", recipient}, {"", "old@zen.example", recipient}, {"", "a@zen.example", "250"}, {"past@ok.example", "a@zen.example", "250"},
		{"ann@spam.example", "ann@declared.example.com", "250"}, // another account's
	} {
		says(c.from, c.to, c.want)
	}
	if !strings.Contains(h.log.String(), "reason=suppressed code=550") {
		t.Error("the log does not tell of it")
	}
	// What is thrown away is owed to nobody.
	message := send(t, h.smtpListeners[0].Addr().String(), sendOptions{from: "x@ok.example", to: []string{"void@zen.example"}, text: "hello"})
	if got, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: message}); err != nil || len(got) != 0 {
		t.Errorf("it is owed: %v %v", got, err)
	}
	for address, want := range map[string]string{"old@zen.example": "refused", "void@zen.example": "thrown away"} {
		got := h.do(t, zenith, "GET", "/resolve?address="+address, nil)
		if text, _ := got["text"].(string); !strings.Contains(text, want) || len(got["endpoints"].([]any)) != 0 || got["accepted"] != (want == "thrown away") {
			t.Errorf("%s: %v", address, got)
		}
	}
	h.refused(t, 409, "taken", zenith, "POST", "/suppressions", map[string]any{"sender": "ann@SPAM.example"})
	for _, bad := range []map[string]any{{}, {"sender": "a@b.example", "recipient": "c@d.example"}, {"sender": "nobody"}, {"sender": "@"}, {"sender": "a b@c.example"}} {
		h.refused(t, 422, "body", zenith, "POST", "/suppressions", bad)
	}
	h.refused(t, 404, "", acme, "DELETE", "/suppressions/"+one, nil)
	if got := h.do(t, acme, "GET", "/suppressions", nil); len(got["items"].([]any)) != 0 {
		t.Errorf("another account sees %v", got)
	}
	h.do(t, zenith, "DELETE", "/suppressions/"+one, nil)
	says("ann@spam.example", "a@zen.example", "250")
	if got := h.do(t, zenith, "GET", "/suppressions?limit=2", nil); len(got["items"].([]any)) != 2 || got["next_cursor"] == nil {
		t.Errorf("%v", got)
	}
}
