package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// A postfix is an instance of Postfix of its own, with its own configuration, queue and port; it shares nothing with the
// system's. It takes mail on loopback and relays what goes to the domains of the tests to one server.
type postfix struct {
	addr string
	conf string
	peer *namespace // whose network it has; nil: that of the test
}

const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = relay.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtp_dns_support_level = disabled
default_transport = discard
transport_maps = inline:{ {corpus.example = %[2]s} {one.example = %[2]s} {two.example = %[2]s} }
message_size_limit = 0
mailbox_size_limit = 0
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
smtp_destination_concurrency_failed_cohort_limit = 100
%[3]s
`

const masterCF = `%[1]s inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - 5 smtp
lmtp unix - - n - 5 lmtp
tlsmgr unix - - n 1000? 1 tlsmgr
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// startPostfix starts an instance that relays by a transport, with further lines of main.cf, and stops it when the test ends.
func startPostfix(ctx context.Context, t *testing.T, transport, more string) *postfix {
	t.Helper()
	addr, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return startPostfixAt(ctx, t, nil, addr, transport, more)
}

// startPostfixAt is startPostfix in the network of a peer, where there is one, listening on addr.
func startPostfixAt(ctx context.Context, t *testing.T, peer *namespace, addr, transport, more string) *postfix {
	t.Helper()
	needTool(t, "postfix")
	if os.Getuid() != 0 {
		missing(t, "Postfix can only be started by root")
	}
	dir := postfixDir(t)
	p := &postfix{addr: addr, peer: peer, conf: filepath.Join(dir, "conf")}
	for name, text := range map[string]string{
		"main.cf": fmt.Sprintf(mainCF, dir, transport, more), "master.cf": fmt.Sprintf(masterCF, addr),
	} {
		if err := os.WriteFile(filepath.Join(p.conf, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := p.command(ctx, "postfix", "start"); err != nil {
		t.Fatalf("starting Postfix: %v\n%s", err, out)
	}
	t.Cleanup(func() { p.stop(t, dir) })
	return p
}

// postfixDir makes the folders of an instance. Its daemons run as a user of their own, who cannot enter t.TempDir.
func postfixDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "letterhook-postfix-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	owner, err := user.Lookup("postfix")
	if err != nil {
		missing(t, err.Error())
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"conf", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(dir, "data"), uid, -1); err != nil {
		t.Fatal(err)
	}
	return dir
}

// command runs one of Postfix's programs on this instance.
func (p *postfix) command(ctx context.Context, name string, args ...string) (string, error) {
	args = p.peer.wrap(append([]string{name, "-c", p.conf}, args...))
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	return string(out), err
}

func (p *postfix) stop(t *testing.T, dir string) {
	if t.Failed() {
		queue, _ := p.command(context.Background(), "postqueue", "-p")
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Logf("Postfix's queue:\n%.3000s\nits log ends:\n%s", queue, log[max(0, len(log)-3000):])
	}
	if out, err := p.command(context.Background(), "postfix", "stop"); err != nil {
		t.Errorf("stopping Postfix: %v\n%s", err, out)
	}
}

// empty says whether nothing is queued any more.
func (p *postfix) empty(ctx context.Context, t *testing.T) bool {
	t.Helper()
	out, err := p.command(ctx, "postqueue", "-p")
	if err != nil {
		t.Fatalf("looking at Postfix's queue: %v\n%s", err, out)
	}
	return strings.Contains(out, "queue is empty")
}
