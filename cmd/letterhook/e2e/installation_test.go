package e2e

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
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
	data      string         // data folder; empty: a temporary one
	mx        string         // what the configuration says for the address of the listener mx; empty: that address
	listeners string         // further items of smtp.listeners
	smtp      string         // further lines of the section smtp
	storage   string         // and of storage
	more      string         // further sections
	wrap      []string       // command to run the server under
	handed    *os.File       // a socket that it is started with; mx is then the name of it
	starttls  bool           // with a certificate of its own
	roots     *x509.CertPool // which this pool trusts after the start
	trusted   string         // and which is this, PEM
}

const configuration = `hostname: ` + serverName + `
public_url: http://%[1]s
data_dir: %[2]s
smtp:
  listeners:
    - {name: mx, address: "%[3]s", tls: %[4]s}
%[5]s
%[9]s
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
	text := fmt.Sprintf(configuration, web, i.data, cmp.Or(i.mx, smtp), mode, i.listeners, storage, in.URL, secret, i.smtp) + certificate + i.more
	if i.handed != nil {
		smtp = addressOf(t, i.handed)
	}
	o := bench.ServerOptions{Program: program(t), Wrap: i.wrap, Handed: i.handed, SMTP: smtp, HTTP: web, Config: filepath.Join(t.TempDir(), "letterhook.yaml")}
	if err := os.WriteFile(o.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(ctx, t, o), in, o
}

// freePort is a free port of a loopback address, with the address and alone. Listeners that run at the same time have an
// address each.
func freePort(t *testing.T, host string) (addr, port string) {
	t.Helper()
	addr, err := bench.FreePort(host)
	if err != nil {
		t.Fatal(err)
	}
	if _, port, err = net.SplitHostPort(addr); err != nil {
		t.Fatal(err)
	}
	return addr, port
}

// addressOf is where a socket listens.
func addressOf(t *testing.T, socket *os.File) string {
	t.Helper()
	l, err := net.FileListener(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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
	i.trusted = string(chain)
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
