package admin_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin"
)

func TestPolicies(t *testing.T) {
	policy := admin.Policy{Mode: "enforce", MX: []string{"mx.example.com", "*.example.net"}, MaxAge: 7 * 24 * time.Hour}
	const text = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"
	handler := admin.Policies(func(host string) (admin.Policy, bool) { return policy, host == "mta-sts.example.com" },
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, tt := range []struct {
		method, host, path string
		status             int
		body               string
	}{
		{"GET", "mta-sts.example.com", "/.well-known/mta-sts.txt", 200, text},
		{"GET", "MTA-STS.example.com:443", "/.well-known/mta-sts.txt", 200, text},
		{"GET", "mta-sts.example.com.", "/.well-known/mta-sts.txt", 200, text},
		{"HEAD", "mta-sts.example.com", "/.well-known/mta-sts.txt", 200, text},
		{"POST", "mta-sts.example.com", "/.well-known/mta-sts.txt", 405, ""},
		{"GET", "mta-sts.example.org", "/.well-known/mta-sts.txt", 404, ""},
		{"GET", "[::1]:443", "/.well-known/mta-sts.txt", 404, ""},
		{"GET", "mta-sts.example.com", "/.well-known/mta-sts.txt/", 418, ""},
		{"GET", "mta-sts.example.com", "/v1/raw/msg_1", 418, ""},
	} {
		request := httptest.NewRequest(tt.method, "http://localhost"+tt.path, nil)
		request.Host = tt.host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s %s%s: %d %q", tt.method, tt.host, tt.path, w.Code, w.Body)
		}
	}

	record := policy.Record()
	if !regexp.MustCompile(`^v=STSv1; id=[A-Za-z0-9]{1,32};$`).MatchString(record) { // RFC 8461 section 3.1
		t.Errorf("record %q", record)
	}
	for _, other := range []admin.Policy{
		{Mode: "testing", MX: policy.MX, MaxAge: policy.MaxAge}, {Mode: policy.Mode, MX: policy.MX[:1], MaxAge: policy.MaxAge},
		{Mode: policy.Mode, MX: policy.MX, MaxAge: time.Hour},
	} {
		if other.Record() == record {
			t.Errorf("%+v has the id of another policy", other)
		}
	}
	if strings.Contains(policy.String(), "\n\n") {
		t.Error("the policy has an empty line")
	}
}
