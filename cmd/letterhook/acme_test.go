package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"strconv"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/cmd/letterhook/identity/pebbletest"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// underACME is a configuration that gets its certificates from an authority. WEB is the address of the public listener.
const underACME = `hostname: mx.example.com
public_url: https://mx.example.com/
data_dir: DATA
smtp: {listeners: [{name: mx, address: "127.0.0.1:0", tls: starttls}]}
tls: {acme: {names: [mx.example.com], agree_to_terms: true, directory: "DIRECTORY", ca_file: "CA"MORE}}
http: {public: {address: "WEB", tls: SECURE}, private: {address: "localhost:0"}}
storage: {min_free: 0}
endpoints: [{name: app, url: "URL", allow_private: true, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}]
domains: [{name: in.example.com, mta_sts: {mode: enforce, max_age: 2d}, routes: [{match: ann, endpoints: [app]}]}]
`

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// sendOverTLS sends letter over STARTTLS to a server whose certificate it verifies.
func sendOverTLS(t *testing.T, addr string, roots *x509.CertPool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "mx.example.com"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Mail("ann@sender.example"); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("ann@in.example.com"); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, letter); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestACME gets certificates for the mail server and for a policy of MTA-STS, by each challenge, through the listeners of a
// server that takes mail in clear meanwhile. Then mail comes over TLS, and the policy by HTTPS.
func TestACME(t *testing.T) {
	dns := dnstest.New(t, "mx.example.com. A 127.0.0.1", "mta-sts.in.example.com. A 127.0.0.1")
	for _, kind := range []string{"TLS-ALPN-01", "HTTP-01", "HTTP-01 beside HTTPS"} {
		t.Run(kind, func(t *testing.T) {
			web, challenges := pebbletest.FreeAddr(t), pebbletest.FreeAddr(t)
			o := pebbletest.Options{DNS: dns.Addr}
			secure, more := "true", ""
			switch kind {
			case "TLS-ALPN-01":
				o.HTTPSPort = portOf(t, web)
			case "HTTP-01":
				o.HTTPPort, secure = portOf(t, web), "false"
			default:
				o.HTTPPort, more = portOf(t, challenges), `, http_address: "`+challenges+`"`
			}
			p := pebbletest.Start(t, o)
			url, events := eventsOf(t)
			s := serveFile(t, strings.NewReplacer("DIRECTORY", p.Directory, "CA\"", p.CAFile+"\"", "MORE", more,
				"WEB", web, "SECURE", secure, "URL", url).Replace(underACME))
			s.log.await(t, "certificate obtained\" name=mx.example.com")
			s.log.await(t, "certificate obtained\" name=mta-sts.in.example.com")
			sendOverTLS(t, s.smtpListeners[0].Addr().String(), p.Roots)
			if e := <-events; e.Envelope.TLS == nil {
				t.Error("the event says nothing of TLS")
			}
			policyIs(t, s, p.Roots, kind != "HTTP-01")
			metrics := get(t, "http://"+s.private.Addr().String()+"/metrics")
			for _, line := range []string{"letterhook_acme_obtained_total 2\n", `letterhook_tls_certificate_expires_in_seconds{name="mx.example.com"}`} {
				if !strings.Contains(metrics, line) {
					t.Errorf("no %s in the metrics", line)
				}
			}
		})
	}
}

// policyIs fetches the policy of MTA-STS as a sender would.
func policyIs(t *testing.T, s *serving, roots *x509.CertPool, secure bool) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.public.Addr().String())
		},
	}}
	defer client.CloseIdleConnections()
	scheme := map[bool]string{true: "https", false: "http"}[secure]
	for host, want := range map[string]string{
		"mta-sts.in.example.com": "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 172800\r\n",
		"mx.example.com":         "",
	} {
		response, err := client.Get(scheme + "://" + host + "/.well-known/mta-sts.txt")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case err != nil:
			t.Error(err)
		case want == "" && response.StatusCode != http.StatusNotFound:
			t.Errorf("the policy of %s is %s", host, response.Status)
		case want != "" && (string(body) != want || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain")):
			t.Errorf("the policy of %s is %q, %s", host, body, response.Header)
		}
	}
}

// TestACMEWithoutAuthority: mail goes on in clear, the server is ready, and log, metrics and /readyz say what is missing.
func TestACMEWithoutAuthority(t *testing.T) {
	url, events := eventsOf(t)
	dead := pebbletest.FreeAddr(t)
	text := strings.NewReplacer("DIRECTORY", "https://"+dead+"/dir", `ca_file: "CA"MORE`, `key_type: p384`,
		"WEB", "127.0.0.1:0", "SECURE", "true", "URL", url).Replace(underACME)
	s := serveFile(t, text)
	s.log.await(t, "certificate not obtained; it will be tried again\" name=mx.example.com")
	if err := smtp.SendMail(s.smtpListeners[0].Addr().String(), nil, "ann@sender.example", []string{"ann@in.example.com"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Envelope.TLS != nil {
		t.Errorf("TLS without a certificate: %+v", e.Envelope.TLS)
	}
	private := "http://" + s.private.Addr().String()
	if got := get(t, private+"/readyz"); !strings.Contains(got, `"ready":true`) || !strings.Contains(got, "no certificate for mx.example.com: ") {
		t.Errorf("/readyz says %s", got)
	}
	if got := get(t, private+"/metrics"); strings.Contains(got, "letterhook_acme_failed_total 0\n") {
		t.Error("the metrics know of no failure")
	}
	if _, err := tls.Dial("tcp", s.public.Addr().String(), &tls.Config{InsecureSkipVerify: true}); err == nil { //nolint:gosec // there is none
		t.Error("HTTPS found a certificate")
	}
}
