package dispatch

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// authority makes a root that signs client certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) client(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, &own.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// TestClientCertificates has a server that wants one see that of the endpoint and never another's.
func TestClientCertificates(t *testing.T) {
	root, stranger := newAuthority(t), newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	conns := map[string]bool{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns[r.RemoteAddr] = true
		io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	srv.StartTLS()
	defer srv.Close()
	s := localSender(t)
	ofRoot, keyOfRoot := root.client(t, "app one")
	other, keyOfOther := root.client(t, "app two")
	ofStranger, keyOfStranger := stranger.client(t, "liar")
	for _, try := range []struct {
		cert, key []byte
		want      string // the name that the server saw, or the outcome
	}{
		{ofRoot, keyOfRoot, "app one"}, {other, keyOfOther, "app two"}, {ofRoot, keyOfRoot, "app one"},
		{ofStranger, keyOfStranger, OutcomeTLS}, {nil, nil, OutcomeTLS}, {[]byte("x"), []byte("y"), OutcomeTLS},
	} {
		p := postTo(srv.URL)
		p.Endpoint.Access = storage.Access{Certificate: try.cert, Key: try.key, Authorities: pemOf(srv.Certificate())}
		res := s.Send(t.Context(), p)
		// With TLS 1.3 the request is under way when the server refuses the certificate, and the client may find the connection closed
		// before net/http has read why: that is seldom, and never twice in a row for long.
		for tries := 0; try.want == OutcomeTLS && res.Outcome == OutcomeReset && tries < 20; tries++ {
			res = s.Send(t.Context(), p)
		}
		if res.Outcome != try.want && res.Detail.Body != try.want {
			t.Errorf("want %s: %+v", try.want, res)
		}
	}
	if n := len(conns); n != 2 {
		t.Errorf("%d connections took requests for two certificates", n)
	}
	if res := s.Send(t.Context(), postTo(srv.URL)); res.Outcome != OutcomeTLS || !strings.Contains(res.Detail.Error, "unknown authority") {
		t.Errorf("without the bundle: %+v", res)
	}
}

func TestBasicAndBearer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%q %s %s", r.Header.Values("Authorization"), user, password)
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
	}))
	defer srv.Close()
	p := postTo(srv.URL)
	p.Endpoint.Access = storage.Access{Username: "hook", Password: "open sesame"}
	sum := base64.StdEncoding.EncodeToString([]byte("hook:open sesame"))
	res := localSender(t).Send(t.Context(), p)
	if want := `["Basic ***"] hook ***`; res.Detail.Body != want || strings.Contains(fmt.Sprint(res), sum) {
		t.Errorf("the log would have %+v", res)
	}
	p.Endpoint.Access = storage.Access{Bearer: "token-of-mine"}
	p.Endpoint.Headers = map[string]string{"Authorization": "Basic abcdefgh"}
	if res := localSender(t).Send(t.Context(), p); !strings.HasPrefix(res.Detail.Body, `["Bearer ***"]`) {
		t.Errorf("the log would have %+v", res)
	}
}

// tokenServer gives tokens that count up, and answers what fail says when that is set.
type tokenServer struct {
	*httptest.Server
	given atomic.Int64
	fail  atomic.Pointer[string] // an error code
	lives int                    // seconds
}

func newTokenServer(t *testing.T, lives int) *tokenServer {
	s := &tokenServer{lives: lives}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		user, password, _ := r.BasicAuth()
		password, _ = url.QueryUnescape(password) // RFC 6749 section 2.3.1
		if code := s.fail.Load(); code != nil {
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(map[string]string{"error": *code, "error_description": "the secret was " + password})
			return
		}
		if r.FormValue("grant_type") != "client_credentials" || user != "app" || password != "client secret" ||
			r.FormValue("scope") != "hooks mail" || r.FormValue("audience") != "receiver" {
			t.Errorf("the token endpoint got %v as %s %s", r.Form, user, password)
		}
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":%d}`, s.given.Add(1), s.lives)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *tokenServer) access() storage.Access {
	return storage.Access{OAuth: &storage.OAuthClient{
		TokenURL: s.URL, ID: "app", Secret: "client secret", Scopes: []string{"hooks", "mail"}, Params: map[string]string{"audience": "receiver"},
	}}
}

