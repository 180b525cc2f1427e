package dispatch

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// secretEndpoint is an endpoint with a secret wherever one can be.
func secretEndpoint(base string) *storage.Endpoint {
	return &storage.Endpoint{
		ID: "ep_1", Secrets: [][]byte{testSecret},
		URL: strings.Replace(base, "://", "://user:s3cret-1@", 1) + "/in?token=s3cret-2&s3cret-3",
		Headers: map[string]string{
			"x-api-key": "s3cret-4", "X-Team": "s3cret-5 of a team", "Cookie": "s=s3cret-6", "Accept": "text/plain",
		},
	}
}

// A failure tells everything but secrets, also when the receiver sends them back.
func TestAttemptExplainsItself(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", "https://elsewhere.example"+r.RequestURI)
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "key "+r.Header.Get("X-Api-Key")+" of "+r.Header.Get("X-Team")+" at "+r.RequestURI+" with "+r.Header.Get("Authorization"))
	}))
	defer srv.Close()
	s := localSender(t)
	p := postTo(srv.URL)
	p.Endpoint = secretEndpoint(srv.URL)
	p.Endpoint.Access.Authorities = pemOf(srv.Certificate())
	for _, reused := range []bool{false, true} {
		res := s.Send(t.Context(), p)
		d := res.Detail
		if res.Outcome != OutcomeRedirect || d.Request == nil || d.Times == nil {
			t.Fatalf("result %+v", res)
		}
		if d.RemoteAddr != srv.Listener.Addr().String() || d.TLSVersion != "TLS 1.3" || !strings.HasPrefix(d.TLSCipher, "TLS_") || d.Reused != reused {
			t.Errorf("connection %+v", d)
		}
		times := *d.Times
		if (times.Connect > 0) == reused || (times.TLS > 0) == reused || times.Wrote <= 0 || times.FirstByte < times.Wrote ||
			times.FirstByte > res.Duration.Microseconds() {
			t.Errorf("reused %t: times %+v of %s", reused, times, res.Duration)
		}
		want := strings.Replace(srv.URL, "://", "://***@", 1) + "/in?token=***&***"
		if d.Request.URL != want || d.Request.Size != int64(len(p.Form.Body)) {
			t.Errorf("request to %s of %d octets", d.Request.URL, d.Request.Size)
		}
		for name, value := range map[string]string{
			"Authorization": "Basic ***", "X-Api-Key": "***", "X-Team": "***", "Cookie": "***", "Accept": "text/plain",
			"Webhook-Id": "msg_1", "Content-Type": "application/json", "User-Agent": "Letterhook/test",
		} {
			if got := d.Request.Header[name]; got != value {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
		if cut := d.Request.Header["Webhook-Signature"]; len(cut) != len("v1,123456...") || !strings.HasPrefix(cut, "v1,") {
			t.Errorf("signature %q", cut)
		}
		row, err := json.Marshal(d)
		if err != nil || strings.Contains(string(row), "s3cret") {
			t.Errorf("a secret is kept: %s, %v", row, err)
		}
	}
}

// A delivery keeps what is worth a look, and that is little.
func TestDeliveredAttemptIsSmall(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	res := localSender(t).Send(t.Context(), postTo(srv.URL))
	row, err := json.Marshal(res.Detail)
	if res.Outcome != OutcomeDelivered || res.Detail.Request != nil || err != nil || len(row) > 250 {
		t.Errorf("%s: %d octets, %v: %s", res.Outcome, len(row), err, row)
	}
}

// However much is said, a row has a bound.
func TestAttemptDetailIsBounded(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 200 {
			w.Header().Add("X-Long", strings.Repeat("<", 200))
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, strings.Repeat("\x01", 1<<20))
	}))
	defer srv.Close()
	p := postTo(srv.URL + "/" + strings.Repeat("x", 1500))
	p.Endpoint.Headers = map[string]string{"Accept": strings.Repeat("y", 50_000)}
	res := localSender(t).Send(t.Context(), p)
	row, err := json.Marshal(res.Detail)
	if res.Status != http.StatusTeapot || err != nil || len(row) > 6*(maxKeptBody+2*maxKeptHeaders+maxURL) {
		t.Errorf("%s: %d octets, %v", res.Outcome, len(row), err)
	}
}

// Where no connection came about, the address that was tried is told, unless the guard refused it.
func TestAttemptTellsWhereItTried(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	res := localSender(t).Send(t.Context(), postTo("http://"+l.Addr().String()))
	if res.Outcome != OutcomeRefused || res.Detail.RemoteAddr != l.Addr().String() || res.Detail.Times == nil || res.Detail.Times.Connect == 0 {
		t.Errorf("refused: %+v", res)
	}
	s := NewSender(Guard{}, "test")
	defer s.Close()
	res = s.Send(t.Context(), postTo("http://"+l.Addr().String()))
	if res.Outcome != OutcomeBlocked || res.Detail.RemoteAddr != "" {
		t.Errorf("blocked: %+v", res)
	}
}

func TestMaskURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://hooks.example/in":             "https://hooks.example/in",
		"https://u@hooks.example/in":           "https://***@hooks.example/in",
		"https://u:p@hooks.example:8443/a%2Fb": "https://***@hooks.example:8443/a%2Fb",
		"https://hooks.example/?a=1&b=&c&&d=x": "https://hooks.example/?a=***&b=***&***&&d=***",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := maskURL(req.URL); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}
