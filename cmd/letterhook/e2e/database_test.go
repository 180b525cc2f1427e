package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// pair makes a certificate that signs itself for 127.0.0.1, and its key.
func pair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secretKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretKey})
}

// TestPostgresOverTLS verifies the database's certificate: no connection is in clear, and neither another authority nor another name will do.
func TestPostgresOverTLS(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	cluster := throwaway.StartPostgres(t)
	certificate, key := pair(t)
	if err := cluster.Encrypt(certificate, key); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root := writeConf(t, dir, "root.pem", string(certificate))
	another, _ := pair(t)
	stranger := writeConf(t, dir, "another.pem", string(another))
	database := cluster.Database(t)
	verified := func(root string) string {
		return strings.Replace(database, "sslmode=disable", "sslmode=verify-full&sslrootcert="+root, 1)
	}
	server, in, o := startInstallation(ctx, t, &installation{storage: "  database: " + verified(root)})
	accepted(ctx, t, server, []byte(greeting), "ann@one.example")
	in.awaitFor(ctx, t, "ann@one.example")
	if over, bare := connections(ctx, t, database); over == 0 || bare > 0 {
		t.Errorf("%d connections are over TLS, %d in clear", over, bare)
	}
	stopAndCheck(t, server, o)

	config := edit(t, o.Config)
	for what, url := range map[string]string{
		"another authority": verified(stranger),
		"another name":      strings.Replace(verified(root), "127.0.0.1", "localhost", 1),
	} {
		path := writeConf(t, t.TempDir(), "letterhook.yaml", strings.Replace(config, verified(root), url, 1))
		out, err := exec.CommandContext(ctx, o.Program, "serve", "-c", path).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "certificate") {
			t.Errorf("%s: the server ended with %v and said\n%s", what, err, out)
		}
	}
}

// connections counts those that others have to a database.
func connections(ctx context.Context, t *testing.T, database string) (over, bare int) {
	t.Helper()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&over, &bare)
	if err != nil {
		t.Fatal(err)
	}
	return over, bare
}

// TestPostgresFallsSilent stops everything between server and database, without a word: mail is refused for now instead of waiting for
// ever, and when the way is there again all goes on by itself.
func TestPostgresFallsSilent(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	cluster := throwaway.StartPostgres(t)
	v := newValve(t, cluster.Address())
	server, in, o := startInstallation(ctx, t, &installation{storage: "  database: " + through(t, cluster.Database(t), v.addr)})
	accepted(ctx, t, server, []byte(greeting), "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")
	v.stop()
	deferred(ctx, t, server, []byte(greeting), "meanwhile@one.example")
	v.cut()
	v.flow()
	eventually(ctx, t, "mail is accepted again", func() bool {
		return deliver(ctx, t, server.SMTP, []byte(greeting), "after@one.example").code == 250
	})
	in.awaitFor(ctx, t, "after@one.example")
	stopAndCheck(t, server, o)
}