// TestOAuth keeps a token for its life, gives it up once when it is refused, and tells trouble with tokens as such.
func TestOAuth(t *testing.T) {
	issuer := newTokenServer(t, 3600)
	var least, posts atomic.Int64 // tokens below least are refused
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		var n int64
		if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer token-%d", &n); err != nil || n < least.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, "no good: %s", r.Header.Get("Authorization"))
		}
	}))
	defer srv.Close()
	s := localSender(t)
	send := func() Result {
		p := postTo(srv.URL)
		p.Endpoint.Access = issuer.access()
		return s.Send(t.Context(), p)
	}
	for range 3 {
		if res := send(); res.Outcome != OutcomeDelivered {
			t.Fatalf("%+v", res)
		}
	}
	if issuer.given.Load() != 1 || posts.Load() != 3 {
		t.Errorf("%d tokens for %d posts", issuer.given.Load(), posts.Load())
	}
	least.Store(2) // the first was revoked
	if res := send(); res.Outcome != OutcomeDelivered || issuer.given.Load() != 2 || posts.Load() != 5 {
		t.Errorf("%d tokens, %d posts: %+v", issuer.given.Load(), posts.Load(), res)
	}
	least.Store(100) // a fresh one is refused too: no third try
	res := send()
	if res.Outcome != OutcomeStatus || res.Status != 401 || issuer.given.Load() != 3 || posts.Load() != 7 {
		t.Errorf("%d tokens, %d posts: %+v", issuer.given.Load(), posts.Load(), res)
	}
	if res.Detail.Body != "no good: Bearer ***" {
		t.Errorf("the log would have %q", res.Detail.Body)
	}
	code := "invalid_client"
	issuer.fail.Store(&code)
	res = send()
	if res.Outcome != OutcomeToken || res.Status != 0 || res.Detail.Error != "the token endpoint answered 400 (invalid_client)" {
		t.Errorf("%+v", res)
	}
	if o, _ := occasionOf(&res); o != looksForGood {
		t.Errorf("it looks like occasion %d", o)
	}
	if strings.Contains(fmt.Sprint(res), "client secret") {
		t.Errorf("the log would have %v", res)
	}
	issuer.Close()
	if res = send(); res.Outcome != OutcomeToken || !strings.Contains(res.Detail.Error, "refused") {
		t.Errorf("%+v", res)
	}
	if o, _ := occasionOf(&res); o != nobodyThere {
		t.Errorf("it looks like occasion %d", o)
	}
}

// TestTokensExpire asks again before the end of a token, and for many attempts at once only once.
func TestTokensExpire(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	for lives, want := range map[int]int64{5: 8, 3600: 1} { // x/oauth2 gives a token up ten seconds before its end
		issuer := newTokenServer(t, lives)
		s := localSender(t)
		outcomes := make(chan string)
		for range 8 {
			go func() {
				p := postTo(srv.URL)
				p.Endpoint.Access = issuer.access()
				outcomes <- s.Send(t.Context(), p).Outcome
			}()
		}
		for range 8 {
			if o := <-outcomes; o != OutcomeDelivered {
				t.Error(o)
			}
		}
		if n := issuer.given.Load(); n != want {
			t.Errorf("%d tokens that live %d s were asked for, want %d", n, lives, want)
		}
	}
}

// TestTokenEndpointIsGuarded refuses a token endpoint in a private network.
func TestTokenEndpointIsGuarded(t *testing.T) {
	issuer := newTokenServer(t, 60)
	s := NewSender(Guard{}, "test")
	t.Cleanup(s.Close)
	p := postTo("https://hooks.example/")
	p.Endpoint.Access = issuer.access()
	res := s.Send(t.Context(), p)
	if res.Outcome != OutcomeToken || issuer.given.Load() != 0 || !isBlocked(res.Err) {
		t.Errorf("%+v", res)
	}
}

