package admin_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/letterhook/letterhook/admin"
)

// TestBehind: what a proxy of ours says of its client counts, and nobody else's word does.
func TestBehind(t *testing.T) {
	var got string
	h := admin.Behind([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
	for _, tt := range []struct {
		name, peer string
		fields     []string
		want       string
	}{
		{"a stranger's own word", "192.0.2.1:4000", []string{"203.0.113.9"}, "192.0.2.1:4000"},
		{"a proxy's", "10.0.0.1:4000", []string{"203.0.113.9"}, "203.0.113.9:0"},
		{"what the client had written before", "10.0.0.1:4000", []string{"198.51.100.7, 127.0.0.1, 203.0.113.9"}, "203.0.113.9:0"},
		{"two proxies in a row", "10.0.0.1:4000", []string{"198.51.100.7, 203.0.113.9, 10.0.0.2"}, "203.0.113.9:0"},
		{"in two fields", "10.0.0.1:4000", []string{"198.51.100.7", "203.0.113.9"}, "203.0.113.9:0"},
		{"nonsense last", "10.0.0.1:4000", []string{"203.0.113.9, unknown"}, "10.0.0.1:4000"},
		{"nonsense before a proxy", "10.0.0.1:4000", []string{"unknown, 10.0.0.2"}, "10.0.0.2:0"},
		{"nothing", "10.0.0.1:4000", nil, "10.0.0.1:4000"},
		{"empty", "10.0.0.1:4000", []string{""}, "10.0.0.1:4000"},
		{"with a port", "10.0.0.1:4000", []string{"203.0.113.9:5555"}, "203.0.113.9:0"},
		{"IPv6", "[fd00::1]:4000", []string{"2001:db8::5"}, "[2001:db8::5]:0"},
		{"IPv6 with a port", "[fd00::1]:4000", []string{"[2001:db8::5]:77"}, "[2001:db8::5]:0"},
		{"an IPv4 client in the form of IPv6", "[::ffff:10.0.0.1]:4000", []string{"::ffff:203.0.113.9"}, "203.0.113.9:0"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.fields
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
