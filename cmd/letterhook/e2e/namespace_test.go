package e2e

import (
	"bufio"
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

// A namespace is a network of its own that a mail server runs in, with one link to the network of the test.
type namespace struct {
	pid  int    // of a process in it
	near string // our address on the link
	far  string // its own
}

// wrap puts before a command what has it run in the namespace; without one it stays as it is.
func (n *namespace) wrap(args []string) []string {
	if n == nil {
		return args
	}
	return append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", n.pid)}, args...)
}

// newNamespace makes the n-th namespace and the link to it, with addresses of 198.18.0.0/15, which RFC 2544 keeps for tests. It is gone
// with the process that holds it, which outlives the context of the test: its mail server is stopped later.
func newNamespace(t *testing.T, n int) *namespace {
	t.Helper()
	holder := exec.Command("unshare", "--net", "sh", "-c", "echo here; exec cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	open, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		open.Close()
		_ = holder.Wait()
	})
	if _, err := bufio.NewReader(said).ReadString('\n'); err != nil {
		t.Fatalf("a namespace: %v", err)
	}
	s := &namespace{pid: holder.Process.Pid, near: fmt.Sprintf("198.18.%d.1", n), far: fmt.Sprintf("198.18.%d.2", n)}
	link := fmt.Sprintf("peer%d", n)
	runIP(t, nil, "link", "add", link, "type", "veth", "peer", "name", "veth", "netns", fmt.Sprint(s.pid))
	runIP(t, nil, "address", "add", s.near+"/30", "dev", link)
	runIP(t, nil, "link", "set", link, "up")
	runIP(t, s, "link", "set", "lo", "up")
	runIP(t, s, "address", "add", s.far+"/30", "dev", "veth")
	runIP(t, s, "link", "set", "veth", "up")
	return s
}

// runIP runs ip, in a namespace or in that of the test.
func runIP(t *testing.T, in *namespace, args ...string) {
	t.Helper()
	args = in.wrap(append([]string{"ip"}, args...))
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// inNamespace is set for the second run of TestNamespaces, which has a network of its own.
const inNamespace = "E2E_NAMESPACE"

// TestNamespaces has Postfix, Exim and OpenSMTPD relay over STARTTLS, each from a network of its own, to a server whose certificate it
// verifies. The test starts itself again in a network of its own, where server and receiver run too: there is no way to any network
// that it did not make.
func TestNamespaces(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		relayFromNamespaces(t)
		return
	}
	t.Parallel()
	if os.Getuid() != 0 {
		missing(t, "only root can make network namespaces")
	}
	for _, tool := range []string{"unshare", "nsenter", "ip", "postfix"} {
		needTool(t, tool)
	}
	// What a kernel or a container forbids is no fault of the machine: it is said, in CI too. All else fails.
	const try = "ip link set lo up && ip link add name probe1 type veth peer name probe2"
	if out, err := exec.Command("unshare", "--net", "sh", "-c", try).CombinedOutput(); err != nil {
		if !strings.Contains(string(out), "not permitted") && !strings.Contains(string(out), "not supported") {
			t.Fatalf("%s: %v: %s", try, err, out)
		}
		t.Skipf("network namespaces are not permitted here: unshare --net sh -c %q: %v: %s", try, err, out)
	}
	ctx := within(t, patience)
	again := exec.CommandContext(ctx, "unshare", "--net", os.Args[0], "-test.run", "^TestNamespaces$", "-test.v", "-test.count=1")
	again.Env = append(os.Environ(), inNamespace+"=1", programVariable+"="+program(t))
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"Postfix", "Exim", "OpenSMTPD"} {
		if !strings.Contains(string(out), "--- PASS: TestNamespaces/"+name) {
			t.Errorf("%s did not relay:\n%s", name, out)
		}
	}
}

// relayFromNamespaces is the second run.
func relayFromNamespaces(t *testing.T) {
	runIP(t, nil, "link", "set", "lo", "up")
	for n, peer := range []struct {
		name  string
		relay func(ctx context.Context, t *testing.T, peer *namespace, i *installation, server string)
	}{
		{"Postfix", postfixFrom},
		{"Exim", func(ctx context.Context, t *testing.T, peer *namespace, i *installation, server string) {
			exim(ctx, t, overlayIn(t, peer), i, server, peer.far)
		}},
		{"OpenSMTPD", func(ctx context.Context, t *testing.T, peer *namespace, i *installation, server string) {
			openSMTPD(ctx, t, overlayIn(t, peer), i, server, net.JoinHostPort(peer.far, "2525"), peer.far)
		}},
	} {
		t.Run(peer.name, func(t *testing.T) {
			ctx := within(t, patience)
			far := newNamespace(t, n)
			outside := net.JoinHostPort(far.near, "2525")
			i := &installation{
				starttls: true, more: "authentication: {enabled: false}\n",
				listeners: fmt.Sprintf("    - {name: outside, address: %q, tls: starttls}", outside),
			}
			server, in, o := startInstallation(ctx, t, i)
			peer.relay(ctx, t, far, i, outside)
			relayed(ctx, t, in, far.far)
			stopAndCheck(t, server, o)
		})
	}
}

// overlayIn is an overlay whose programs have the network of a peer and find the server by its name.
func overlayIn(t *testing.T, peer *namespace) *overlay {
	t.Helper()
	system := newOverlay(t, map[string]string{serverName: peer.near})
	system.peer = peer
	return system
}

func postfixFrom(ctx context.Context, t *testing.T, peer *namespace, i *installation, server string) {
	t.Helper()
	ca := filepath.Join(shortDir(t), "ca.pem")
	if err := os.WriteFile(ca, []byte(i.trusted), 0o644); err != nil {
		t.Fatal(err)
	}
	relay := startPostfixAt(ctx, t, peer, net.JoinHostPort(peer.far, "2525"), smtpTo(t, server), fmt.Sprintf(
		"inet_interfaces = %s\nmynetworks = %s/30\nsmtp_tls_security_level = verify\nsmtp_tls_verify_cert_match = %s\nsmtp_tls_CAfile = %s",
		peer.far, peer.near[:len(peer.near)-1]+"0", serverName, ca))
	if r := deliver(ctx, t, relay.addr, []byte(greeting), "ann@one.example", "bob@two.example"); r.code != 250 {
		t.Fatalf("Postfix: %s", r)
	}
	eventually(ctx, t, "Postfix has nothing left", func() bool { return relay.empty(ctx, t) })
}