// proxy is an HTTP proxy that counts, and refuses with a status when one is set.
type proxy struct {
	*httptest.Server
	connects, plain, refuse atomic.Int64
}

func newProxy(t *testing.T) *proxy {
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.Header.Get("Proxy-Authorization"); user != "Basic "+base64.StdEncoding.EncodeToString([]byte("me:pass word")) {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if code := p.refuse.Load(); code != 0 {
			w.WriteHeader(int(code))
			return
		}
		if r.Method == http.MethodConnect {
			p.connects.Add(1)
			p.tunnel(t, w, r.Host)
			return
		}
		p.plain.Add(1)
		r.RequestURI = ""
		r.Header.Del("Proxy-Authorization")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) tunnel(t *testing.T, w http.ResponseWriter, host string) {
	to, err := net.Dial("tcp", host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer from.Close()
	io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(to, from)
	io.Copy(from, to)
}

func (p *proxy) url() string { return strings.Replace(p.URL, "//", "//me:pass%20word@", 1) }

// TestProxy sends through a proxy alone, and tells its trouble from the receiver's.
func TestProxy(t *testing.T) {
	px := newProxy(t)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the receiver got the password of the proxy")
		}
		w.WriteHeader(http.StatusTeapot)
	})
	open, sealed := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	defer open.Close()
	defer sealed.Close()
	closed := httptest.NewServer(answer)
	closed.Close()
	closedSecure := strings.Replace(closed.URL, "http", "https", 1)
	cut := tcpServer(t, func(_ int, conn net.Conn) { http.ReadRequest(bufio.NewReader(conn)) })
	cut, _, _ = strings.Cut(strings.Replace(cut, "//", "//me:pw@", 1), "/hook")
	s := localSender(t)
	for _, try := range []struct {
		name, url, proxy, outcome string
		status, refuse            int
	}{
		{"clear", open.URL, px.url(), OutcomeStatus, 418, 0},
		{"tls", sealed.URL, px.url(), OutcomeStatus, 418, 0},
		{"wrong password", sealed.URL, px.URL, OutcomeProxy, 0, 0},
		{"wrong password in clear", open.URL, px.URL, OutcomeProxy, 407, 0},
		{"refused by the proxy", sealed.URL, px.url(), OutcomeProxy, 0, 403},
		{"proxy broken", sealed.URL, px.url(), OutcomeProxy, 0, 500},
		{"receiver refuses", closedSecure, px.url(), OutcomeUnreachable, 0, 0},
		{"receiver refuses in clear", closed.URL, px.url(), OutcomeStatus, 502, 0},
		{"proxy away", sealed.URL, closed.URL, OutcomeProxy, 0, 0},
		{"proxy away in clear", open.URL, closed.URL, OutcomeProxy, 0, 0},
		{"proxy breaks off", sealed.URL, cut, OutcomeProxy, 0, 0},
	} {
		px.refuse.Store(int64(try.refuse))
		p := postTo(try.url)
		p.Endpoint.Access = storage.Access{Proxy: try.proxy, Authorities: pemOf(sealed.Certificate())}
		s.Close() // each opens its own tunnel
		res := s.Send(t.Context(), p)
		if res.Outcome != try.outcome || res.Status != try.status || res.Detail.RemoteAddr != "" {
			t.Errorf("%s: %+v", try.name, res)
		}
		if said := fmt.Sprint(res); strings.Contains(said, "pass word") || strings.Contains(said, "pass%20word") {
			t.Errorf("%s: the log would have %s", try.name, said)
		}
		if o, charged := occasionOf(&res); charged == (try.outcome == OutcomeProxy) {
			t.Errorf("%s: occasion %d, charged %t", try.name, o, charged)
		}
	}
	if px.connects.Load() < 2 || px.plain.Load() < 2 {
		t.Errorf("%d tunnels, %d requests in clear", px.connects.Load(), px.plain.Load())
	}
}

