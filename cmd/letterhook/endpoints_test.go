package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// command runs a command line and gives its output.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root, _ := newRoot()
	var out bytes.Buffer
	root.SetArgs(args)
	root.SetOut(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// TestEndpointThatIsGone takes an endpoint out of the file while it is owed a delivery.
func TestEndpointThatIsGone(t *testing.T) {
	text := strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/")
	s := serveFile(t, text)
	id := send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}})
	list := func(args ...string) string {
		t.Helper()
		out, err := command(t, append([]string{"deliveries", "list", "-c", s.path}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := list("--endpoint", "app"); !strings.Contains(out, " app ") || strings.Contains(out, notConfigured) {
		t.Errorf("the list shows\n%s", out)
	}
	if _, err := command(t, "deliveries", "list", "-c", s.path, "--endpoint", "apple"); err == nil {
		t.Error("an unknown endpoint passes")
	}
	s.write(t, strings.NewReplacer("name: app,", "name: other,", "endpoints: [app]", "discard: true").Replace(text))
	s.reload(t.Context(), s.path)
	if log := s.log.String(); !strings.Contains(log, "endpoint that is not configured") || !strings.Contains(log, "endpoint=app") {
		t.Errorf("the log does not tell:\n%s", log)
	}
	if out := list(); !strings.Contains(out, notConfigured) {
		t.Errorf("the list shows\n%s", out)
	}
	send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}, text: "two"})
	out, err := command(t, "messages", "list", "-c", s.path)
	if err != nil || !strings.Contains(out, "(discarded)") {
		t.Errorf("error %v, the messages are\n%s", err, out)
	}
	if out, err := command(t, "messages", "retry", "-c", s.path, id); err != nil || !strings.Contains(out, " is tried again\n") {
		t.Errorf("error %v, retry says %s", err, out)
	}
}

// TestRetryNamesItsReplay retries a message that was delivered.
func TestRetryNamesItsReplay(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	s := serveFile(t, strings.ReplaceAll(served, "URL", receiver.URL))
	id := send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}})
	s.log.await(t, "outcome=delivered")
	s.stop() // it writes the result before it ends
	s.done <- <-s.done
	for _, test := range []struct{ args, want string }{
		{"retry " + id, id + ": nothing to retry\n"},
		{"retry --all " + id, " is tried again as dlv_"},
		{"show " + id, "(replayed by dlv_"},
	} {
		out, err := command(t, append([]string{"messages", "-c", s.path}, strings.Fields(test.args)...)...)
		if err != nil || !strings.Contains(out, test.want) {
			t.Errorf("%s: error %v, output\n%s", test.args, err, out)
		}
	}
}
