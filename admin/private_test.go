package admin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/admin"
)

func TestPrivate(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "letterhook_test_total", Help: "Of the test."})
	registry.MustRegister(counter)
	counter.Add(3)
	var state atomic.Pointer[error]
	setState := func(err error) { state.Store(&err) }
	setState(nil)
	warnings := []string{"a certificate expires within a day"}
	server := httptest.NewServer(admin.Private(registry, func() error { return *state.Load() }, func() []string { return warnings }, nil))
	t.Cleanup(server.Close)

	response, content, err := fetch(t, http.MethodGet, server.URL+"/metrics")
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(content), "letterhook_test_total 3\n") {
		t.Errorf("/metrics: %s, %v\n%s", response.Status, err, content)
	}
	if response, _, _ := fetch(t, http.MethodGet, server.URL+"/debug/pprof/goroutine?debug=1"); response.StatusCode != http.StatusOK {
		t.Errorf("/debug/pprof/: %s", response.Status)
	}
	if response, _, _ := fetch(t, http.MethodPost, server.URL+"/metrics"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
	tests := []struct {
		state   error
		status  int
		reasons []string
	}{
		{nil, 200, []string{}},
		{errors.New("the disk is nearly full"), 503, []string{"the disk is nearly full"}},
		{errors.Join(errors.New("stopping"), errors.New("the bucket does not answer")), 503, []string{"stopping", "the bucket does not answer"}},
		{nil, 200, []string{}},
	}
	for _, tt := range tests {
		setState(tt.state)
		response, content, err := fetch(t, http.MethodGet, server.URL+"/readyz")
		if err != nil || response.StatusCode != tt.status {
			t.Errorf("%v: %s, %v", tt.state, response.Status, err)
		}
		var got struct {
			Ready    bool
			Reasons  []string
			Warnings []string
		}
		if err := json.Unmarshal(content, &got); err != nil || got.Ready != (tt.state == nil) || got.Reasons == nil || !slices.Equal(got.Reasons, tt.reasons) || !slices.Equal(got.Warnings, warnings) {
			t.Errorf("%v: %s, %v", tt.state, content, err)
		}
		// Alive all the while: a full disk is no reason to be restarted.
		if response, _, _ := fetch(t, http.MethodGet, server.URL+"/healthz"); response.StatusCode != http.StatusOK {
			t.Errorf("/healthz: %s", response.Status)
		}
	}
}
