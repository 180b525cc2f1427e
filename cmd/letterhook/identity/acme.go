package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/prometheus/client_golang/prometheus"
)

// ACMEConfig says where certificates come from (RFC 8555).
type ACMEConfig struct {
	Directory string         // URL of the authority
	Roots     *x509.CertPool // that its own certificate must lead to; nil: those of the system
	Email     string         // that the authority may write to; may be empty
	KeyType   KeyType        // of the keys of certificates
	ReuseKey  bool           // a renewed certificate has the key of the one before, so that TLSA records stay true
	Folder    string         // where accounts, keys and certificates lie; files are made with mode 0600, folders with 0700

	// HTTP is a listener whose port 80 of the names leads to, and which answers with [ACME.Handler]: the challenge HTTP-01 (RFC
	// 8555 section 8.3). Nil: that challenge is not used.
	HTTP net.Addr
	// HTTPS is the same for port 443 and [ACME.TLSConfig]: the challenge TLS-ALPN-01 (RFC 8737). Where both are given they have
	// one host.
	HTTPS net.Addr

	RenewalCheck time.Duration // how often to look whether a certificate is to be renewed; 0: 10 minutes
	Log          *slog.Logger
	Registerer   prometheus.Registerer // nil: no metrics
}

// KeyType is the kind of key of a certificate.
type KeyType string

// The kinds of keys.
const (
	P256    = KeyType(certmagic.P256)
	P384    = KeyType(certmagic.P384)
	RSA2048 = KeyType(certmagic.RSA2048)
	RSA4096 = KeyType(certmagic.RSA4096)
)

// ACME gets a certificate for each of some names and renews it, a third of its life before its end or when the authority says so
// (RFC 9773). What fails is tried again after a minute, then less and less often, down to every six hours. It is
// safe for concurrent use.
type ACME struct {
	log     *slog.Logger
	cache   *certmagic.Cache
	config  *certmagic.Config
	issuer  *certmagic.ACMEIssuer
	metrics acmeMetrics

	mu       sync.Mutex
	names    []string
	failures map[string]string // by name, since its last success
	stop     context.CancelFunc
	working  sync.WaitGroup
}

// NewACME prepares ACME; nothing is asked for before [ACME.Manage]. [ACME.Close] ends it.
func NewACME(c ACMEConfig) (*ACME, error) {
	a := &ACME{log: c.Log, failures: map[string]string{}, stop: func() {}}
	host, httpPort, err := hostAndPort(c.HTTP)
	if err != nil {
		return nil, err
	}
	tlsHost, tlsPort, err := hostAndPort(c.HTTPS)
	if err != nil {
		return nil, err
	}
	switch {
	case c.HTTP == nil && c.HTTPS == nil:
		return nil, errors.New("ACME: no listener can answer a challenge")
	case c.HTTP == nil:
		host = tlsHost
	case c.HTTPS != nil && host != tlsHost:
		return nil, fmt.Errorf("ACME: the challenges are answered on %s and on %s, which must be one host", host, tlsHost)
	}
	log := zapLogger(c.Log)
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		RenewCheckInterval: c.RenewalCheck,
		Logger:             log,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage:   &certmagic.FileStorage{Path: c.Folder},
		KeySource: certmagic.StandardKeyGenerator{KeyType: certmagic.KeyType(c.KeyType)},
		OnEvent:   a.event,
		Logger:    log,

		ReusePrivateKeys: c.ReuseKey,
	})
	email, register := accountOf(c.Email)
	a.issuer = certmagic.NewACMEIssuer(a.config, certmagic.ACMEIssuer{
		CA: c.Directory, TrustedRoots: c.Roots, Email: email, NewAccountFunc: register, Agreed: true,
		DisableHTTPChallenge: c.HTTP == nil, DisableTLSALPNChallenge: c.HTTPS == nil,
		// The library listens by itself where nobody does. Our listeners are there already, and it finds them.
		ListenHost: host, AltHTTPPort: httpPort, AltTLSALPNPort: tlsPort,
		Logger: log,
	})
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	a.metrics = newACMEMetrics(c.Registerer)
	return a, nil
}

// accountOf says under which address the library keeps the account, and what becomes of an account before it is registered.
// Without an address the library would look for the last one it used, take the folder of accounts that have none for one
// while another name registers, and tell the authority about a contact "default". So it is told that folder's name at
// once, and the contact is taken back.
func accountOf(email string) (string, func(context.Context, *certmagic.ACMEIssuer, acme.Account) (acme.Account, error)) {
	if email != "" {
		return email, nil
	}
	return "default", func(_ context.Context, _ *certmagic.ACMEIssuer, account acme.Account) (acme.Account, error) {
		account.Contact = nil
		return account, nil
	}
}

