package identity_test

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/letterhook/letterhook/cmd/letterhook/identity"
	"github.com/letterhook/letterhook/cmd/letterhook/identity/pebbletest"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// site is a server with the two listeners that an authority comes to.
type site struct {
	http, https net.Listener
	acme        *identity.ACME
	log         buffer
	metrics     *prometheus.Registry
	close       func()
	*identity.Certificates
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{metrics: prometheus.NewRegistry()}
	for _, l := range []*net.Listener{&s.http, &s.https} {
		var err error
		if *l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// open has the site ask for certificates.
func (s *site) open(t *testing.T, c identity.ACMEConfig, names ...string) {
	t.Helper()
	c.Log, c.Registerer = s.log.logger(), s.metrics
	var err error
	if s.acme, err = identity.NewACME(c); err != nil {
		t.Fatal(err)
	}
	s.Certificates = identity.New(s.acme, c.Log)
	s.metrics.MustRegister(s.Collector())
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	web := &http.Server{Handler: s.acme.Handler(http.NotFoundHandler()), ErrorLog: quiet}
	go func() { _ = web.Serve(s.http) }()
	secure := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: quiet}
	go func() {
		_ = secure.Serve(tls.NewListener(s.https, &tls.Config{
			GetCertificate:     s.Get,
			GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return s.acme.TLSConfig(hello), nil },
		}))
	}()
	s.close = sync.OnceFunc(func() {
		s.acme.Close()
		_ = web.Close()
		_ = secure.Close()
	})
	t.Cleanup(func() {
		s.close()
		if t.Failed() {
			t.Logf("the log:\n%s", &s.log)
		}
	})
	s.acme.Manage(names)
}

