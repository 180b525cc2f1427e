package dispatch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/storage"
)

var testSecret = bytes.Repeat([]byte{5}, 32)

func localSender(t testing.TB) *Sender {
	s := NewSender(Guard{AllowLoopback: true}, "Letterhook/test")
	t.Cleanup(s.Close)
	return s
}

func postTo(url string) *Post {
	return &Post{
		Endpoint: &storage.Endpoint{ID: "ep_1", URL: url, Secrets: [][]byte{testSecret}, Timeout: 10 * time.Second},
		ID:       "msg_1", Attempt: 1,
		Form: &Form{MediaType: "application/json", Body: []byte(`{"type":"email.received"}`)},
	}
}

// tcpServer runs serve for each connection until the test ends.
func tcpServer(t testing.TB, serve func(n int, conn net.Conn)) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	conns.Go(func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			conns.Go(func() { defer conn.Close(); serve(n, conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return "http://" + l.Addr().String() + "/hook?key=s3cret"
}

// readRequest reads a whole request.
func readRequest(r *bufio.Reader) (*http.Request, string, error) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(req.Body)
	return req, string(body), err
}

func hang(conn net.Conn) { io.Copy(io.Discard, conn) }

func TestSendDelivers(t *testing.T) {
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Request", "r-1")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "thank \xff you")
	}))
	defer srv.Close()
	p := postTo(srv.URL)
	p.Attempt, p.Replay = 3, true
	p.Endpoint.Headers = map[string]string{"Authorization": "Bearer t", "Host": "inner.example", "User-Agent": "liar",
		"webhook-id": "liar", "Webhook-Signature": "liar", "Content-Length": "1", "Transfer-Encoding": "chunked"}
	res := localSender(t).Send(t.Context(), p)

	if res.Outcome != OutcomeDelivered || res.Status != 202 || res.Err != nil || res.Detail.Error != "" || res.Detail.Truncated {
		t.Fatalf("result %+v", res)
	}
	if res.Detail.Body != "thank \uFFFD you" || res.Detail.Header["X-Request"] != "r-1" || res.Detail.RemoteAddr != srv.Listener.Addr().String() {
		t.Errorf("detail %+v", res.Detail)
	}
	for name, want := range map[string]string{"Webhook-Id": "msg_1", "Letterhook-Attempt": "3", "Letterhook-Replay": "true",
		"User-Agent": "Letterhook/test", "Content-Type": "application/json", "Authorization": "Bearer t"} {
		if v := got.Header.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if got.Host != "inner.example" || got.ContentLength != int64(len(p.Form.Body)) || got.Method != http.MethodPost {
		t.Errorf("%s to host %s with length %d", got.Method, got.Host, got.ContentLength)
	}
	wh, err := standardwebhooks.NewWebhookRaw(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.Verify(body, got.Header); err != nil {
		t.Errorf("the receiver refuses: %v", err)
	}
}

func TestSendOverTLS(t *testing.T) {
	var proto string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proto = r.Proto }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	s := localSender(t)
	p := postTo(srv.URL)
	p.Endpoint.Access.Authorities = pemOf(srv.Certificate())
	if res := s.Send(t.Context(), p); res.Outcome != OutcomeDelivered || proto != "HTTP/2.0" {
		t.Errorf("%s by %s: %+v", res.Outcome, proto, res)
	}
	byAddress := postTo(strings.Replace(srv.URL, "127.0.0.1", "localhost", 1))
	byAddress.Endpoint.Access = p.Endpoint.Access
	if res := s.Send(t.Context(), byAddress); res.Outcome != OutcomeTLS || !strings.Contains(res.Detail.Error, "another host name") {
		t.Errorf("under another name: %+v", res)
	}
}

func TestSendFirstTryIsNoReplay(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if v := r.Header.Values("letterhook-replay"); len(v) != 0 {
			t.Errorf("replay header %q", v)
		}
	}))
	defer srv.Close()
	p := postTo(srv.URL)
	p.Endpoint.Headers = map[string]string{"letterhook-replay": "true"}
	if res := localSender(t).Send(t.Context(), p); res.Outcome != OutcomeDelivered {
		t.Fatalf("%+v", res)
	}
}

