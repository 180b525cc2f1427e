package dispatch

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/storage"
)

// mode is a way in which a receiver fails, and what follows from it.
type mode struct {
	name    string
	url     func(t *testing.T) string
	outcome string
	status  int
	// What stands after the first attempt.
	delivery string // storage.StatePending or a result
	endpoint storage.EndpointState
	rest     time.Duration // that the lane keeps at least, to within ten seconds; 0: it keeps none
}

// answers is a receiver that reads a request and writes what say gives, then closes, or hangs when told so.
func answers(say string, thenHang bool) func(*testing.T) string {
	return func(t *testing.T) string {
		return tcpServer(t, func(_ int, conn net.Conn) {
			if _, _, err := readRequest(bufio.NewReader(conn)); err != nil {
				return
			}
			io.WriteString(conn, say)
			if thenHang {
				hang(conn)
			}
		})
	}
}

func status(code int, fields ...string) func(*testing.T) string {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\n", code, http.StatusText(code))
	for _, f := range fields {
		head += f + "\r\n"
	}
	return answers(head+"Content-Length: 0\r\nConnection: close\r\n\r\n", false)
}

func resets(say string) func(*testing.T) string {
	return func(t *testing.T) string {
		return tcpServer(t, func(_ int, conn net.Conn) {
			if _, _, err := readRequest(bufio.NewReader(conn)); err != nil {
				return
			}
			io.WriteString(conn, say)
			if tcp, ok := conn.(*net.TCPConn); ok && tcp.SetLinger(0) == nil {
				tcp.Close() // RST
			}
		})
	}
}

func refuses(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// expired speaks TLS with a certificate of yesterday.
func expired(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "expired"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = nil
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

func modes() []mode {
	const ok, pending = "HTTP/1.1 200 OK\r\n", storage.StatePending
	huge := "Content-Length: 8388608\r\n\r\n" + strings.Repeat("x", 8<<20)
	in := func(d time.Duration) string { return "Retry-After: " + time.Now().Add(d).UTC().Format(http.TimeFormat) }
	return []mode{
		{"refused", refuses, OutcomeRefused, 0, pending, storage.EndpointEnabled, 0},
		{"dns", func(*testing.T) string { return "http://gone.example" }, OutcomeDNS, 0, pending, storage.EndpointBroken, 0},
		{"expired", expired, OutcomeTLS, 0, pending, storage.EndpointBroken, 0},
		{"hang-before", answers("", true), OutcomeTimeout, 0, pending, storage.EndpointEnabled, 0},
		{"hang-in-header", answers(ok+"X-Never: end", true), OutcomeTimeout, 0, pending, storage.EndpointEnabled, 0},
		{"slow-body", answers(ok+"Content-Length: 100\r\n\r\nslow", true), OutcomeDelivered, 200, storage.StateDelivered, storage.EndpointEnabled, 0},
		{"slow-body-500", answers("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nslow", true), OutcomeStatus, 500, pending, storage.EndpointEnabled, 0},
		{"huge-body", answers(ok+huge, false), OutcomeDelivered, 200, storage.StateDelivered, storage.EndpointEnabled, 0},
		{"huge-body-500", answers("HTTP/1.1 500 No\r\n"+huge, false), OutcomeStatus, 500, pending, storage.EndpointEnabled, 0},
		{"huge-header", answers(ok+"X: "+strings.Repeat("x", 2*maxHeaderBytes), true), OutcomeProtocol, 0, pending, storage.EndpointEnabled, 0},
		{"switch", answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true), OutcomeStatus, 101, pending, storage.EndpointEnabled, 0},
		{"redirect", status(302, "Location: http://127.0.0.1:1/elsewhere"), OutcomeRedirect, 302, pending, storage.EndpointBroken, 0},
		{"401", status(401), OutcomeStatus, 401, pending, storage.EndpointBroken, 0},
		{"403", status(403), OutcomeStatus, 403, pending, storage.EndpointBroken, 0},
		{"404", status(404), OutcomeStatus, 404, pending, storage.EndpointBroken, 0},
		{"413", status(413), OutcomeStatus, 413, pending, storage.EndpointEnabled, 0},
		{"429-seconds", status(429, "Retry-After: 7200"), OutcomeStatus, 429, pending, storage.EndpointEnabled, 2 * time.Hour},
		{"429-date", status(429, in(3*time.Hour)), OutcomeStatus, 429, pending, storage.EndpointEnabled, 3 * time.Hour},
		{"429-absurd", status(429, "Retry-After: 484289999999999999999"), OutcomeStatus, 429, pending, storage.EndpointEnabled, 24 * time.Hour},
		{"429-far", status(429, "Retry-After: Sat, 21 Nov 2099 00:00:00 GMT"), OutcomeStatus, 429, pending, storage.EndpointEnabled, 24 * time.Hour},
		{"429-nonsense", status(429, "Retry-After: soon"), OutcomeStatus, 429, pending, storage.EndpointEnabled, 0},
		{"400-seconds", status(400, "Retry-After: 7200"), OutcomeStatus, 400, pending, storage.EndpointEnabled, 2 * time.Hour},
		{"410", status(410), OutcomeStatus, 410, pending, storage.EndpointDisabled, 0},
		{"disable", status(503, "Webhook-Delivery: Disable"), OutcomeStatus, 503, pending, storage.EndpointDisabled, 0},
		{"abort", status(503, "webhook-delivery: abort-message"), OutcomeStatus, 503, storage.StateDead, storage.EndpointEnabled, 0},
		{"reset", resets(""), OutcomeReset, 0, pending, storage.EndpointEnabled, 0},
		{"reset-mid-body", resets(ok + "Content-Length: 100\r\n\r\nhalf"), OutcomeDelivered, 200, storage.StateDelivered, storage.EndpointEnabled, 0},
		{"reset-mid-body-500", resets("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nhalf"), OutcomeStatus, 500, pending, storage.EndpointEnabled, 0},
		{"no-http", answers("SSH-2.0-x\r\n\r\n", false), OutcomeProtocol, 0, pending, storage.EndpointEnabled, 0},
	}
}

// noNames is a resolver that asks a real name server, which knows no name.
func noNames(t *testing.T) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError))
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.ActivateAndServe()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// Receivers that fail in every way at the same time, beside one that is well: each attempt has its name, what follows is right,
// and the connections of the one that is well stay as they are.
func TestEveryWayToFail(t *testing.T) {
	var connections, served atomic.Int64
	got := make(chan struct{}, 1000)
	healthy := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		served.Add(1)
		got <- struct{}{}
	}))
	healthy.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	healthy.Start()
	defer healthy.Close()
	endpoints := []storage.Endpoint{{Name: "well", URL: healthy.URL}}
	all := modes()
	for _, m := range all {
		timeout := time.Minute
		switch {
		case m.outcome == OutcomeTimeout:
			timeout = time.Second
		case strings.HasPrefix(m.name, "slow"):
			timeout = 5 * time.Second // within which its status line comes
		}
		endpoints = append(endpoints, storage.Endpoint{Name: m.name, URL: m.url(t), Timeout: timeout})
	}
	h := build(t, endpoints...)
	defer h.close()
	d := h.dispatcher(func(c *Config) { c.Schedule = slices.Repeat([]time.Duration{time.Hour}, 5) })
	guarded, resolver := d.sender.dial, noNames(t)
	d.sender.dial = func(ctx context.Context, network, addr string, private bool) (net.Conn, error) {
		if strings.HasPrefix(addr, "gone.example:") {
			return (&net.Dialer{Resolver: resolver}).DialContext(ctx, network, addr)
		}
		return guarded(ctx, network, addr, private)
	}
	stop := h.start(d)
	defer stop()
	quiet := func() { // until nothing is owed to the healthy one, and so its connection is back in the pool
		<-got
		for len(h.owed("well")) > 0 {
		}
	}
	h.accept(mail("first"), "well")
	quiet()
	before := connections.Load()
	id := h.accept(mail("x"), "all")
	quiet()
	mails := 2
	for {
		h.accept(mail("more"), "well")
		quiet()
		mails++
		attempts, err := h.store.Attempts(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(attempts) == len(endpoints) {
			break
		}
	}
	if n := connections.Load() - before; n != 0 || served.Load() != int64(mails) {
		t.Errorf("%d new connections to the receiver that is well, and %d requests for %d mails", n, served.Load(), mails)
	}
	stop()
	checkModes(t, h, d, all, id)
}

