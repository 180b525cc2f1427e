package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeIdentity writes a self-signed certificate with a serial number, and its key, into one file.
func writeIdentity(t *testing.T, path string, serial int64) {
	t.Helper()
	writeIdentityFor(t, path, serial, "localhost")
}

func writeIdentityFor(t *testing.T, path string, serial int64, name string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serial is the serial number of the certificate that a listener shows.
func serial(t *testing.T, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is about which one
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestReloadOfCertificates: new certificates are taken with the rest of a configuration or not at all, and TLS does not
// end while the server runs.
func TestReloadOfCertificates(t *testing.T) {
	identity := filepath.Join(t.TempDir(), "identity.pem")
	writeIdentity(t, identity, 1)
	plain := strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/")
	smtps := strings.Replace(plain, `"127.0.0.1:0"}]}`, `"127.0.0.1:0", tls: implicit}]}`, 1) +
		"tls: {certificates: [{cert_file: " + identity + ", key_file: " + identity + "}]}\n"
	s := serveFile(t, smtps)
	address := s.smtpListeners[0].Addr().String()
	if got := serial(t, address); got != 1 {
		t.Fatalf("certificate %d", got)
	}

	writeIdentity(t, identity, 2)
	ended, end := context.WithCancel(t.Context())
	end()
	s.reload(ended, s.path)
	s.log.await(t, "configuration not reloaded")
	if got := serial(t, address); got != 1 {
		t.Errorf("after a reload that failed the certificate is %d", got)
	}

	s.reload(t.Context(), s.path)
	s.log.await(t, "configuration reloaded")
	if got := serial(t, address); got != 2 {
		t.Errorf("after the reload the certificate is %d", got)
	}

	s.write(t, plain)
	s.reload(t.Context(), s.path)
	s.log.await(t, "needs_restart=\"[smtp.listeners tls.certificates]\"")
	if got := serial(t, address); got != 2 {
		t.Errorf("after the certificates were taken away it is %d", got)
	}
}

// TestHealthOverTLS asks a private listener that speaks TLS.
func TestHealthOverTLS(t *testing.T) {
	identity := filepath.Join(t.TempDir(), "identity.pem")
	writeIdentity(t, identity, 1)
	s := serveFile(t, strings.NewReplacer("URL", "http://127.0.0.1:1/", `"localhost:0"`, `"localhost:0", tls: true`).Replace(served)+
		"tls: {certificates: [{cert_file: "+identity+", key_file: "+identity+"}]}\n")
	if err := askHealth(t.Context(), s.private.Addr().String(), "/readyz", true); err != nil {
		t.Error(err)
	}
	if err := askHealth(t.Context(), s.private.Addr().String(), "/readyz", false); err == nil {
		t.Error("it was healthy in clear")
	}
}
