package inbound_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
)

// stored is a message that the spool of a test accepted.
type stored struct {
	id   string
	env  inbound.Envelope
	body string
	file bool // the body lay in a temporary file
}

// spool keeps messages in memory. It is what a Store would be without a disk.
type spool struct {
	accept  func(context.Context, *inbound.Envelope, inbound.Body) error // nil: all is well
	resends bool                                                         // content that was not acknowledged is a resend

	mu    sync.Mutex
	mails []stored
	acked []string
	acks  chan string // every id that was acknowledged
}

func newSpool() *spool { return &spool{acks: make(chan string, 1000)} }

func (s *spool) Accept(ctx context.Context, env *inbound.Envelope, body inbound.Body) ([]string, error) {
	if s.accept != nil {
		if err := s.accept(ctx, env, body); err != nil {
			return nil, err
		}
	}
	for _, r := range env.Recipients {
		if r.Account == "acc_trouble" {
			return nil, errors.New("the disk is on fire")
		}
	}
	raw, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	if err != nil {
		return nil, err
	}
	if err := judge(env, string(raw)); err != nil {
		return nil, err
	}
	if sha256.Sum256(raw) != body.SHA256() {
		return nil, fmt.Errorf("hash differs")
	}
	if b := body.Bytes(); b != nil && string(b) != string(raw) {
		return nil, fmt.Errorf("Bytes and ReadAt differ")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resends {
		for _, m := range s.mails {
			if m.body == string(raw) && !slices.Contains(s.acked, m.id) {
				return []string{m.id}, nil
			}
		}
	}
	id := fmt.Sprintf("msg_%d", len(s.mails)+1)
	s.mails = append(s.mails, stored{id, *env, string(raw), body.Bytes() == nil})
	return []string{id}, nil
}

// judge is the endpoint that decides: "no" and "later" are what it hears in the content.
func judge(env *inbound.Envelope, raw string) error {
	switch {
	case env.Decider() == "":
		return nil
	case strings.Contains(raw, "no"):
		reply := &inbound.Reply{Code: 554, Status: [3]int{5, 7, 1}, Text: "Für immer\u202e geschlossen\r\n250 OK"}
		return &inbound.Rejection{Reply: reply, Reason: inbound.RejectApplication}
	case strings.Contains(raw, "later"):
		reply := &inbound.Reply{Code: 451, Status: [3]int{4, 4, 1}, Text: "Not now"}
		return fmt.Errorf("it sleeps: %w", &inbound.Rejection{Reply: reply, Reason: inbound.RejectUnanswered})
	}
	return nil
}

func (s *spool) Acknowledged(ids []string) {
	s.mu.Lock()
	s.acked = append(s.acked, ids...)
	s.mu.Unlock()
	for _, id := range ids {
		s.acks <- id
	}
}

func (s *spool) all() []stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stored(nil), s.mails...)
}

func (s *spool) acknowledged() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.acked...)
}

// accountOf says whose a domain is; empty: nobody's. What is stored for acc_trouble is not stored.
func accountOf(p inbound.Path) string {
	return map[string]string{
		"in.example.com": "acc_1", "mx.example.com": "acc_1", "two.example.com": "acc_2", "trouble.example.com": "acc_trouble",
	}[strings.ToLower(p.Domain)]
}

// decide is the routes of the tests: three domains are ours, in them every local part but those that begin with "no". Of
// "sync1-a" and "sync1-b" one endpoint decides, see judge.
func decide(p inbound.Path) inbound.Decision {
	switch {
	case accountOf(p) == "":
		return inbound.Decision{Refuse: &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: "Relaying denied"}}
	case strings.HasPrefix(p.LocalPart, "no"):
		return inbound.Decision{Refuse: &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "No such mailbox"}}
	case p.LocalPart == "later":
		return inbound.Decision{Refuse: &inbound.Reply{Code: 451, Status: [3]int{4, 7, 1}, Text: "Later"}}
	case p.LocalPart == "policy421":
		return inbound.Decision{Refuse: &inbound.Reply{Code: 421, Status: [3]int{4, 7, 0}, Text: "Go away"}}
	case p.LocalPart == "panic":
		panic("a route panicked")
	case strings.HasPrefix(p.LocalPart, "sync"):
		name, _, _ := strings.Cut(p.LocalPart, "-")
		return inbound.Decision{Account: accountOf(p), Endpoints: []string{"ep_" + name}, Sync: true}
	}
	return inbound.Decision{
		Account: accountOf(p), Route: "rt_1", Endpoints: []string{"ep_1"}, LocalPart: p.LocalPart, RequireTLS: p.LocalPart == "private",
	}
}