// Every way in which an endpoint can fail has its own word, and none of them says more than it should.
func TestSendOutcomes(t *testing.T) {
	answer := func(s string) func(int, net.Conn) {
		return func(_ int, conn net.Conn) {
			readRequest(bufio.NewReader(conn))
			io.WriteString(conn, s)
		}
	}
	answerAndHang := func(s string) func(int, net.Conn) {
		return func(_ int, conn net.Conn) {
			readRequest(bufio.NewReader(conn))
			io.WriteString(conn, s)
			hang(conn)
		}
	}
	tests := map[string]struct {
		serve   func(int, net.Conn)
		hangs   bool
		outcome string
		status  int
		text    string
		after   time.Duration
	}{
		"404":                   {serve: answer("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"), outcome: OutcomeStatus, status: 404, text: "answered 404 Not Found"},
		"500 without body":      {serve: answer("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"), outcome: OutcomeStatus, status: 500, text: "answered 500 Internal Server Error"},
		"429 delta":             {serve: answer("HTTP/1.1 429 X\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"), outcome: OutcomeStatus, status: 429, text: "429", after: 90 * time.Second},
		"503 huge delta":        {serve: answer("HTTP/1.1 503 X\r\nRetry-After: 9223372036854775807\r\nContent-Length: 0\r\n\r\n"), outcome: OutcomeStatus, status: 503, text: "503", after: 24 * time.Hour},
		"429 past date":         {serve: answer("HTTP/1.1 429 X\r\nRetry-After: Fri, 20 Nov 2020 18:30:00 GMT\r\nContent-Length: 0\r\n\r\n"), outcome: OutcomeStatus, status: 429, text: "429", after: time.Second},
		"200 with Retry-After":  {serve: answer("HTTP/1.1 200 X\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"), outcome: OutcomeDelivered, status: 200},
		"redirect":              {serve: answer("HTTP/1.1 307 X\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"), outcome: OutcomeRedirect, status: 307, text: "https://elsewhere.example/"},
		"hang before headers":   {serve: func(_ int, c net.Conn) { hang(c) }, hangs: true, outcome: OutcomeTimeout, text: "waited for the answer"},
		"hang in headers":       {serve: answerAndHang("HTTP/1.1 200 OK\r\nX: "), hangs: true, outcome: OutcomeTimeout, text: "waited for the answer"},
		"200, body hangs":       {serve: answerAndHang("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), hangs: true, outcome: OutcomeDelivered, status: 200},
		"500, body hangs":       {serve: answerAndHang("HTTP/1.1 500 X\r\nContent-Length: 5\r\n\r\nab"), hangs: true, outcome: OutcomeStatus, status: 500, text: "500"},
		"reset mid-body":        {serve: answer("HTTP/1.1 500 X\r\nContent-Length: 5\r\n\r\nab"), outcome: OutcomeStatus, status: 500, text: "500"},
		"closed without answer": {serve: answer(""), outcome: OutcomeReset, text: "the connection broke"},
		"reset":                 {serve: func(_ int, c net.Conn) { c.(*net.TCPConn).SetLinger(0) }, outcome: OutcomeReset, text: "the connection broke"},
		"not HTTP":              {serve: answer("220 mail.example ESMTP\r\n"), outcome: OutcomeProtocol, text: "could not be understood"},
		"header too large":      {serve: answer("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeaderBytes+8192) + "\r\n\r\n"), outcome: OutcomeProtocol, text: "could not be understood"},
	}
	s := localSender(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := postTo(tcpServer(t, tt.serve))
			if tt.hangs {
				p.Endpoint.Timeout = 250 * time.Millisecond
			}
			res := s.Send(t.Context(), p)
			if res.Outcome != tt.outcome || res.Status != tt.status || res.RetryAfter != tt.after || !strings.Contains(res.Detail.Error, tt.text) {
				t.Errorf("%+v", res)
			}
			if (res.Status == 0) != (res.Err != nil) {
				t.Errorf("status %d with error %v", res.Status, res.Err)
			}
			if said := res.Detail.Error + fmt.Sprint(res.Err); strings.Contains(said, "s3cret") {
				t.Errorf("the text repeats the URL: %s", said)
			}
		})
	}
}

func TestSendOutcomesBeforeTheRequest(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	noName := localSender(t)
	noName.dial = func(context.Context, string, string, bool) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "inner.corp", Server: "10.0.0.53:53"}}
	}
	strict := NewSender(Guard{}, "x")
	tests := []struct {
		name, url, outcome, text string
		sender                   *Sender
	}{
		{"refused", "http://" + closed.Addr().String(), OutcomeRefused, "the connection was refused", localSender(t)},
		{"unknown authority", untrusted.URL, OutcomeTLS, "unknown authority", localSender(t)},
		{"TLS to a plain server", "https://" + plain.Listener.Addr().String(), OutcomeTLS, "does not speak TLS", localSender(t)},
		{"no such name", "http://hooks.example", OutcomeDNS, "does not lead to an address", noName},
		{"blocked", plain.URL, OutcomeBlocked, "does not lead to an address", strict},
		{"bad URL", "http://a b/", OutcomeURL, "cannot be used", strict},
	}
	for _, tt := range tests {
		res := tt.sender.Send(t.Context(), postTo(tt.url))
		if res.Outcome != tt.outcome || !strings.Contains(res.Detail.Error, tt.text) || res.Status != 0 || res.Err == nil {
			t.Errorf("%s: %+v", tt.name, res)
		}
		if strings.Contains(res.Detail.Error, "127.0.0.1") || strings.Contains(res.Detail.Error, "10.0.0.53") {
			t.Errorf("%s: the text tells of our network: %s", tt.name, res.Detail.Error)
		}
		var blocked *BlockedError
		if (tt.outcome == OutcomeBlocked) != errors.As(res.Err, &blocked) {
			t.Errorf("%s: the log hears %v", tt.name, res.Err)
		}
	}
}

