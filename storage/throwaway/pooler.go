package throwaway

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// PoolerConnections is how many connections to the server a [Pooler] has.
const PoolerConnections = 5

// Pooler puts PgBouncer in front of a database, as a pooler of transactions, and gives the URL of the database behind it. It ends with
// the test.
func Pooler(t testing.TB, databaseURL string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			missing(t, "PgBouncer is not installed: apt-get install pgbouncer")
		}
	}
	server, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pooler := *server
	pooler.Host = l.Addr().String()
	dir, err := os.MkdirTemp("", "letterhook-pgbouncer-") //nolint:usetesting // whom the pooler runs as may not enter t.TempDir
	if err == nil {
		err = errors.Join(l.Close(), os.Chmod(dir, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = %d\n",
		server.Hostname(), server.Port(), pooler.Port(), PoolerConnections)
	// With auth_type any the pooler decides who speaks to the server.
	text = strings.Replace(text, "port="+server.Port(), "port="+server.Port()+" user="+server.User.Username(), 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := startPooler(t, program, file); err != nil {
		t.Fatal(err)
	}
	return pooler.String()
}

// startPooler returns when the pooler listens.
func startPooler(t testing.TB, program, file string) error {
	t.Helper()
	owner, err := unprivileged()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	log, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	up := make(chan error, 1)
	go func() {
		defer close(ended)
		var said strings.Builder
		told := false
		for lines := bufio.NewScanner(log); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if !told && strings.Contains(lines.Text(), "process up") {
				up <- nil
				told = true
			}
		}
		if !told {
			up <- fmt.Errorf("PgBouncer ended:\n%s", said.String())
		}
		_ = cmd.Wait()
	}()
	return <-up
}