// edge is a server under test and where it listens.
type edge struct {
	*inbound.Server
	spool   *spool
	addr    string            // of a listener that begins in clear
	addrTLS string            // of a listener with implicit TLS
	addrs   map[string]string // of the others, by name
	pipes   *pipes            // in place of addr, where time is virtual
	running sync.WaitGroup
}

// loopback is the network of the proxies of the tests.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// serve starts a server with a listener of each kind on loopback ports; change may alter the configuration.
func serve(t testing.TB, change func(*inbound.Config)) *edge {
	t.Helper()
	e := newEdge(t, change)
	for _, as := range []inbound.Listener{
		{Name: "mx", TLS: inbound.TLSStartTLS},
		{Name: "smtps", TLS: inbound.TLSImplicit},
		{Name: "submission", Kind: inbound.Submission, TLS: inbound.TLSStartTLS},
		{Name: "submissions", Kind: inbound.Submission, TLS: inbound.TLSImplicit},
		{Name: "lmtp", Kind: inbound.LMTP, TLS: inbound.TLSStartTLS},
		{Name: "proxied", TLS: inbound.TLSStartTLS, Proxies: loopback},
		{Name: "proxied-tls", TLS: inbound.TLSImplicit, Proxies: loopback},
		{Name: "elsewhere", Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		e.listen(t, l, as)
		e.addrs[as.Name] = l.Addr().String()
	}
	e.addr, e.addrTLS = e.addrs["mx"], e.addrs["smtps"]
	return e
}

// authenticate is the users of the tests.
func authenticate(_ context.Context, user, password string) (bool, error) {
	if user == "broken" {
		return false, errors.New("the users are not to be read")
	}
	return user == "printer" && password == "s3cret", nil
}

// newEdge makes a server that listens nowhere yet and is shut down when the test ends.
func newEdge(t testing.TB, change func(*inbound.Config)) *edge {
	t.Helper()
	sp := newSpool()
	cfg := inbound.Config{
		Hostname:            "mx.example.com",
		Recipients:          decide,
		Spool:               sp,
		Authenticate:        authenticate,
		TLS:                 &tls.Config{Certificates: []tls.Certificate{certificate(t)}},
		TempDir:             t.TempDir(),
		MaxConnectionsPerIP: -1,
		Defence:             inbound.Defence{ConnectRate: guard.Rate{Count: -1}, ConnectRateTotal: guard.Rate{Count: -1}},
	}
	if change != nil {
		change(&cfg)
	}
	server, err := inbound.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{Server: server, spool: sp, addrs: map[string]string{}}
	t.Cleanup(func() {
		e.drain(t)
		e.running.Wait()
	})
	return e
}

// listen serves l until the test ends.
func (e *edge) listen(t testing.TB, l net.Listener, as inbound.Listener) {
	e.running.Go(func() {
		if err := e.Serve(context.Background(), l, as); err != nil && err != inbound.ErrServerClosed { // some tests are done before it began
			t.Errorf("Serve: %v", err)
		}
	})
}

// certificate makes a self-signed certificate for mx.example.com.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "mx.example.com"},
		DNSNames:     []string{"mx.example.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// peer is a raw client. Its methods fail the test on any trouble, a minute of silence included.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// connect connects in the clear.
func (e *edge) connect(t testing.TB) *peer {
	t.Helper()
	if e.pipes != nil {
		return newPeer(t, e.pipes.dial())
	}
	return e.connectTo(t, "mx")
}

// connectTo connects to a listener by its name; where TLS is implicit the handshake is made.
func (e *edge) connectTo(t testing.TB, listener string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", cmp.Or(e.addrs[listener], e.addr))
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, conn)
	if listener == "smtps" || listener == "submissions" {
		p.handshake()
	}
	return p
}

// dial connects in the clear and reads the greeting.
func (e *edge) dial(t testing.TB) *peer {
	t.Helper()
	p := e.connect(t)
	p.expect("220 mx.example.com")
	return p
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { conn.Close() })
	return &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// send writes octets as they are.
func (p *peer) send(octets string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, octets); err != nil {
		p.t.Fatalf("sending %.60q: %v", octets, err)
	}
}

