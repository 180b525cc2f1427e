package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/identity"
)

// buffer is a log that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *buffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// made is a certificate in PEM, chain and key.
type made struct{ chain, key []byte }

// make1 makes a self-signed certificate.
func make1(t *testing.T, serial int64, kind x509.PublicKeyAlgorithm, notAfter time.Time, names ...string) made {
	t.Helper()
	var key any
	var public any
	var err error
	if kind == x509.RSA {
		var k *rsa.PrivateKey
		k, err = rsa.GenerateKey(rand.Reader, 2048)
		key, public = k, k.Public()
	} else {
		var k *ecdsa.PrivateKey
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		key, public = k, k.Public()
	}
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: names, NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return made{
		chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, pairs ...identity.Pair) *identity.Files {
	t.Helper()
	files, err := identity.ReadFiles(pairs)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestWatch changes the files of a certificate in every bad way and the good one. The clock is virtual: every step is two looks
// and a bit unless it says otherwise.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	pair := identity.Pair{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	far := time.Now().Add(time.Hour)
	certificates := map[int64]made{}
	for serial := int64(1); serial <= 5; serial++ {
		certificates[serial] = make1(t, serial, x509.ECDSA, far, "mx.example.com")
	}
	put := func(serial int64) {
		write(t, pair.CertFile, certificates[serial].chain)
		write(t, pair.KeyFile, certificates[serial].key)
	}
	put(1)
	synctest.Test(t, func(t *testing.T) {
		var log buffer
		c := identity.New(nil, log.logger())
		c.SetFiles(read(t, pair))
		go func() { _ = c.Watch(t.Context(), identity.LookEvery) }()
		after := func(looks int, want int64, what string) {
			t.Helper()
			time.Sleep(time.Duration(looks) * identity.LookEvery)
			synctest.Wait()
			if got := c.Find("mx.example.com").Leaf.SerialNumber.Int64(); got != want {
				t.Errorf("%s: certificate %d, want %d", what, got, want)
			}
		}
		time.Sleep(time.Second) // the steps fall between two looks
		after(3, 1, "nothing changed")

		write(t, pair.CertFile, certificates[2].chain)
		after(1, 1, "the certificate is there, its key is not")
		write(t, pair.KeyFile, certificates[2].key)
		after(1, 1, "both were seen once")
		after(1, 2, "both were seen twice")
		if got := log.String(); strings.Contains(got, "not taken") || strings.Count(got, "certificate changed") != 1 {
			t.Errorf("a change in two steps is logged so:\n%s", got)
		}

		whole := append(slices.Clone(certificates[3].chain), certificates[1].chain...) // the second one stands for an intermediate
		write(t, pair.CertFile, certificates[3].chain)
		write(t, pair.KeyFile, certificates[3].key)
		after(1, 2, "the chain is written in part")
		write(t, pair.CertFile, whole)
		after(1, 2, "the chain is whole, and was seen once")
		after(1, 3, "the chain is whole")
		if n := len(c.Find("mx.example.com").Certificate); n != 2 {
			t.Errorf("the chain has %d certificates", n)
		}

		write(t, pair.CertFile, certificates[4].chain)
		after(6, 3, "a certificate of another key")
		if got := strings.Count(log.String(), "certificate not taken; the old one stays"); got != 1 {
			t.Errorf("a bad pair is logged %d times:\n%s", got, &log)
		}
		if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "was not taken") {
			t.Errorf("warnings %q", w)
		}
		write(t, pair.CertFile, whole)
		after(3, 3, "the bad pair is taken back")
		if w := c.Warnings(); len(w) != 0 {
			t.Errorf("warnings %q", w)
		}

		if err := os.Remove(pair.KeyFile); err != nil {
			t.Fatal(err)
		}
		after(3, 3, "the key is gone")
		put(5)
		after(3, 5, "both are there again")

		c.SetFiles(read(t, pair)) // a reload
		put(1)
		after(3, 1, "changed after a reload")
	})
}

