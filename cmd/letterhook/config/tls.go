package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

// ACME is how certificates are got from an authority (RFC 8555). Without names none is asked.
type ACME struct {
	Names        []string `yaml:"names"`          // one certificate for each, beside those of MTA-STS
	Directory    string   `yaml:"directory"`      // URL of the authority
	AgreeToTerms bool     `yaml:"agree_to_terms"` // of the authority; without it there is no account
	Email        string   `yaml:"email"`          // that the authority may write to
	KeyType      string   `yaml:"key_type"`       // "p256", "p384", "rsa2048" or "rsa4096"
	CAFile       string   `yaml:"ca_file"`        // PEM roots of the authority's own certificate; empty: those of the system
	ReuseKey     bool     `yaml:"reuse_key"`      // a renewed certificate has the key of the one before
	HTTPAddress  string   `yaml:"http_address"`   // that answers HTTP-01 beside the public listener; empty: none
}

// defaultACME asks Let's Encrypt, once there are names.
func defaultACME() ACME {
	return ACME{Directory: "https://acme-v02.api.letsencrypt.org/directory", KeyType: "p256"}
}

// Speaks says whether there are certificates, or will be.
func (t *TLS) Speaks() bool { return len(t.Certificates) > 0 || len(t.ACME.Names) > 0 }

// ACMENames are the names that a certificate is asked for: those that are declared, and those that policies of MTA-STS are
// served under, unless a file has a certificate for them. None where ACME is not used.
func (c *Config) ACMENames() []string {
	names := slices.Clone(c.TLS.ACME.Names)
	if len(names) == 0 {
		return nil
	}
	for i := range c.Domains {
		if name := c.Domains[i].PolicyHost(); name != "" && !c.TLS.covers(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// covers says whether a certificate of a file is for name.
func (t *TLS) covers(name string) bool {
	for _, files := range t.Certificates {
		pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
		if err == nil && pair.Leaf.VerifyHostname(name) == nil {
			return true
		}
	}
	return false
}

// Roots are the certificates of ca_file; nil for those of the system.
func (a *ACME) Roots() (*x509.CertPool, error) {
	if a.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}

func (v *validator) tls() {
	v.word("tls.min_version", v.TLS.MinVersion, "1.2", "1.3")
	for i, c := range v.TLS.Certificates {
		v.certificate(fmt.Sprintf("tls.certificates[%d]", i), c)
	}
	if len(v.TLS.ACME.Names) > 0 {
		v.acme()
	}
	speaks := slices.ContainsFunc(v.SMTP.Listeners, func(l Listener) bool { return l.TLS != TLSNone })
	if speaks && v.Hostname != "" && !v.TLS.covers(v.Hostname) && !slices.Contains(v.TLS.ACME.Names, v.Hostname) {
		v.Warnings = append(v.Warnings, fmt.Sprintf(
			"tls: no certificate is for the hostname %s: senders that verify it, as MTA-STS has them do, will not deliver", v.Hostname))
	}
}

// certificate checks both files of a pair, and then whether they belong together.
func (v *validator) certificate(key string, c Certificate) {
	cert, private := v.file(key+".cert_file", c.CertFile), v.file(key+".key_file", c.KeyFile)
	if cert == nil || private == nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, private); err != nil {
		v.faultf(key, "%v", err)
	}
}

// file reads one that must be there; nil: there is a fault.
func (v *validator) file(key, path string) []byte {
	if path == "" {
		v.faultf(key, "is required")
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		v.faultf(key, "%v", err)
		return nil
	}
	return text
}

func (v *validator) acme() {
	const key = "tls.acme"
	a := &v.TLS.ACME
	for i, name := range a.Names {
		at := fmt.Sprintf("%s.names[%d]", key, i)
		switch {
		case strings.HasPrefix(name, "*."):
			v.faultf(at, "%q is a wildcard, which needs the challenge DNS-01; name each host, or use a file", name)
		case !isHostname(name) || !strings.Contains(name, ".") || net.ParseIP(name) != nil:
			v.faultf(at, "%q is not a full host name in ASCII", name)
		case slices.Index(a.Names, name) < i:
			v.faultf(at, "%q is named twice", name)
		}
	}
	if !a.AgreeToTerms {
		v.faultf(key+".agree_to_terms", "must be true: the authority wants its terms of service agreed to")
	}
	if u, err := httpURL(a.Directory); err != nil {
		v.faultf(key+".directory", "%v", err)
	} else if u.Scheme != "https" {
		v.faultf(key+".directory", "must start with https:// (RFC 8555 section 6.1)")
	}
	v.word(key+".key_type", a.KeyType, "p256", "p384", "rsa2048", "rsa4096")
	if a.Email != "" && !strings.Contains(a.Email, "@") {
		v.faultf(key+".email", "%q is not a mail address", a.Email)
	}
	if _, err := a.Roots(); err != nil {
		v.faultf(key+".ca_file", "%v", err)
	}
	if a.HTTPAddress != "" {
		v.challengeAddress(key + ".http_address")
	}
}

// challengeAddress checks the listener for HTTP-01. The library that answers both challenges knows one host.
func (v *validator) challengeAddress(key string) {
	v.address(key, v.TLS.ACME.HTTPAddress)
	own, _, err := net.SplitHostPort(v.TLS.ACME.HTTPAddress)
	public, _, publicErr := net.SplitHostPort(v.HTTP.Public.Address)
	switch {
	case err != nil || publicErr != nil:
	case !v.HTTP.Public.TLS:
		v.faultf(key, "is not needed: http.public speaks no TLS and answers HTTP-01 itself")
	case own != public:
		v.faultf(key, "must have the host of http.public.address, %q", public)
	}
}
