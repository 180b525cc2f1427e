package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestEndpointsBesideTheServer pauses, tests and resumes an endpoint from other processes' point of view.
func TestEndpointsBesideTheServer(t *testing.T) {
	var gone atomic.Bool
	events := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var event struct{ Type string }
		if err := json.Unmarshal(body, &event); err != nil {
			t.Error(err)
		}
		if gone.Load() {
			w.WriteHeader(http.StatusGone)
		}
		events <- event.Type
	}))
	defer receiver.Close()
	s := serveFile(t, strings.ReplaceAll(served, "URL", receiver.URL))
	mail := func(text string) {
		send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}, text: text})
	}
	run := func(wantErr bool, args ...string) string {
		t.Helper()
		out, err := command(t, append(append([]string{"endpoints"}, args...), "-c", s.path)...)
		if (err != nil) != wantErr {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return out
	}
	has := func(out, want string) {
		t.Helper()
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	has(run(false, "list"), "enabled")
	has(run(false, "pause", "app", "--reason", "maintenance"), "app is paused")
	s.log.await(t, `state=paused`)
	mail("one")
	has(run(false, "list"), "paused: maintenance")
	has(run(false, "show", "app", "--json"), `"state":"paused"`)
	has(run(false, "test", "app"), "delivered 200")
	if got := <-events; got != "webhook.test" {
		t.Errorf("a paused endpoint got %s", got)
	}
	has(run(false, "resume", "app"), "app is enabled; 1 pending")
	if got := <-events; got != "email.received" {
		t.Errorf("it got %s", got)
	}
	gone.Store(true)
	mail("two")
	s.log.await(t, `state=disabled`)
	<-events
	has(run(true, "test", "app"), "410")
	<-events
	has(run(false, "show", "app"), "disabled: answered 410 Gone")
	if out, err := command(t, "deliveries", "list", "-c", s.path); err != nil || !strings.Contains(out, "endpoint is disabled") {
		t.Errorf("error %v, the list shows\n%s", err, out)
	}
	gone.Store(false)
	has(run(false, "test", "app", "--json"), `"outcome":"delivered"`)
	<-events
	if got := <-events; got != "email.received" {
		t.Errorf("after the test it got %s", got)
	}
	run(true, "pause", "app", "other")
	has(run(false, "list", "--json"), `"state":"enabled"`)
}
