package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Certificates are all that a server can show. They are safe for concurrent use.
type Certificates struct {
	files atomic.Pointer[Files]
	acme  *ACME // nil: none
	log   *slog.Logger
}

// New makes certificates of ACME, which may be nil; those of files come by [Certificates.SetFiles].
func New(acme *ACME, log *slog.Logger) *Certificates {
	c := &Certificates{acme: acme, log: log}
	c.files.Store(&Files{})
	return c
}

// SetFiles puts the certificates of files in the place of those before. Handshakes that run keep theirs.
func (c *Certificates) SetFiles(files *Files) { c.files.Store(files) }

// ErrNone says that there is no certificate to show.
var ErrNone = errors.New("there is no certificate yet")

// Get chooses the certificate of a handshake: of those whose names fit the one that the client asks for (SNI, RFC 6066 section
// 3) the first that it can use and that has not expired, files before ACME; else one that has; else the first of all, for
// most peers of SMTP do not verify. It is GetCertificate of a [tls.Config].
func (c *Certificates) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var first, expired *tls.Certificate
	now := time.Now()
	for certificate := range c.all {
		if first == nil {
			first = certificate
		}
		switch {
		case hello.SupportsCertificate(certificate) != nil:
		case now.Before(certificate.Leaf.NotAfter):
			return certificate, nil
		case expired == nil:
			expired = certificate
		}
	}
	switch {
	case expired != nil:
		return expired, nil
	case first != nil:
		return first, nil
	}
	return nil, ErrNone
}

// all yields the certificates, files first, in the order of the configuration.
func (c *Certificates) all(yield func(*tls.Certificate) bool) {
	for _, pair := range c.files.Load().pairs {
		if !yield(pair.certificate) {
			return
		}
	}
	if c.acme != nil {
		c.acme.all(yield)
	}
}

// Ready says whether there is a certificate to show.
func (c *Certificates) Ready() bool {
	for range c.all {
		return true
	}
	return false
}

// Find gives the certificate that a client which asks for name would be shown and could verify, or nil.
func (c *Certificates) Find(name string) *tls.Certificate {
	for certificate := range c.all {
		if certificate.Leaf.VerifyHostname(name) == nil {
			return certificate
		}
	}
	return nil
}

// soon is how long before its end a certificate that nobody has renewed is worth a word. Those of ninety days are renewed a month
// before their end, those of six days two days before.
const soon = 24 * time.Hour

// Warnings are what an operator should know about the certificates: what was not taken, what has expired or soon will, what the
// authority refuses. Mail goes on with any of them.
func (c *Certificates) Warnings() []string {
	var warnings []string
	for _, pair := range c.files.Load().pairs {
		if pair.trouble != "" {
			warnings = append(warnings, fmt.Sprintf("certificate %s: what stands in the file now was not taken: %s", pair.CertFile, pair.trouble))
		}
	}
	for certificate := range c.all {
		switch left := time.Until(certificate.Leaf.NotAfter); {
		case left < 0:
			warnings = append(warnings, fmt.Sprintf("the certificate of %v has expired", certificate.Leaf.DNSNames))
		case left < soon:
			warnings = append(warnings, fmt.Sprintf("the certificate of %v expires within a day", certificate.Leaf.DNSNames))
		}
	}
	if c.acme != nil {
		warnings = append(warnings, c.acme.warnings()...)
	}
	return warnings
}
