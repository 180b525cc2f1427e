// Package pebbletest runs Pebble, the authority that Let's Encrypt has for tests of ACME, on loopback.
package pebbletest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options say where Pebble looks for the answers to its challenges.
type Options struct {
	DNS       string        // address of the DNS server that it asks
	HTTPPort  int           // in place of 80; 0: none, HTTP-01 fails
	HTTPSPort int           // in place of 443; 0: none, TLS-ALPN-01 fails
	Validity  time.Duration // of the certificates that it issues; 0: 90 days
	Addr      string        // where it listens; empty: a free port
}

// Pebble is a running authority.
type Pebble struct {
	Directory string         // URL
	CAFile    string         // PEM root of the certificate that it shows itself
	Roots     *x509.CertPool // that the certificates which it issues lead to

	kill func()
}

// Start runs Pebble until the test ends. Without the program the test is skipped, in CI it fails.
func Start(t testing.TB, o Options) *Pebble {
	t.Helper()
	program, err := exec.LookPath("pebble")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("pebble is not installed")
		}
		t.Skip("pebble is not installed")
	}
	if o.Addr == "" {
		o.Addr = FreeAddr(t)
	}
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	dir := t.TempDir()
	p := &Pebble{Directory: "https://" + o.Addr + "/dir", CAFile: filepath.Join(dir, "cert.pem")}
	management := FreeAddr(t)
	keyFile := filepath.Join(dir, "key.pem")
	own := writeCertificate(t, p.CAFile, keyFile)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": o.Addr, "managementListenAddress": management, "certificate": p.CAFile, "privateKey": keyFile,
		"httpPort": o.HTTPPort, "tlsPort": o.HTTPSPort, "certificateValidityPeriod": int(o.Validity / time.Second),
	}})
	if err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(configFile, config, 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t, exec.Command(program, "-config", configFile, "-dnsserver", o.DNS))
	p.Roots = roots(t, "https://"+management, own)
	return p
}

// Kill ends it at once.
func (p *Pebble) Kill() { p.kill() }

// run starts the program and waits until it listens. What it says is shown when the test fails.
func (p *Pebble) run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	// It is to validate at once, not after up to 15 seconds, and to refuse nothing by chance: a name that failed is tried
	// again only after a minute.
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan bool, 1), make(chan struct{})
	var log strings.Builder
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			log.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "ACME directory available") {
				listening <- true
			}
		}
		select {
		case listening <- false:
		default:
		}
	}()
	p.kill = func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text := log.String()
			t.Logf("pebble said:\n%s", text[max(0, len(text)-4000):])
		}
	})
	if !<-listening {
		<-ended
		t.Fatalf("pebble ended: %s", log.String())
	}
}

// FreeAddr finds a free port of loopback.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// writeCertificate makes the certificate that Pebble shows itself.
func writeCertificate(t testing.TB, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, content := range map[string][]byte{certFile: chain, keyFile: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	return pool
}

// roots asks Pebble for the root of what it issues, which is another one at each start.
func roots(t testing.TB, management string, own *x509.CertPool) *x509.CertPool {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own}}}
	defer client.CloseIdleConnections()
	response, err := client.Get(management + "/roots/0")
	for err != nil && t.Context().Err() == nil { // it says that it listens before it does
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
		response, err = client.Get(management + "/roots/0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("the root of pebble: %s %q", response.Status, text)
	}
	return pool
}
