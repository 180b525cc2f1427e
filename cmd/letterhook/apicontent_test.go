package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/letterhook/letterhook/docs/schema/schematest"
)

// TestParsedByAPI: a message is read by the API as its webhook has it, and its attachments are got octet for octet.
func TestParsedByAPI(t *testing.T) {
	hook := startHook(t, http.StatusOK)
	h := newAPIHouse(t)
	operator := h.key(t, "")
	h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": h.accounts["zenith"], "name": "app", "url": hook.URL, "allow_private": true})
	h.do(t, operator, "POST", "/domains", map[string]any{"account_id": h.accounts["zenith"], "name": "in.example.com"})
	h.do(t, operator, "POST", "/routes", map[string]any{"domain": "in.example.com", "match": "*", "endpoints": []string{"app"}})
	message := sendRaw(t, h.smtpListeners[0].Addr().String(), replyMail)
	token := h.key(t, "zenith", "read")
	data := h.do(t, token, "GET", "/messages/"+message+"/parsed", nil)

	body := hook.await(t)
	var event struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		t.Fatal(err)
	}
	for key, want := range event.Data {
		switch key {
		case "endpoint_id", "raw", "attachments": // that have links, and here none
			continue
		}
		if !reflect.DeepEqual(data[key], want) {
			t.Errorf("%s is %v, and %v in the event", key, data[key], want)
		}
	}
	event.Data = data
	whole := map[string]any{"type": "email.received", "version": 1, "timestamp": data["received_at"], "data": data}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := schematest.Check(text); err != nil {
		t.Error(err)
	}

	list := h.do(t, token, "GET", "/messages/"+message+"/attachments", nil)
	one := list["items"].([]any)[0].(map[string]any)
	if one["filename"] != "dot.png" || one["content_type"] != "image/png" || one["inline"] != true || one["content_id"] != "dot@sender.example" {
		t.Errorf("%v", one)
	}
	got := h.ask(t, token, "GET", "/messages/"+message+"/attachments/"+id(one), nil)
	sum := sha256.Sum256(got.text)
	if got.status != http.StatusOK || hex.EncodeToString(sum[:]) != one["sha256"] || len(got.text) != int(one["size"].(float64)) {
		t.Errorf("%d, %d octets of %v", got.status, len(got.text), one)
	}
	if got.header.Get("Content-Type") != "application/octet-stream" || got.header.Get("Content-Disposition") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", got.header)
	}
	for _, part := range []string{"1", "9", "1.1", "..%2f..%2fletterhook.db", "%00"} { // bodies are none, and nothing else is there
		h.refused(t, 404, "", token, "GET", "/messages/"+message+"/attachments/"+part, nil)
	}
	h.refused(t, 404, "", h.key(t, "acme"), "GET", "/messages/"+message+"/parsed", nil)
	h.refused(t, 404, "", h.key(t, "acme"), "GET", "/messages/"+message+"/attachments/"+id(one), nil)
}

// TestPoisonousMailByAPI: a mail that took the program down before is not parsed for a question either; its header is shown.
func TestPoisonousMailByAPI(t *testing.T) {
	f := newFixture(t)
	for range 2 {
		if _, err := f.store.BeginParse(t.Context(), f.values["message"]); err != nil {
			t.Fatal(err)
		}
	}
	data := f.do(t, f.reader, "GET", "/messages/"+f.values["message"]+"/parsed", nil)
	if headers, _ := data["headers"].([]any); len(headers) == 0 || data["text"] != nil {
		t.Errorf("%v", data)
	}
	f.refused(t, 404, "", f.reader, "GET", "/messages/"+f.values["message"]+"/attachments/2", nil)
}
