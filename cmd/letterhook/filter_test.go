package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFilteredMailIsShown sends mail that a filter of the configuration keeps back, lists it, and retries it by its id.
func TestFilteredMailIsShown(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	text := strings.NewReplacer("URL", receiver.URL, "allow_private: true", `allow_private: true, filters: [{name: big, skip_if: {larger_than: 1}}]`).Replace(served)
	s := serveFile(t, text)
	id := send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}})
	s.log.await(t, "msg=filtered")
	for {
		out, err := command(t, "deliveries", "list", "-c", s.path, "--state", "filtered")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, "filtered") && strings.Contains(out, `filter "big" of the endpoint`) {
			break
		}
	}
	if out, err := command(t, "messages", "show", "-c", s.path, id); err != nil || !strings.Contains(out, `filter "big" of the endpoint`) {
		t.Errorf("error %v, show says\n%s", err, out)
	}
	if out, err := command(t, "messages", "retry", "-c", s.path, id); err != nil || !strings.Contains(out, "nothing to retry") {
		t.Errorf("error %v, retry says\n%s", err, out)
	}
	if out, err := command(t, "messages", "retry", "--all", "-c", s.path, id); err != nil || !strings.Contains(out, "is tried again as dlv_") {
		t.Errorf("error %v, retry says\n%s", err, out)
	}
	s.log.await(t, "outcome=delivered")
}