// TestWatchLinks renews as certbot does: the files are links, which come to point at others.
func TestWatchLinks(t *testing.T) {
	dir := t.TempDir()
	pair := identity.Pair{CertFile: filepath.Join(dir, "fullchain.pem"), KeyFile: filepath.Join(dir, "privkey.pem")}
	link := func(serial string, m made) {
		write(t, filepath.Join(dir, "fullchain"+serial), m.chain)
		write(t, filepath.Join(dir, "privkey"+serial), m.key)
		for target, path := range map[string]string{"fullchain" + serial: pair.CertFile, "privkey" + serial: pair.KeyFile} {
			if err := os.Symlink(target, path+".new"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
	}
	link("1", make1(t, 1, x509.ECDSA, time.Now().Add(time.Hour), "mx.example.com"))
	second := make1(t, 2, x509.ECDSA, time.Now().Add(time.Hour), "mx.example.com")
	synctest.Test(t, func(t *testing.T) {
		var log buffer
		c := identity.New(nil, log.logger())
		c.SetFiles(read(t, pair))
		go func() { _ = c.Watch(t.Context(), identity.LookEvery) }()
		link("2", second)
		time.Sleep(3 * identity.LookEvery)
		synctest.Wait()
		if got := c.Find("mx.example.com").Leaf.SerialNumber.Int64(); got != 2 {
			t.Errorf("certificate %d", got)
		}
	})
}

// shown is the serial number of the certificate that a client is shown; name may be empty.
func shown(t *testing.T, c *identity.Certificates, client *tls.Config, name string) int64 {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		defer far.Close()
		_ = tls.Server(far, &tls.Config{GetCertificate: c.Get, MinVersion: tls.VersionTLS12}).Handshake()
	}()
	client = client.Clone()
	client.InsecureSkipVerify, client.ServerName = true, name
	conn := tls.Client(near, client)
	if err := conn.Handshake(); err != nil {
		return 0
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestChoice asks several certificates for names, as clients that know several kinds of keys do.
func TestChoice(t *testing.T) {
	dir := t.TempDir()
	var pairs []identity.Pair
	add := func(m made) {
		path := filepath.Join(dir, string(rune('a'+len(pairs)))+".pem")
		write(t, path, append(m.chain, m.key...))
		pairs = append(pairs, identity.Pair{CertFile: path, KeyFile: path})
	}
	far := time.Now().Add(48 * time.Hour)
	add(make1(t, 1, x509.ECDSA, far, "mx.example.com"))
	add(make1(t, 2, x509.RSA, far, "mx.example.com"))
	add(make1(t, 3, x509.ECDSA, far, "mx.example.org", "mail.example.org"))
	add(make1(t, 4, x509.ECDSA, far, "*.wild.example"))
	add(make1(t, 5, x509.ECDSA, time.Now().Add(-time.Hour), "old.example"))
	add(make1(t, 6, x509.ECDSA, far, "old.example"))
	add(make1(t, 7, x509.ECDSA, time.Now().Add(-time.Hour), "older.example"))
	var log buffer
	c := identity.New(nil, log.logger())
	if c.Ready() || shown(t, c, &tls.Config{}, "mx.example.com") != 0 {
		t.Error("ready without a certificate")
	}
	c.SetFiles(read(t, pairs...))
	onlyRSA := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	for _, tt := range []struct {
		client *tls.Config
		name   string
		want   int64
	}{
		{&tls.Config{}, "", 1},
		{&tls.Config{}, "mx.example.com", 1},
		{&tls.Config{}, "MX.Example.com", 1},
		{onlyRSA, "mx.example.com", 2},
		{onlyRSA, "", 2},
		{&tls.Config{}, "mail.example.org", 3},
		{&tls.Config{}, "a.wild.example", 4},
		{&tls.Config{}, "old.example", 6},
		{&tls.Config{}, "older.example", 7},
		{&tls.Config{}, "a.b.wild.example", 1},
		{&tls.Config{}, "stranger.example", 1},
	} {
		if got := shown(t, c, tt.client, tt.name); got != tt.want {
			t.Errorf("for %q the client is shown %d, want %d", tt.name, got, tt.want)
		}
	}
	if w := c.Warnings(); len(w) != 2 || !strings.Contains(w[0], "[old.example] has expired") {
		t.Errorf("warnings %q", w)
	}
}

// TestReadFiles reports what cannot be used.
func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	one, two := make1(t, 1, x509.ECDSA, time.Now(), "a.example"), make1(t, 2, x509.ECDSA, time.Now(), "a.example")
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	write(t, cert, one.chain)
	write(t, key, two.key)
	for want, pair := range map[string]identity.Pair{
		"does not match":  {CertFile: cert, KeyFile: key},
		"no such file":    {CertFile: cert, KeyFile: key + "2"},
		"failed to find ": {CertFile: key, KeyFile: key},
	} {
		if _, err := identity.ReadFiles([]identity.Pair{pair}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