func checkModes(t *testing.T, h *house, d *Dispatcher, all []mode, message string) {
	attempts, err := h.store.Attempts(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: message})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			id := h.ids[m.name]
			attempt := attempts[slices.IndexFunc(attempts, func(a storage.Attempt) bool { return a.Endpoint == id })]
			row := rows[slices.IndexFunc(rows, func(r storage.DeliveryRow) bool { return r.Endpoint == id })]
			if attempt.Outcome != m.outcome || attempt.Status != m.status {
				t.Errorf("outcome %s, status %d (%s); want %s, %d", attempt.Outcome, attempt.Status, attempt.Detail.Error, m.outcome, m.status)
			}
			if (attempt.Detail.Error == "") != (m.outcome == OutcomeDelivered) {
				t.Errorf("it explains itself with %q", attempt.Detail.Error)
			}
			life := d.Status(id)
			if row.State != m.delivery || row.Attempts != 1 || life.State != m.endpoint {
				t.Errorf("delivery %s after %d attempts, endpoint %s; want %s, %s", row.State, row.Attempts, life.State, m.delivery, m.endpoint)
			}
			if life.State != storage.EndpointEnabled && life.Reason == "" {
				t.Error("nobody says why")
			}
			rest := life.RestUntil.Sub(attempt.At)
			if m.rest > 0 && (rest < m.rest-10*time.Second || rest > m.rest+10*time.Second) {
				t.Errorf("the lane rests for %s, want %s", rest, m.rest)
			}
			if m.rest == 0 && life.State == storage.EndpointEnabled && !life.RestUntil.IsZero() {
				t.Errorf("the lane rests for %s", rest)
			}
			wait := row.DueAt.Sub(attempt.At)
			switch {
			case row.State != storage.StatePending:
			case life.State == storage.EndpointDisabled:
				if wait > time.Minute {
					t.Errorf("what waits for a disabled endpoint would wait for %s more", wait)
				}
			case wait < max(m.rest-10*time.Second, 48*time.Minute) || wait > max(m.rest, 73*time.Minute)+10*time.Second:
				t.Errorf("the next attempt comes after %s", wait)
			}
		})
	}
}