// reply reads a whole reply; lines are joined by "|".
func (p *peer) reply() string {
	p.t.Helper()
	var lines []string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatalf("reading a reply: %v, have %q", err, append(lines, line))
		}
		if !strings.HasSuffix(line, "\r\n") || len(line) < 5 || len(line) > 512 {
			p.t.Fatalf("malformed reply line %q", line)
		}
		lines = append(lines, line[:len(line)-2])
		if line[3] == ' ' {
			return strings.Join(lines, "|")
		}
	}
}

// expect reads a reply that must begin with prefix.
func (p *peer) expect(prefix string) string {
	p.t.Helper()
	reply := p.reply()
	if !strings.HasPrefix(reply, prefix) {
		p.t.Fatalf("reply %q, want %q", reply, prefix)
	}
	return reply
}

// do sends a command and expects a reply.
func (p *peer) do(command, prefix string) string {
	p.t.Helper()
	p.send(command + "\r\n")
	return p.expect(prefix)
}

// closed expects the server to have closed the connection, with nothing more to say.
func (p *peer) closed() {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	if len(rest) > 0 {
		p.t.Fatalf("the server said more: %q", rest)
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		p.t.Fatal("the server did not close the connection")
	}
}

// startTLS upgrades a connection that was greeted.
func (p *peer) startTLS() {
	p.t.Helper()
	p.do("STARTTLS", "220 2.0.0")
	p.handshake()
}

// handshake goes on under TLS.
func (p *peer) handshake() {
	p.t.Helper()
	conn := tls.Client(p.conn, &tls.Config{InsecureSkipVerify: true, ServerName: "mx.example.com"})
	if err := conn.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	p.conn, p.r = conn, bufio.NewReader(conn)
}

// begin goes as far as the 354.
func (p *peer) begin() {
	p.t.Helper()
	p.transaction()
	p.do("DATA", "354 ")
}

// transaction gives a sender and a recipient.
func (p *peer) transaction() {
	p.t.Helper()
	p.do("MAIL FROM:<ann@sender.example>", "250 2.1.0")
	p.do("RCPT TO:<bob@in.example.com>", "250 2.1.5")
}

// ways are the ways to speak to a server; every rule about content holds in each.
var ways = []struct {
	name    string
	connect func(testing.TB, *edge) *peer
}{
	{"clear", func(t testing.TB, e *edge) *peer {
		p := e.dial(t)
		p.do("EHLO client.example", "250-mx.example.com")
		return p
	}},
	{"starttls", func(t testing.TB, e *edge) *peer {
		p := e.dial(t)
		p.do("EHLO client.example", "250-mx.example.com")
		p.startTLS()
		p.do("EHLO client.example", "250-mx.example.com")
		return p
	}},
	{"implicit tls", func(t testing.TB, e *edge) *peer {
		p := e.connectTo(t, "smtps")
		p.expect("220 mx.example.com")
		p.do("EHLO client.example", "250-mx.example.com")
		return p
	}},
	{"lmtp", func(t testing.TB, e *edge) *peer {
		p := e.connectTo(t, "lmtp")
		p.expect("220 mx.example.com LMTP")
		p.do("LHLO client.example", "250-mx.example.com")
		return p
	}},
	{"submission", func(t testing.TB, e *edge) *peer {
		p := e.connectTo(t, "submissions")
		p.expect("220 mx.example.com")
		p.do("EHLO client.example", "250-mx.example.com")
		p.do("AUTH PLAIN AHByaW50ZXIAczNjcmV0", "235 2.7.0")
		return p
	}},
}