// A connection opened for an endpoint that may lie in a private network serves no endpoint that may not.
func TestSendPoolsApart(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	s := NewSender(Guard{Refuse: []netip.AddrPort{}}, "x")
	defer s.Close()
	trusted := postTo(srv.URL)
	trusted.Endpoint.AllowPrivate = true
	if res := s.Send(t.Context(), trusted); res.Outcome != OutcomeDelivered {
		t.Fatalf("the trusted endpoint: %+v", res)
	}
	if res := s.Send(t.Context(), postTo(srv.URL)); res.Outcome != OutcomeBlocked {
		t.Errorf("the other endpoint: %+v", res)
	}
}

func TestSendKeepsSixteenKiB(t *testing.T) {
	var conns atomic.Int32
	for size, closes := range map[int]bool{maxKeptBody: false, maxKeptBody + 1: false, maxDrain: false, maxDrain * 4: true} {
		conns.Store(0)
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			w.Write(bytes.Repeat([]byte("é"), size/2))
			w.Write(bytes.Repeat([]byte("x"), size%2))
		}))
		srv.Config.ConnState = func(_ net.Conn, st http.ConnState) {
			if st == http.StateNew {
				conns.Add(1)
			}
		}
		srv.Start()
		s := localSender(t)
		for range 2 {
			res := s.Send(t.Context(), postTo(srv.URL))
			if len(res.Detail.Body) > maxKeptBody || res.Detail.Truncated != (size > maxKeptBody) || !strings.HasPrefix(res.Detail.Body, "éé") {
				t.Errorf("%d octets: kept %d, truncated %t", size, len(res.Detail.Body), res.Detail.Truncated)
			}
		}
		if got := conns.Load(); (got == 2) != closes {
			t.Errorf("%d octets: %d connections for two posts", size, got)
		}
		srv.Close()
	}
}

// A pooled connection that died is tried again at once, with the same id; a fresh one is not.
func TestSendRetriesADeadPooledConnection(t *testing.T) {
	var mu sync.Mutex
	var ids []string
	url := tcpServer(t, func(n int, conn net.Conn) {
		r := bufio.NewReader(conn)
		for i := 1; ; i++ {
			req, _, err := readRequest(r)
			if err != nil {
				return
			}
			mu.Lock()
			ids = append(ids, fmt.Sprint(n, " ", req.Header["Webhook-Id"], len(req.Header["Webhook-Signature"])))
			mu.Unlock()
			if n == 1 && i == 2 {
				return // the answer never comes
			}
			io.WriteString(conn, "HTTP/1.1 204 X\r\n\r\n")
		}
	})
	s := localSender(t)
	for range 2 {
		if res := s.Send(t.Context(), postTo(url)); res.Outcome != OutcomeDelivered {
			t.Fatalf("%+v", res)
		}
	}
	want := "1 [msg_1] 1, 1 [msg_1] 1, 2 [msg_1] 1"
	if got := strings.Join(ids, ", "); got != want {
		t.Errorf("requests seen: %s, want %s", got, want)
	}
}

func TestSendIsCut(t *testing.T) {
	began := make(chan struct{})
	url := tcpServer(t, func(_ int, conn net.Conn) {
		readRequest(bufio.NewReader(conn))
		close(began)
		hang(conn)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if res := localSender(t).Send(ctx, postTo(url)); res.Outcome != outcomeCut {
		t.Errorf("%+v", res)
	}
}

// Failures elsewhere do not cost a healthy endpoint its connections.
func TestSendKeepsThePool(t *testing.T) {
	var conns atomic.Int32
	healthy := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	healthy.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	healthy.Start()
	defer healthy.Close()
	failing := tcpServer(t, func(_ int, conn net.Conn) { readRequest(bufio.NewReader(conn)) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	s := localSender(t)
	for range 50 {
		for url, want := range map[string]string{healthy.URL: OutcomeDelivered, failing: OutcomeReset, "http://" + closed.Addr().String(): OutcomeRefused} {
			if res := s.Send(t.Context(), postTo(url)); res.Outcome != want {
				t.Fatalf("%s: %+v", url, res)
			}
		}
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("%d connections to the healthy endpoint for 50 posts in a row", got)
	}
}
