package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An overlay is this machine with something laid over its files: mail servers that Debian does not install beside Postfix
// (.ci/peers unpacks them), their users and their configuration. It lives in a mount namespace of its own and is gone
// with its processes; nothing of the machine is changed.
type overlay struct {
	base  string     // where it is mounted
	peers string     // where the mail servers are unpacked
	files string     // what else is laid over
	peer  *namespace // whose network its programs have; nil: that of the test
}

const overlayScript = `set -e
base=$1 peers=$2 files=$3
shift 3
mount -t tmpfs tmpfs "$base"
mkdir "$base/up" "$base/work" "$base/root"
cp -a "$peers/." "$base/up/"
cp -a "$files/." "$base/up/"
install -d -o 990 -g 990 "$base/up/var/spool/exim4" "$base/up/var/log/exim4"
install -d -m 711 "$base/up/var/lib/opensmtpd/empty"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/up,workdir=$base/work" "$base/root"
mount --bind /dev "$base/root/dev"
mount -t proc proc "$base/root/proc"
exec chroot "$base/root" "$@"`

// newOverlay prepares one. names gives loopback addresses names in it.
func newOverlay(t *testing.T, names map[string]string) *overlay {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "only root can mount")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	o := &overlay{base: t.TempDir(), peers: filepath.Join(cache, "letterhook", "peers"), files: t.TempDir()}
	if _, err := os.Stat(o.peers); err != nil {
		missing(t, "Exim and OpenSMTPD are not unpacked: "+err.Error())
	}
	var hosts strings.Builder
	for name, address := range names {
		fmt.Fprintf(&hosts, "%s %s\n", address, name)
	}
	o.add(t, "/etc/hosts", "", "127.0.0.1 localhost\n"+hosts.String())
	o.add(t, "/etc/passwd", "/etc/passwd", "Debian-exim:x:990:990::/var/spool/exim4:/bin/false\n"+
		"opensmtpd:x:991:991::/var/lib/opensmtpd:/bin/false\nopensmtpq:x:992:992::/var/lib/opensmtpd:/bin/false\n")
	o.add(t, "/etc/group", "/etc/group", "Debian-exim:x:990:\nopensmtpd:x:991:\nopensmtpq:x:992:\n")
	return o
}

// add lays a file over, of a file of the machine and text behind it.
func (o *overlay) add(t *testing.T, path, of, text string) {
	t.Helper()
	var before []byte
	if of != "" {
		var err error
		if before, err = os.ReadFile(of); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(o.files, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(before, text...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// command is a program inside; it ends with everything that it started.
func (o *overlay) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"--mount", "--pid", "--fork", "--kill-child", "sh", "-c", overlayScript, "sh", o.base, o.peers, o.files}, args...)
	args = o.peer.wrap(append([]string{"unshare"}, args...))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

const eximConf = `primary_hostname = exim.example
exim_path = /usr/sbin/exim4
spool_directory = /var/spool/exim4
keep_environment =
local_interfaces =
begin routers
all:
  driver = manualroute
  transport = out
  route_list = * %[1]s byname
  self = send
begin transports
out:
  driver = smtp
  port = %[2]s
  interface = %[3]s
  hosts_require_tls = *
  tls_verify_certificates = /etc/exim4/trusted.pem
  tls_verify_hosts = *
  tls_verify_cert_hostnames = *
`

// TestExim has Exim relay over STARTTLS, from a loopback address of its own, to a server whose certificate it verifies.
func TestExim(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	i := &installation{starttls: true}
	server, in, o := startInstallation(ctx, t, i)
	exim(ctx, t, newOverlay(t, map[string]string{serverName: "127.0.0.1"}), i, server.SMTP, "127.0.0.3")
	relayed(ctx, t, in, "127.0.0.3")
	stopAndCheck(t, server, o)
}

// exim has Exim relay greeting from an address to a server.
func exim(ctx context.Context, t *testing.T, system *overlay, i *installation, server, from string) {
	t.Helper()
	_, port, err := net.SplitHostPort(server)
	if err != nil {
		t.Fatal(err)
	}
	system.add(t, "/etc/exim4/exim4.conf", "", fmt.Sprintf(eximConf, serverName, port, from))
	system.add(t, "/etc/exim4/trusted.pem", "", i.trusted)
	cmd := system.command(ctx, "/usr/sbin/exim4", "-odi", "-i", "-f", "sender@client.example", "ann@one.example", "bob@two.example")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(greeting, "\r\n", "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("Exim: %v\n%s", err, out)
	}
}

const smtpdConf = `listen on %[1]s port %[2]s hostname opensmtpd.example
action "out" relay host "smtp+tls://%[3]s:%[4]s" src %[5]s
match from any for any action "out"
`

// TestOpenSMTPD is TestExim with OpenSMTPD.
func TestOpenSMTPD(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	i := &installation{starttls: true}
	server, in, o := startInstallation(ctx, t, i)
	own, _ := freePort(t, "127.0.0.16")
	openSMTPD(ctx, t, newOverlay(t, map[string]string{serverName: "127.0.0.1"}), i, server.SMTP, own, "127.0.0.4")
	relayed(ctx, t, in, "127.0.0.4")
	stopAndCheck(t, server, o)
}

// openSMTPD has OpenSMTPD, listening on own, relay greeting from an address to a server.
func openSMTPD(ctx context.Context, t *testing.T, system *overlay, i *installation, server, own, from string) {
	t.Helper()
	_, port, err := net.SplitHostPort(server)
	if err != nil {
		t.Fatal(err)
	}
	host, ownPort, err := net.SplitHostPort(own)
	if err != nil {
		t.Fatal(err)
	}
	system.add(t, "/etc/smtpd.conf", "", fmt.Sprintf(smtpdConf, host, ownPort, serverName, port, from))
	system.add(t, "/etc/resolv.conf", "", "lookup file\n")
	system.add(t, "/etc/ssl/certs/ca-certificates.crt", "", i.trusted)
	cmd := system.command(ctx, "/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf")
	log := logFile(t)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(ctx, t, "OpenSMTPD listens", func() bool {
		conn, err := net.Dial("tcp", own)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if r := deliver(ctx, t, own, []byte(greeting), "ann@one.example", "bob@two.example"); r.code != 250 {
		t.Fatalf("OpenSMTPD: %s", r)
	}
}

// relayed waits for the events of greeting, sent to two accounts, and looks at what the session said.
func relayed(ctx context.Context, t *testing.T, in *inbox, from string) {
	t.Helper()
	events := in.await(ctx, t, 2)
	in.exactly(t, "ann@one.example", "bob@two.example")
	for _, e := range events {
		env := e.Data.Envelope
		if env.TLS == nil || env.TLS.Version != "TLS 1.3" || env.RemoteIP != from || env.MailFrom != "sender@client.example" {
			t.Errorf("envelope %+v, want TLS 1.3 from %s", env, from)
		}
		raw := string(fetch(ctx, t, e.Data.Raw.URL))
		if !strings.HasSuffix(raw, "\r\n\r\nHow are you?\r\n") || !strings.Contains(raw, "Subject: hello\r\n") {
			t.Errorf("raw octets %q", raw)
		}
	}
}
