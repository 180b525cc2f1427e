package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// serverName is in the certificate of every server under test that speaks TLS.
const serverName = "mx.letterhook.example"

// An installation is what an operator would write down for `letterhook serve`. Mail for one.example belongs to one account, mail
// for two.example to another; both accounts post to the same receiver.
type installation struct {
	data     string         // data folder; empty: a temporary one
	smtp     string         // further lines of the section smtp
	storage  string         // and of storage
	wrap     []string       // command to run the server under
	starttls bool           // with a certificate of its own
	roots    *x509.CertPool // which this pool trusts after the start
}

const configuration = `hostname: ` + serverName + `
public_url: http://%[1]s
data_dir: %[2]s
smtp:
  listeners:
    - {name: mx, address: "%[3]s", tls: %[4]s}
%[5]s
http:
  public: {address: "%[1]s"}
  private: {address: "%[1]s"}
storage:
%[6]s
accounts:
  - {name: first}
  - {name: second}
endpoints:
  - {name: first-hook, account: first, url: "%[7]s", secrets: [%[8]s], allow_private: true}
  - {name: second-hook, account: second, url: "%[7]s", secrets: [%[8]s], allow_private: true}
domains:
  - name: one.example
    account: first
    routes: [{match: "*", endpoints: [first-hook]}]
  - name: two.example
    account: second
    routes: [{match: "*", endpoints: [second-hook]}]
`

// startInstallation writes the configuration and starts the server.
func startInstallation(ctx context.Context, t *testing.T, i *installation) (*bench.Server, *inbox, bench.ServerOptions) {
	t.Helper()
	in := newInbox(t)
	if i.data == "" {
		i.data = t.TempDir()
	}
	smtp, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	web, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	mode, certificate := "none", ""
	if i.starttls {
		mode, certificate = "starttls", i.certificate(t)
	}
	storage := i.storage
	if !strings.Contains(storage, "min_free") {
		storage += "\n  min_free: 0"
	}
	text := fmt.Sprintf(configuration, web, i.data, smtp, mode, i.smtp, storage, in.URL, secret) + certificate
	o := bench.ServerOptions{Program: program(t), Wrap: i.wrap, SMTP: smtp, HTTP: web, Config: filepath.Join(t.TempDir(), "letterhook.yaml")}
	if err := os.WriteFile(o.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(ctx, t, o), in, o
}

// certificate makes a certificate that signs itself, and the section of the configuration that names it.
func (i *installation) certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secretKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	i.roots = x509.NewCertPool()
	i.roots.AppendCertsFromPEM(chain)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, content := range map[string][]byte{
		certFile: chain, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretKey}),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("tls:\n  certificates:\n    - {cert_file: %q, key_file: %q}\n", certFile, keyFile)
}
