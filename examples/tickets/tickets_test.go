package main

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/storage/replyaddr"
)

// post sends an event to a hook over a desk with one ticket, ann's, and gives the status.
func post(t *testing.T, h *hook, signer *standardwebhooks.Webhook, id, body string) int {
	t.Helper()
	now := time.Now()
	signature, err := signer.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/hooks/mail", strings.NewReader(body))
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
	r.Header.Set("webhook-signature", signature)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func webhook(t *testing.T, key string) *standardwebhooks.Webhook {
	t.Helper()
	w, err := standardwebhooks.NewWebhookRaw(bytes.Repeat([]byte(key), 32))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// answer is an event with a token, an identity and a text.
func answer(token, identity, text string) string {
	return `{"type": "email.received", "data": {"received_at": "2026-11-23T12:00:00.000Z", "kind": "human",
		"recipients": [{"token": null}, {"token": ` + token + `}], "identity": ` + identity + `,
		"from": [{"address": "ann@sender.example"}], "reply": {"text": ` + text + `}}}`
}

func TestHook(t *testing.T) {
	const good = `{"valid": true, "data": "ticket-1"}`
	const ann = `{"address": "Ann@sender.example", "domain_verified": true}`
	said := func(text string, verified, held bool) *entry {
		at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		return &entry{At: at, From: "ann@sender.example", Verified: verified, Held: held, Text: text}
	}
	tests := []struct {
		name, policy, body string
		want               *entry // nil: nothing is appended
	}{
		{"verified", identityRequired, answer(good, ann, `" Sounds good.\n"`), said("Sounds good.", true, false)},
		{"not evaluated", identityOptional, answer(good, "null", `"x"`), said("x", false, false)},
		{"not evaluated, required", identityRequired, answer(good, "null", `"x"`), said("x", false, true)},
		{"somebody else", identityRequired, answer(good, `{"address": "eve@sender.example", "domain_verified": true}`, `"x"`), said("x", false, true)},
		{"not verified", identityRequired, answer(good, `{"address": "ann@sender.example", "domain_verified": false}`, `"x"`), said("x", false, true)},
		{"no text", identityOptional, answer(good, ann, "null"), said("", true, false)},
		{"a token that is marked", identityOptional, answer(`{"valid": false, "data": "ticket-1"}`, ann, `"x"`), nil},
		{"a ticket that is gone", identityOptional, answer(`{"valid": true, "data": "ticket-9"}`, ann, `"x"`), nil},
		{"a robot", identityOptional, strings.Replace(answer(good, ann, `"x"`), "human", "auto_reply", 1), nil},
		{"another type", identityOptional, strings.Replace(answer(good, ann, `"x"`), "email.received", "webhook.test", 1), nil},
	}
	for _, tt := range tests {
		d := &desk{tickets: map[string]*ticket{}, seen: map[string]bool{}}
		d.open("ann@sender.example", "Printer", "?", time.Time{})
		h := &hook{desk: d, verify: webhook(t, "k").Verify, policy: tt.policy}
		if status := post(t, h, webhook(t, "x"), "msg_1", tt.body); status != http.StatusUnauthorized {
			t.Errorf("%s, signed by a stranger: %d", tt.name, status)
		}
		for range 2 { // it may come twice
			if status := post(t, h, webhook(t, "k"), "msg_1", tt.body); status != http.StatusNoContent {
				t.Errorf("%s: %d", tt.name, status)
			}
		}
		var want []entry
		if tt.want != nil {
			want = append(want, *tt.want)
		}
		if diff := cmp.Diff(want, append([]entry(nil), d.tickets["ticket-1"].Entries[1:]...)); diff != "" {
			t.Errorf("%s: appended (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestNotice reads a notice as the customer's mail client does.
func TestNotice(t *testing.T) {
	n := &notifier{
		from: mail.Address{Name: "Bücher", Address: "desk@example.com"}, key: bytes.Repeat([]byte{1}, 32), life: time.Hour,
		box: replyaddr.Mailbox{Local: "reply", Domain: "in.example.com"},
	}
	asked := ticket{ID: "ticket-1", Customer: "ann@sender.example", Subject: "Käse\r\nBcc: eve@sender.example"}
	raw, err := n.compose(asked, "Is it plugged in?\n.\nÄh?", "reply+x@in.example.com", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "[ticket-1] Käse\r\nBcc: eve@sender.example" || m.Header.Get("Bcc") != "" {
		t.Errorf("subject %q, %v, header %q", subject, err, m.Header)
	}
	reply, err := m.Header.AddressList("Reply-To")
	if err != nil || len(reply) != 1 || reply[0].Name != "Bücher" || reply[0].Address != "reply+x@in.example.com" {
		t.Errorf("answers go to %v, %v", reply, err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || !strings.HasPrefix(strings.ReplaceAll(string(text), "\r\n", "\n"), "Is it plugged in?\n.\nÄh?\n") {
		t.Errorf("text %q, %v", text, err)
	}
}
