package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// Password is a secret that is a text. It prints as a placeholder so that it cannot reach a log.
type Password string

// String hides the password.
func (Password) String() string { return "***" }

// GoString hides the password.
func (Password) GoString() string { return "***" }

// BasicAuth is user and password that every request to an endpoint has (RFC 7617).
type BasicAuth struct {
	Username     string   `yaml:"username"`
	Password     Password `yaml:"password"`
	PasswordFile string   `yaml:"password_file"` // file that holds it instead
}

// OAuth gets tokens for an endpoint by client credentials (RFC 6749 section 4.4).
type OAuth struct {
	TokenURL         string            `yaml:"token_url"`
	ClientID         string            `yaml:"client_id"`
	ClientSecret     Password          `yaml:"client_secret"`
	ClientSecretFile string            `yaml:"client_secret_file"` // file that holds it instead
	Scopes           []string          `yaml:"scopes"`
	Params           map[string]string `yaml:"params"`         // further parameters, for example audience
	SecretInBody     bool              `yaml:"secret_in_body"` // the credentials go in the body in place of basic authentication
}

// ProxyNone is the proxy of an endpoint that uses none whatever delivery.proxy says.
const ProxyNone = "none"

// passwordFile reads a secret that stands in a file of its own.
func passwordFile(c *Config, f *faults, key, path string, inline *Password) {
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	word := Password(bytes.TrimSpace(text))
	switch {
	case *inline != "":
		f.addf(c.at(f, key), key, "the secret is given beside it too; give one of the two")
	case err != nil:
		f.addf(c.at(f, key), key, "%v", err)
	case word == "":
		f.addf(c.at(f, key), key, "%s is empty", path)
	default:
		*inline = word
	}
}

// pemFile reads a file, if one is named.
func pemFile(c *Config, f *faults, key, path string) []byte {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.addf(c.at(f, key), key, "%v", err)
	}
	return text
}

// completeAccess reads what the access of an endpoint has in files and gathers it.
func completeAccess(c *Config, f *faults, key string, e *Endpoint) {
	passwordFile(c, f, key+".basic_auth.password_file", e.BasicAuth.PasswordFile, &e.BasicAuth.Password)
	passwordFile(c, f, key+".bearer_token_file", e.BearerTokenFile, &e.BearerToken)
	passwordFile(c, f, key+".oauth.client_secret_file", e.OAuth.ClientSecretFile, &e.OAuth.ClientSecret)
	e.Access = storage.Access{
		Username: e.BasicAuth.Username, Password: string(e.BasicAuth.Password), Bearer: string(e.BearerToken),
		Certificate: pemFile(c, f, key+".client_certificate.cert_file", e.ClientCertificate.CertFile),
		Key:         pemFile(c, f, key+".client_certificate.key_file", e.ClientCertificate.KeyFile),
		Authorities: pemFile(c, f, key+".ca_file", e.CAFile),
	}
	if o := &e.OAuth; o.TokenURL != "" {
		e.Access.OAuth = &storage.OAuthClient{
			TokenURL: o.TokenURL, ID: o.ClientID, Secret: string(o.ClientSecret), Scopes: o.Scopes, Params: o.Params, SecretInBody: o.SecretInBody,
		}
	}
}

// access checks how an endpoint is reached.
func (v *validator) access(key string, e Endpoint) {
	own := false
	for name := range e.Headers {
		own = own || http.CanonicalHeaderKey(name) == "Authorization"
	}
	u, err := url.Parse(e.URL)
	inURL, secure := err == nil && u.User != nil, err == nil && u.Scheme == "https"
	if count(own, inURL, e.BasicAuth != BasicAuth{}, e.BearerToken != "", e.oauth()) > 1 {
		v.faultf(key, "give one of basic_auth, bearer_token, oauth, headers.Authorization and a user in the URL")
	}
	v.basicAuth(key+".basic_auth", &e.BasicAuth)
	if strings.ContainsFunc(string(e.BearerToken), notVisible) {
		v.faultf(key+".bearer_token", "holds a space or a character that no header field can carry")
	}
	if e.oauth() {
		v.oauth(key+".oauth", &e)
	}
	v.clientCertificate(key, &e, secure)
	if e.Proxy != ProxyNone {
		v.proxy(key+".proxy", e.Proxy)
	}
}

func (e *Endpoint) oauth() bool {
	return e.OAuth.TokenURL != "" || e.OAuth.ClientID != "" || e.OAuth.ClientSecret != ""
}

func notVisible(r rune) bool { return r <= ' ' || r > '~' }

func (v *validator) basicAuth(key string, b *BasicAuth) {
	if *b == (BasicAuth{}) {
		return
	}
	if b.Username == "" || strings.Contains(b.Username, ":") {
		v.faultf(key+".username", "is required and cannot hold a colon (RFC 7617 section 2)")
	}
	if b.Password == "" && b.PasswordFile == "" {
		v.faultf(key+".password", "is required, here or in password_file")
	}
}

func (v *validator) oauth(key string, e *Endpoint) {
	o := &e.OAuth
	if o.ClientID == "" {
		v.faultf(key+".client_id", "is required")
	}
	if o.ClientSecret == "" && o.ClientSecretFile == "" {
		v.faultf(key+".client_secret", "is required, here or in client_secret_file")
	}
	u, err := httpURL(o.TokenURL)
	switch {
	case o.TokenURL == "":
		v.faultf(key+".token_url", "is required")
		return
	case err != nil:
		v.faultf(key+".token_url", "%v", err)
		return
	case u.Scheme != "https" && !e.AllowPrivate:
		v.faultf(key+".token_url", "must start with https:// (RFC 6749 section 3.2)")
	}
	if err := dispatch.CheckURL(o.TokenURL); err != nil {
		v.faultf(key+".token_url", "%v", err)
		return
	}
	v.reachable(key+".token_url", u, e.AllowPrivate)
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsFunc(scope, notVisible) {
			v.faultf(itemKey(key+".scopes", i), "is not one scope")
		}
	}
}

func (v *validator) clientCertificate(key string, e *Endpoint, secure bool) {
	files := e.ClientCertificate
	switch {
	case (files.CertFile == "") != (files.KeyFile == ""):
		v.faultf(key+".client_certificate", "cert_file and key_file belong together")
	case len(e.Access.Certificate) > 0 && !secure:
		v.faultf(key+".client_certificate", "needs a URL with https://")
	case len(e.Access.Certificate) > 0 && len(e.Access.Key) > 0:
		if _, err := tls.X509KeyPair(e.Access.Certificate, e.Access.Key); err != nil {
			v.faultf(key+".client_certificate", "%v", err)
		}
	}
	if len(e.Access.Authorities) > 0 && !x509.NewCertPool().AppendCertsFromPEM(e.Access.Authorities) {
		v.faultf(key+".ca_file", "holds no certificate in PEM")
	}
	if len(e.Access.Authorities) > 0 && !secure && !strings.HasPrefix(e.OAuth.TokenURL, "https:") {
		v.faultf(key+".ca_file", "needs a URL with https://")
	}
}

// proxy checks the URL of a proxy. It may hold a password, so it is not repeated.
func (v *validator) proxy(key, proxy string) {
	if proxy == "" {
		return
	}
	u, err := url.Parse(proxy)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		v.faultf(key, "is not a URL like http://user:password@proxy.example:3128")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		v.faultf(key, "must hold no path and no query")
	}
}
