package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/docs/schema/schematest"
)

// TestNotices has an endpoint disable itself: a webhook tells the operator, and a mail, which comes to a second server of ours.
func TestNotices(t *testing.T) {
	bodies := make(chan []byte, 10)
	inbox := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
	}))
	defer inbox.Close()
	smarthost := serveFile(t, strings.ReplaceAll(served, "URL", inbox.URL))
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer gone.Close()
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	told := make(chan map[string]any, 10)
	first := true
	ops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil || wh.Verify(body, r.Header) != nil {
			t.Errorf("the operator cannot verify: %v", err)
		}
		if first { // it is told again
			first = false
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err := schematest.Check(body); err != nil {
			t.Error(err)
		}
		var event struct {
			Type string
			Data map[string]any
		}
		if err := json.Unmarshal(body, &event); err != nil {
			t.Error(err)
		}
		event.Data["type"], event.Data["webhook-id"] = event.Type, r.Header.Get("webhook-id")
		told <- event.Data
	}))
	defer ops.Close()
	s := serveFile(t, strings.ReplaceAll(served, "URL", gone.URL)+"notices:\n  webhook: {url: \""+ops.URL+"\", secrets: ["+secret+"], allow_private: true}\n"+
		"  mail: {smarthost: \""+smarthost.smtpListeners[0].Addr().String()+"\", tls: none, from: letterhook@mx.example.com, to: [ann@in.example.com]}\n")
	send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}, text: "one"})
	event := <-told
	if event["type"] != "endpoint.disabled" || event["endpoint"] != "app" || event["from"] != "enabled" || event["to"] != "disabled" ||
		event["webhook-id"] != event["id"] || !strings.HasPrefix(event["id"].(string), "evt_") || !strings.Contains(event["reason"].(string), "410") {
		t.Errorf("the webhook tells %v", event)
	}
	mail := string(<-bodies)
	for _, want := range []string{"disabled: endpoint app", "answered 410", `"auto-submitted"`, "auto-generated"} {
		if !strings.Contains(strings.ToLower(mail), strings.ToLower(want)) {
			t.Errorf("%q is not in the mail:\n%s", want, mail)
		}
	}
	var received struct {
		Data struct{ Envelope map[string]any }
	}
	if err := json.Unmarshal([]byte(mail), &received); err != nil || received.Data.Envelope["mail_from"] != "" {
		t.Errorf("error %v, the reverse-path is %v", err, received.Data.Envelope)
	}
	if len(told) != 0 || len(bodies) != 0 {
		t.Error("it was told twice")
	}
}