// TestProxyIsNoWayIn refuses private addresses in URLs behind a proxy too.
func TestProxyIsNoWayIn(t *testing.T) {
	px := newProxy(t)
	s := NewSender(Guard{}, "test")
	t.Cleanup(s.Close)
	for _, inner := range []string{"http://127.0.0.1/", "http://localhost:8080/", "https://10.1.2.3/", "http://169.254.169.254/latest", "http://[::1]/"} {
		p := postTo(inner)
		p.Endpoint.Access.Proxy = px.url()
		if res := s.Send(t.Context(), p); res.Outcome != OutcomeBlocked {
			t.Errorf("%s: %+v", inner, res)
		}
		p = postTo("https://hooks.example/")
		p.Endpoint.Access = storage.Access{Proxy: px.url(), OAuth: &storage.OAuthClient{TokenURL: inner, ID: "app", Secret: "client secret"}}
		if res := s.Send(t.Context(), p); res.Outcome != OutcomeToken || !isBlocked(res.Err) {
			t.Errorf("token of %s: %+v", inner, res)
		}
	}
	if n := px.connects.Load() + px.plain.Load(); n != 0 {
		t.Errorf("the proxy got %d requests", n)
	}
}

// TestProxyTroubleIsNobodysFault has a proxy away for many attempts: the endpoint stays enabled, without a breaker, and gets its
// mail when the proxy is back.
func TestProxyTroubleIsNobodysFault(t *testing.T) {
	l := newLife("ep_1")
	begun := time.Now()
	now := begun
	for range 50 {
		changes, _ := l.learn(&Result{Outcome: OutcomeProxy, At: now}, false, time.Hour, now)
		if len(changes) > 0 || l.State != storage.EndpointEnabled || l.probing() || !l.FailingSince.IsZero() {
			t.Fatalf("%+v, changes %v", l.EndpointLife, changes)
		}
		if !l.rests(now) || l.RestReason != restProxy {
			t.Fatalf("it goes on at once: %+v", l.EndpointLife)
		}
		now = l.RestUntil
	}
	// Every attempt is a row: in an outage of days there are not to be tens of thousands.
	if took := now.Sub(begun); took < 3*time.Hour || l.rests(now) {
		t.Errorf("50 attempts took %s, it rests: %t", took, l.rests(now))
	}
	if l.learn(&Result{Outcome: OutcomeDelivered, At: now}, false, time.Hour, now); l.proxied != 0 {
		t.Error("a delivery does not end it")
	}
}

func TestCheckField(t *testing.T) {
	for _, name := range []string{"webhook-id", "Webhook-Anything", "HOST", "content-type", "Content-MD5", "connection", "keep-alive",
		"Proxy-Authorization", "TE", "Trailer", "transfer-encoding", "Upgrade", "letterhook-attempt", "a b", "", "User-Agent", "X:"} {
		if CheckField(name, "x") == nil {
			t.Errorf("%q is let through", name)
		}
	}
	for _, value := range []string{"a\r\nb", "a\x00", "\x7f"} {
		if err := CheckField("X-Token", value); err == nil || strings.Contains(err.Error(), value) {
			t.Errorf("%q: %v", value, err)
		}
	}
	if err := CheckField("X-Tenant", "a b"); err != nil {
		t.Error(err)
	}
}

// TestIdlePoolsAreDropped forgets a pool that no endpoint uses any more.
func TestIdlePoolsAreDropped(t *testing.T) {
	s := localSender(t)
	use := func(proxy string) {
		if _, err := s.ways.client(&storage.Endpoint{Access: storage.Access{Proxy: proxy}}); err != nil {
			t.Fatal(err)
		}
	}
	use("http://one.example")
	for _, o := range s.ways.open {
		o.used = time.Now().Add(-2 * wayIdle)
	}
	use("http://two.example")
	if len(s.ways.open) != 1 {
		t.Errorf("%d pools", len(s.ways.open))
	}
}