func hostAndPort(addr net.Addr) (string, int, error) {
	if addr == nil {
		return "", 0, nil
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", 0, fmt.Errorf("ACME: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return "", 0, fmt.Errorf("ACME: %w", err)
	}
	return host, n, nil
}

// Manage has certificates for these names and for no others. What has failed so far is tried again at once. It does not wait.
func (a *ACME) Manage(names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stop()
	var gone []certmagic.SubjectIssuer
	for _, name := range a.names {
		if !slices.Contains(names, name) {
			gone = append(gone, certmagic.SubjectIssuer{Subject: name})
			delete(a.failures, name)
		}
	}
	a.cache.RemoveManaged(gone)
	a.names = slices.Clone(names)
	var ctx context.Context
	ctx, a.stop = context.WithCancel(context.Background())
	for _, name := range names {
		a.working.Go(func() { a.manage(ctx, name) })
	}
}

// manage loads the certificate of a name, or gets it, which may take until ctx ends. From then on the library renews it.
func (a *ACME) manage(ctx context.Context, name string) {
	if len(a.cache.AllMatchingCertificates(name)) == 0 {
		for obtained := false; ctx.Err() == nil; {
			_, err := a.config.CacheManagedCertificate(ctx, name)
			if errors.Is(err, fs.ErrNotExist) {
				err = a.config.ObtainCertAsync(ctx, name) // not at all: it returns when it has it or gives up
				if err == nil {
					obtained = true
					continue
				}
			}
			if err == nil && obtained {
				a.log.Info("certificate obtained", "name", name, "renewal", false)
			}
			if err == nil || ctx.Err() != nil {
				break
			}
			a.failed(name, err) // what is stored cannot be read
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
		}
	}
	if ctx.Err() == nil {
		if err := a.cache.RenewManagedCertificates(ctx); err != nil {
			a.failed(name, err)
		}
	}
}

// Close ends the work. A certificate that is being asked for is given up, and asked for again after the next start.
func (a *ACME) Close() {
	a.mu.Lock()
	a.stop()
	a.mu.Unlock()
	a.working.Wait()
	a.cache.Stop()
}

// Handler answers the challenge HTTP-01 and leaves everything else to next.
func (a *ACME) Handler(next http.Handler) http.Handler { return a.issuer.HTTPChallengeHandler(next) }

// TLSConfig gives the configuration for a handshake that is the challenge TLS-ALPN-01, or nil for any other.
func (a *ACME) TLSConfig(hello *tls.ClientHelloInfo) *tls.Config {
	if !slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol}) {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.config.GetCertificate, NextProtos: []string{acmez.ACMETLS1Protocol}}
}

// all yields what there is, in the order of the names.
func (a *ACME) all(yield func(*tls.Certificate) bool) {
	a.mu.Lock()
	names := a.names
	a.mu.Unlock()
	for _, name := range names {
		for _, certificate := range a.cache.AllMatchingCertificates(name) {
			if !yield(&certificate.Certificate) {
				return
			}
		}
	}
}

// event hears what the library does.
func (a *ACME) event(_ context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	switch event {
	case "cert_obtained":
		a.metrics.obtained.Inc()
		a.mu.Lock()
		delete(a.failures, name)
		a.mu.Unlock()
		if renewal, _ := data["renewal"].(bool); renewal { // the first one is told once it can be shown
			a.log.Info("certificate obtained", "name", name, "renewal", true)
		}
	case "cert_failed":
		err, _ := data["error"].(error)
		a.failed(name, err)
	}
	return nil
}

// failed remembers and tells why there is no new certificate for a name.
func (a *ACME) failed(name string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	a.metrics.failed.Inc()
	a.mu.Lock()
	a.failures[name] = fmt.Sprint(err)
	a.mu.Unlock()
	a.log.Warn("certificate not obtained; it will be tried again", "name", name, "error", err)
}

// warnings are the names whose last try failed, and those that have no certificate yet.
func (a *ACME) warnings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var warnings []string
	for _, name := range a.names {
		failure, failed := a.failures[name]
		has := len(a.cache.AllMatchingCertificates(name)) > 0
		switch {
		case failed && has:
			warnings = append(warnings, fmt.Sprintf("the certificate of %s could not be renewed: %s", name, failure))
		case failed:
			warnings = append(warnings, fmt.Sprintf("no certificate for %s: %s", name, failure))
		case !has:
			warnings = append(warnings, "no certificate for "+name+" yet")
		}
	}
	return warnings
}
