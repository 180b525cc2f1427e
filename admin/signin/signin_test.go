package signin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/signin"
)

// TestProviderAway: strangers who begin logins while the provider is away do not have it asked each for himself, and it is asked again in time.
func TestProviderAway(t *testing.T) {
	asked := 0
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer away.Close()
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	p := signin.New(signin.Config{Issuer: away.URL, Now: func() time.Time { return now }})
	begin := func(want int) {
		t.Helper()
		err := p.Start(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/login/oidc", http.NoBody), "/")
		if err == nil || asked != want {
			t.Errorf("%v, asked %d times, want %d", err, asked, want)
		}
	}
	begin(1)
	begin(1)
	now = now.Add(4 * time.Second)
	begin(1)
	now = now.Add(time.Second)
	begin(2)
}
