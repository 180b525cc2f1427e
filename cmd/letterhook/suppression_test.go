package main

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// heard is what somebody hears who has mail for a recipient: 250, or why not.
func heard(t *testing.T, h *apiHouse, from, to string) string {
	t.Helper()
	c, err := dialSMTP(t.Context(), h.smtpListeners[0].Addr().String(), "localhost", tlsNever)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if _, err := c.command(250, "MAIL FROM:<%s>", from); err != nil {
		t.Fatal(err)
	}
	if _, err := c.command(250, "RCPT TO:<%s>", to); err != nil {
		return err.Error()
	}
	return "250"
}

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
		if got := heard(t, h, from, to); !strings.Contains(got, want) {
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
		{`"a@b"@bulk.example`, "a@zen.example", sender}, {`"a b"@BULK.example`, "a@zen.example", sender}, {`"ann"@spam.example`, "a@zen.example", sender},
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
	h.refused(t, 409, "suppressed already", zenith, "POST", "/suppressions", map[string]any{"sender": "ann@SPAM.example"})
	for _, bad := range []map[string]any{{}, {"sender": "a@b.example", "recipient": "c@d.example"}, {"sender": "nobody"}, {"sender": "@"}, {"sender": "a b@c.example"}} {
		h.refused(t, 422, "body", zenith, "POST", "/suppressions", bad)
	}
	h.refused(t, 404, "", acme, "DELETE", "/suppressions/"+one, nil)
	if got := h.do(t, acme, "GET", "/suppressions", nil); len(got["items"].([]any)) != 0 {
		t.Errorf("another account sees %v", got)
	}
	h.do(t, zenith, "DELETE", "/suppressions/"+one, nil)
	says("ann@spam.example", "a@zen.example", "250")
	first := h.do(t, zenith, "GET", "/suppressions?limit=2", nil)
	items := first["items"].([]any)
	if len(items) != 2 || first["next_cursor"] == nil || items[0].(map[string]any)["sender"] != "past@ok.example" || items[0].(map[string]any)["created_by"] != "of zenith" {
		t.Errorf("not the newest, with who added it: %v", first)
	}
	rest := h.do(t, zenith, "GET", "/suppressions?cursor="+first["next_cursor"].(string), nil)["items"].([]any)
	if len(rest) != 2 || rest[1].(map[string]any)["sender"] != "@bulk.example" {
		t.Errorf("the second page is %v", rest)
	}
}

// TestSuppressionsAreFound: by a text of the address, in either way to write a domain, or of the note.
func TestSuppressionsAreFound(t *testing.T) {
	h := newAPIHouse(t)
	zenith := h.key(t, "zenith")
	for _, body := range []map[string]any{
		{"sender": "@B\u00fccher.example"}, {"sender": "ann@spam.example", "note": "Ticket 42"}, {"recipient": "old@zen.example", "note": "from the old list"},
	} {
		h.do(t, zenith, "POST", "/suppressions", body)
	}
	for text, want := range map[string]int{"": 3, "SPAM": 1, "ticket+4": 1, "xn--bcher": 1, "b%C3%BCcher": 1, "old": 1, "from": 1, "zen.example": 1, ".example": 3, "nothing": 0} {
		if got := h.do(t, zenith, "GET", "/suppressions?q="+text, nil)["items"].([]any); len(got) != want {
			t.Errorf("%q finds %v", text, got)
		}
	}
	if got := h.do(t, h.key(t, ""), "GET", "/suppressions?q=spam&account_id="+h.accounts["acme"], nil)["items"].([]any); len(got) != 0 {
		t.Errorf("another account has %v", got)
	}
}
