package admin_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
)

// nothing is a spool that takes nothing.
type nothing struct{}

func (nothing) Accept(context.Context, *inbound.Envelope, inbound.Body) ([]string, error) {
	return nil, errors.New("nothing is taken")
}

func (nothing) Acknowledged([]string) {}

func leverServer(t *testing.T) (*inbound.Server, string) {
	t.Helper()
	smtp, err := inbound.NewServer(inbound.Config{
		Hostname: "mx.example.com", Spool: nothing{}, Recipients: func(inbound.Path) inbound.Decision { return inbound.Decision{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(admin.Private(prometheus.NewRegistry(), func() error { return nil }, func() []string { return nil }, smtp))
	t.Cleanup(server.Close)
	return smtp, server.URL
}

func pull(t *testing.T, url, body string, change func(*http.Request)) (int, guard.State) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/levers", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var state guard.State
	if err := json.Unmarshal(text, &state); err != nil {
		t.Errorf("%s is no state: %v", text, err)
	}
	return response.StatusCode, state
}

func TestLevers(t *testing.T) {
	smtp, url := leverServer(t)
	if status, state := pull(t, url, `{"drain": true}`, nil); status != http.StatusOK || !state.Drain.On || !smtp.Levers().Drain.On {
		t.Errorf("drain: %d %+v", status, state)
	}
	if status, state := pull(t, url, `{"drain": false, "block": {"network": "192.0.2.0/24", "until": "2099-01-01T00:00:00Z"}}`, nil); status != http.StatusOK || state.Drain.On || len(state.Blocks) != 1 {
		t.Errorf("block: %d %+v", status, state)
	}
	response, err := http.Get(url + "/levers")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("GET: %v %v", response, err)
	}
	response.Body.Close()
}

// TestLeversRefuse: what is wrong, or may come from a page in a browser, pulls nothing.
func TestLeversRefuse(t *testing.T) {
	smtp, url := leverServer(t)
	const drain = `{"drain": true}`
	for name, test := range map[string]struct {
		body   string
		change func(*http.Request)
		status int
	}{
		"unknown key":    {`{"drian": true}`, nil, 400},
		"two values":     {drain + drain, nil, 400},
		"not JSON":       {"drain", nil, 400},
		"wrong network":  {`{"block": {"network": "192.0.2.0/64"}}`, nil, 400},
		"nothing named":  {`{"block": {}}`, nil, 400},
		"no file":        {`{"defer": true, "keep": true}`, nil, 400},
		"form":           {drain, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400},
		"another origin": {drain, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"a page":         {drain, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"rebound name":   {drain, func(r *http.Request) { r.Host = "rebound.evil.example" }, 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/levers", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if test.change != nil {
			test.change(r)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.status {
			t.Errorf("%s: %s, want %d", name, response.Status, test.status)
		}
	}
	if state := smtp.Levers(); state.Drain.On || state.Defer.On || len(state.Blocks) > 0 {
		t.Errorf("something was pulled: %+v", state)
	}
}

// TestNoLevers: where they are not offered there are none.
func TestNoLevers(t *testing.T) {
	server := httptest.NewServer(admin.Private(prometheus.NewRegistry(), func() error { return nil }, func() []string { return nil }, nil))
	t.Cleanup(server.Close)
	response, err := http.Get(server.URL + "/levers")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("GET: %s", response.Status)
	}
}