// serial asks the site for the certificate of a name, verified; empty: there is none.
func (s *site) serial(roots *x509.CertPool, name string) string {
	conn, err := tls.Dial("tcp", s.https.Addr().String(), &tls.Config{RootCAs: roots, ServerName: name})
	if err != nil {
		return ""
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func names(t *testing.T) *dnstest.Server {
	t.Helper()
	return dnstest.New(t, "mx.example.com. A 127.0.0.1", "mail.example.com. A 127.0.0.1", "mta-sts.example.com. A 127.0.0.1")
}

// TestChallenges gets certificates for several names by each challenge, from an authority that can come by that one alone.
func TestChallenges(t *testing.T) {
	for _, kind := range []string{"http-01", "tls-alpn-01", "both"} {
		t.Run(kind, func(t *testing.T) {
			s := newSite(t)
			o, c := pebbletest.Options{DNS: names(t).Addr}, identity.ACMEConfig{KeyType: identity.P256, Folder: t.TempDir()}
			if kind != "tls-alpn-01" {
				o.HTTPPort, c.HTTP = port(s.http), s.http.Addr()
			}
			if kind != "http-01" {
				o.HTTPSPort, c.HTTPS = port(s.https), s.https.Addr()
			}
			if kind == "both" {
				o.HTTPPort = 1 // nobody there: the other challenge has to do
			}
			p := pebbletest.Start(t, o)
			c.Directory, c.Roots = p.Directory, rootsOf(t, p)
			s.open(t, c, "mx.example.com", "mail.example.com")
			for _, name := range []string{"mx.example.com", "mail.example.com"} {
				eventually(t, "a certificate for "+name, func() bool { return s.serial(p.Roots, name) != "" })
			}
			if got := s.serial(p.Roots, "mta-sts.example.com"); got != "" {
				t.Error("there is a certificate that nobody asked for")
			}
			s.acme.Manage([]string{"mx.example.com", "mta-sts.example.com"}) // a reload
			eventually(t, "a certificate for the new name", func() bool { return s.serial(p.Roots, "mta-sts.example.com") != "" })
			if s.Find("mail.example.com") != nil || s.Find("mx.example.com") == nil {
				t.Error("the names after the reload are not those that it named")
			}
			if w := s.Warnings(); len(w) > 0 {
				t.Errorf("warnings %q", w)
			}
			if n := testutil.CollectAndCount(s.Collector()); n != 2 {
				t.Errorf("the expiry of %d names is told", n)
			}
			private(t, c.Folder)
		})
	}
}

// rootsOf are the roots of the authority's own certificate.
func rootsOf(t *testing.T, p *pebbletest.Pebble) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(p.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// private looks at the modes of what is kept.
func private(t *testing.T, folder string) {
	t.Helper()
	keys := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[entry.IsDir()]; info.Mode().Perm() != want && !strings.HasPrefix(path, filepath.Join(folder, "locks")) {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if strings.HasSuffix(path, ".key") {
			keys++
		}
		return nil
	})
	if err != nil || keys < 3 {
		t.Errorf("%d keys, %v", keys, err)
	}
}

// TestRenewal gets certificates that live for some seconds. They are renewed while handshakes go on, and after a restart the stored
// one is used.
func TestRenewal(t *testing.T) {
	s := newSite(t)
	p := pebbletest.Start(t, pebbletest.Options{DNS: names(t).Addr, HTTPSPort: port(s.https), Validity: 9 * time.Second})
	c := identity.ACMEConfig{
		Directory: p.Directory, Roots: rootsOf(t, p), KeyType: identity.RSA2048, ReuseKey: true, Folder: t.TempDir(),
		HTTPS: s.https.Addr(), RenewalCheck: 500 * time.Millisecond,
	}
	s.open(t, c, "mx.example.com")
	eventually(t, "a certificate", func() bool { return s.serial(p.Roots, "mx.example.com") != "" })
	first := s.Find("mx.example.com").Leaf
	if first.PublicKeyAlgorithm != x509.RSA {
		t.Errorf("the key is %s", first.PublicKeyAlgorithm)
	}
	eventually(t, "another certificate", func() bool {
		if s.Find("mx.example.com") == nil {
			t.Fatal("there is no certificate in the midst of a renewal")
		}
		got := s.serial(p.Roots, "mx.example.com")
		return got != "" && got != first.SerialNumber.String()
	})
	if now := s.Find("mx.example.com").Leaf; !first.PublicKey.(*rsa.PublicKey).Equal(now.PublicKey) {
		t.Error("the renewed certificate has another key, although the key is to be used again")
	}
	stored := identity.Stored(c.Folder, "mx.example.com")
	if stored == nil || stored.SerialNumber.Cmp(first.SerialNumber) == 0 || identity.Stored(c.Folder, "mail.example.com") != nil {
		t.Errorf("stored is %+v", stored)
	}
	if got := s.log.String(); !strings.Contains(got, "renewal=true") {
		t.Errorf("the log does not tell of the renewal")
	}
}

// TestDeadAuthority: without an authority there is no certificate and a word about it; once there is one, a reload gets it. After it
// has died again the certificate stays, over a restart too.
func TestDeadAuthority(t *testing.T) {
	s := newSite(t)
	addr := pebbletest.FreeAddr(t)
	dns := names(t)
	folder := t.TempDir()
	c := identity.ACMEConfig{Directory: "https://" + addr + "/dir", KeyType: identity.P256, Folder: folder, HTTP: s.http.Addr()}
	p := pebbletest.Start(t, pebbletest.Options{DNS: dns.Addr, Addr: addr, HTTPPort: 1})
	c.Roots = rootsOf(t, p)
	s.open(t, c, "mx.example.com")
	eventually(t, "the authority refuses", func() bool { return strings.Contains(s.log.String(), "certificate not obtained") })
	if s.Ready() {
		t.Error("ready without a certificate")
	}
	if w := s.Warnings(); len(w) != 1 || !strings.HasPrefix(w[0], "no certificate for mx.example.com: ") {
		t.Errorf("warnings %q", w)
	}
	p.Kill()
	failures := func() int { return strings.Count(s.log.String(), "certificate not obtained") }
	before := failures()
	s.acme.Manage([]string{"mx.example.com"}) // a reload tries at once
	eventually(t, "the authority is gone", func() bool { return failures() > before && strings.Contains(s.Warnings()[0], "connect") })

	s.close()

	again := newSite(t)
	p = pebbletest.Start(t, pebbletest.Options{DNS: dns.Addr, HTTPPort: port(again.http)})
	c.Directory, c.Roots, c.HTTP = p.Directory, rootsOf(t, p), again.http.Addr()
	again.open(t, c, "mx.example.com")
	eventually(t, "a certificate", again.Ready)
	serial := again.Find("mx.example.com").Leaf.SerialNumber.String()
	p.Kill()
	again.close()

	restarted := newSite(t)
	c.HTTP = restarted.http.Addr()
	restarted.open(t, c, "mx.example.com")
	eventually(t, "the stored certificate", restarted.Ready)
	if got := restarted.Find("mx.example.com").Leaf.SerialNumber.String(); got != serial {
		t.Errorf("certificate %s, want %s", got, serial)
	}
	if err := testutil.GatherAndCompare(restarted.metrics, strings.NewReader(`# HELP letterhook_acme_failed_total Tries to get a certificate by ACME that failed.
# TYPE letterhook_acme_failed_total counter
letterhook_acme_failed_total 0
`), "letterhook_acme_failed_total"); err != nil {
		t.Error(err)
	}
}
