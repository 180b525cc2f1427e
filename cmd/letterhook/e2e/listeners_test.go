package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// users are the users of an installation with submission: printer, with the password s3cret.
const users = `users:
  - {name: printer, password_hash: "$2a$04$6IKLyIyr1jTvYivWOvkZIe9qTnrSN3COqRaN6UymDqwCPPDoeN/HO"}
`

// swaks runs swaks against an address and gives its exit code: 0 delivered, 26 recipients or data refused, 28 no login, 29 no TLS.
func swaks(ctx context.Context, t *testing.T, args ...string) (code int, transcript string) {
	t.Helper()
	program := needTool(t, "swaks")
	cmd := exec.CommandContext(ctx, program, append([]string{
		"--ehlo", "swaks.example", "--from", "swaks@client.example", "--header", "Subject: hello", "--body", "How are you?",
	}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// deliveredBy runs swaks, which must deliver, to a recipient, and gives the event.
func deliveredBy(ctx context.Context, t *testing.T, in *inbox, to string, args ...string) event {
	t.Helper()
	if code, out := swaks(ctx, t, append(args, "--to", to)...); code != 0 {
		t.Fatalf("swaks %q ended with %d:\n%s", args, code, out)
	}
	in.awaitFor(ctx, t, to)
	e, ok := find(in.all(), to)
	if !ok {
		t.Fatalf("no event for %s", to)
	}
	return e
}

// TestSwaksLogin logs in with swaks, which verifies the certificate: by both mechanisms, under STARTTLS and implicit TLS; and is
// sent away with a wrong password, without TLS and without a login.
func TestSwaksLogin(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	submission, _ := freePort(t, "127.0.0.11")
	submissions, _ := freePort(t, "127.0.0.12")
	i := &installation{starttls: true, more: users, listeners: fmt.Sprintf(
		"    - {name: submission, address: %q, kind: submission, tls: starttls}\n    - {name: submissions, address: %q, kind: submission, tls: implicit}",
		submission, submissions)}
	server, in, o := startInstallation(ctx, t, i)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(i.trusted), 0o600); err != nil {
		t.Fatal(err)
	}
	verified := []string{"--tls-verify", "--tls-ca-path", ca}
	login := []string{"--auth-user", "printer", "--auth-password", "s3cret"}
	n := 0
	for _, way := range [][]string{{"--server", submission, "--tls"}, {"--server", submissions, "--tls-on-connect"}} {
		for _, mechanism := range []string{"PLAIN", "LOGIN"} {
			n++
			to := fmt.Sprintf("user%d@one.example", n)
			e := deliveredBy(ctx, t, in, to, append(append(append(way, verified...), login...), "--auth", mechanism)...)
			env := e.Data.Envelope
			if env.AuthUser == nil || *env.AuthUser != "printer" || env.TLS == nil || !strings.HasPrefix(env.Listener, "submission") {
				t.Errorf("envelope %+v", env)
			}
		}
	}
	for _, c := range []struct {
		code  int
		reply string
		args  []string
	}{
		{28, "535 5.7.8", []string{"--server", submission, "--tls", "--auth", "PLAIN", "--auth-user", "printer", "--auth-password", "guess"}},
		{28, "535 5.7.8", []string{"--server", submissions, "--tls-on-connect", "--auth", "LOGIN", "--auth-user", "nobody", "--auth-password", "s3cret"}},
		{28, "Host did not advertise authentication", append([]string{"--server", submission, "--auth", "PLAIN"}, login...)},
		{28, "Host did not advertise authentication", append([]string{"--server", server.SMTP, "--tls", "--auth", "PLAIN"}, login...)},
		{23, "530 5.7.0", []string{"--server", submission, "--tls"}},
		{23, "530 5.7.0", []string{"--server", submission}},
	} {
		if code, out := swaks(ctx, t, append(c.args, "--to", "ann@one.example")...); code != c.code || !strings.Contains(out, c.reply) {
			t.Errorf("swaks %q ended with %d, want %d and %q:\n%s", c.args, code, c.code, c.reply, out)
		}
	}
	if events := in.all(); len(events) != n {
		t.Errorf("%d events, want %d", len(events), n)
	}
	stopAndCheck(t, server, o)
}

// TestSwaksLMTP delivers to recipients of two accounts by LMTP, over TCP and over a unix socket.
func TestSwaksLMTP(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	addr, _ := freePort(t, "127.0.0.13")
	socket := filepath.Join(shortDir(t), "lmtp.sock")
	server, in, o := startInstallation(ctx, t, &installation{listeners: fmt.Sprintf(
		"    - {name: lmtp, address: %q, kind: lmtp}\n    - {name: lmtp-socket, address: \"unix:%s\", kind: lmtp}", addr, socket)})
	for way, args := range map[string][]string{"tcp": {"--server", addr}, "unix": {"--socket", socket}} {
		to := way + "1@one.example," + way + "2@two.example," + way + "3@one.example"
		code, out := swaks(ctx, t, append(args, "--protocol", "LMTP", "--to", to)...)
		if code != 0 || strings.Count(out, "250 2.0.0 OK queued as msg_") != 3 {
			t.Errorf("swaks by %s ended with %d:\n%s", way, code, out)
		}
		in.awaitFor(ctx, t, way+"2@two.example")
		e, _ := find(in.all(), way+"2@two.example")
		if env := e.Data.Envelope; env.RemoteIP != map[string]string{"tcp": "127.0.0.1", "unix": ""}[way] {
			t.Errorf("envelope %+v by %s", env, way)
		}
	}
	in.await(ctx, t, 4)
	stopAndCheck(t, server, o)
	in.exactly(t, "tcp1@one.example,tcp3@one.example", "tcp2@two.example", "unix1@one.example,unix3@one.example", "unix2@two.example")
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// shortDir is a temporary folder whose path fits a unix socket and that every user may enter.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lh-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSwaksProxy speaks as a proxy would, in both versions, to listeners on IPv4 and IPv6. (The LOCAL of swaks is malformed;
// the dialogues of inbound have a right one.)
func TestSwaksProxy(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	four, port := freePort(t, "127.0.0.14")
	six := net.JoinHostPort("::1", port)
	server, in, o := startInstallation(ctx, t, &installation{listeners: fmt.Sprintf(
		"    - {name: proxied, address: %q, proxy_protocol: [127.0.0.0/8]}\n    - {name: proxied-six, address: %q, proxy_protocol: [\"::1/128\"]}", four, six)})
	from := func(family, source, dest string) []string {
		return []string{"--proxy-family", family, "--proxy-source", source, "--proxy-source-port", "4096", "--proxy-dest", dest, "--proxy-dest-port", "25"}
	}
	for to, c := range map[string]struct {
		server []string
		args   []string
		want   string
	}{
		"v1@one.example":    {[]string{"--server", four}, append(from("TCP4", "192.0.2.1", "198.51.100.1"), "--proxy-version", "1"), "192.0.2.1"},
		"v1six@one.example": {[]string{"--server", "::1", "--port", port}, append(from("TCP6", "2001:db8::1", "2001:db8::2"), "--proxy-version", "1"), "2001:db8::1"},
		"v2@one.example":    {[]string{"--server", four}, append(from("AF_INET", "192.0.2.2", "198.51.100.1"), "--proxy-version", "2"), "192.0.2.2"},
		"v2six@one.example": {[]string{"--server", "::1", "--port", port}, append(from("AF_INET6", "2001:db8::3", "2001:db8::2"), "--proxy-version", "2"), "2001:db8::3"},
	} {
		e := deliveredBy(ctx, t, in, to, append(c.server, c.args...)...)
		if got := e.Data.Envelope.RemoteIP; got != c.want {
			t.Errorf("%s came from %s, want %s", to, got, c.want)
		}
	}
	conn, err := net.Dial("tcp", four)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "EHLO client.example\r\n"); err != nil {
		t.Fatal(err)
	}
	if said, _ := io.ReadAll(conn); len(said) > 0 {
		t.Errorf("without a header the server says %q", said)
	}
	stopAndCheck(t, server, o)
}

// TestPostfixLMTP has Postfix deliver by LMTP, over TCP and over a unix socket, to recipients of two accounts in one transaction.
func TestPostfixLMTP(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	addr, port := freePort(t, "127.0.0.15")
	socket := filepath.Join(shortDir(t), "lmtp.sock")
	server, in, o := startInstallation(ctx, t, &installation{listeners: fmt.Sprintf(
		"    - {name: lmtp, address: %q, kind: lmtp}\n    - {name: lmtp-socket, address: \"unix:%s\", kind: lmtp}", addr, socket)})
	for way, transport := range map[string]string{"tcp": "lmtp:inet:127.0.0.15:" + port, "unix": "lmtp:unix:" + socket} {
		relay := startPostfix(ctx, t, transport, "")
		if r := deliver(ctx, t, relay.addr, []byte(greeting), way+"1@one.example", way+"2@two.example"); r.code != 250 {
			t.Fatalf("Postfix: %s", r)
		}
		in.awaitFor(ctx, t, way+"1@one.example")
		in.awaitFor(ctx, t, way+"2@two.example")
		eventually(ctx, t, "Postfix has nothing left", func() bool { return relay.empty(ctx, t) })
	}
	stopAndCheck(t, server, o)
	in.exactly(t, "tcp1@one.example", "tcp2@two.example", "unix1@one.example", "unix2@two.example")
}

// TestPostfixTLS has Postfix relay over STARTTLS, from a loopback address of its own, to a server whose certificate it verifies.
func TestPostfixTLS(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	i := &installation{starttls: true}
	server, in, o := startInstallation(ctx, t, i)
	ca := filepath.Join(shortDir(t), "ca.pem")
	if err := os.WriteFile(ca, []byte(i.trusted), 0o644); err != nil {
		t.Fatal(err)
	}
	relay := startPostfix(ctx, t, smtpTo(t, server.SMTP), fmt.Sprintf(
		"smtp_tls_security_level = verify\nsmtp_tls_verify_cert_match = %s\nsmtp_tls_CAfile = %s\nsmtp_bind_address = 127.0.0.2", serverName, ca))
	if r := deliver(ctx, t, relay.addr, []byte(greeting), "ann@one.example", "bob@two.example"); r.code != 250 {
		t.Fatalf("Postfix: %s", r)
	}
	relayed(ctx, t, in, "127.0.0.2")
	eventually(ctx, t, "Postfix has nothing left", func() bool { return relay.empty(ctx, t) })
	stopAndCheck(t, server, o)
}

// TestHandedSocket runs the server on a socket that was bound for it, and again: who connects meanwhile waits and is greeted.
func TestHandedSocket(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	server, in, o := startInstallation(ctx, t, &installation{mx: "systemd:mx", handed: socket})
	if r := deliver(ctx, t, server.SMTP, []byte(greeting), "ann@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	in.awaitFor(ctx, t, "ann@one.example")
	stopAndCheck(t, server, o)

	waiting, err := net.Dial("tcp", server.SMTP)
	if err != nil {
		t.Fatalf("nobody waits while the server is down: %v", err)
	}
	defer waiting.Close()
	o.SMTP = server.SMTP
	server = start(ctx, t, o)
	if deadline, ok := ctx.Deadline(); ok {
		if err := waiting.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	greeted := make([]byte, 4)
	if n, err := waiting.Read(greeted); err != nil || string(greeted[:n]) != "220 " {
		t.Errorf("who waited heard %q, %v", greeted[:n], err)
	}
	waiting.Close()
	stopAndCheck(t, server, o)
}
