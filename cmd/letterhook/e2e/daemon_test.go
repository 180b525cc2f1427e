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
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// A daemon is a scanner that runs in the foreground, on loopback or a Unix socket alone, with a configuration of the test's.
type daemon struct {
	address string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// startDaemon starts a program and waits until it has a connection answer hello with something that holds well. The end of
// the test kills it, with its children.
func startDaemon(ctx context.Context, t *testing.T, address, hello, well string, command ...string) *daemon {
	t.Helper()
	command[0] = needTool(t, command[0])
	d := &daemon{address: address, cmd: exec.Command(command[0], command[1:]...), ended: make(chan struct{})}
	log := logFile(t)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.ended)
	}()
	t.Cleanup(d.kill)
	eventually(ctx, t, command[0]+" answers", func() bool {
		select {
		case <-d.ended:
			t.Fatalf("%s ended", command[0])
		default:
		}
		return strings.Contains(greet(address, hello), well)
	})
	return d
}

func (d *daemon) kill() {
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	<-d.ended
}

// greet says hello and gives what comes back, or nothing.
func greet(address, hello string) string {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, hello)
	answer := make([]byte, 1000)
	n, _ := conn.Read(answer)
	return string(answer[:n])
}

// writeConf puts a file into a folder and gives its path.
func writeConf(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// rspamdConf has one worker and one rule, asks nobody and loads nothing: the lists of languages and of domains are what makes
// its usual start slow.
const rspamdConf = `
lua = "%[1]s/facts.lua";
options {
  pidfile = false;
  filters = "";
  local_addrs = [];
  dns { nameserver = ["127.0.0.1:9:1"]; timeout = 0.1s; retransmits = 1; }
  tempdir = "%[1]s";
  rspamd_dir = "%[1]s";
  hs_cache_dir = "%[1]s";
  cache_file = "%[1]s/symbols.cache";
  history_file = "%[1]s/history";
  control_socket = "%[1]s/control mode=0600";
  url_tld = "%[1]s/tld";
  lang_detection { languages = "%[1]s/none"; }
}
logging { type = "console"; level = "notice"; }
worker "normal" { bind_socket = "%[2]s"; count = 1; }
metric "default" { actions { reject = 15; "add header" = 6; greylist = 4; } }
`

// factsLua fires when rspamd was told what the session said.
const factsLua = `
rspamd_config:register_symbol({
  name = 'FACTS_RIGHT', type = 'normal', score = 2.5,
  callback = function(task)
    local said = {(task:get_from('smtp') or {{}})[1].addr or 'nobody'}
    for _, to in ipairs(task:get_recipients('smtp') or {}) do table.insert(said, to.addr) end
    table.insert(said, tostring(task:get_helo()))
    table.insert(said, tostring(task:get_ip()))
    table.insert(said, tostring(task:get_request_header('MTA-Name')))
    table.insert(said, tostring(#(task:get_queue_id() or '')))
    local facts = table.concat(said, ' ')
    return facts == 'ann@sender.example ham@one.example x y@one.example e2e.sender.example 127.0.0.1 ` + serverName + ` 20', 1.0, facts
  end,
})
`

func startRspamd(ctx context.Context, t *testing.T) *daemon {
	t.Helper()
	addr, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeConf(t, dir, "facts.lua", factsLua)
	writeConf(t, dir, "tld", "example\n")
	command := []string{"rspamd", "-f", "-c", writeConf(t, dir, "rspamd.conf", fmt.Sprintf(rspamdConf, dir, addr))}
	if os.Getuid() == 0 {
		command = append(command, "-i", "-u", "root", "-g", "root")
	}
	return startDaemon(ctx, t, addr, "GET /ping HTTP/1.0\r\n\r\n", "200 OK", command...)
}

// startClamd starts a clamd that knows one signature, that of EICAR, on a Unix socket.
func startClamd(ctx context.Context, t *testing.T) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "letterhook-clamd-") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(dir, "ctl")
	writeConf(t, dir, "test.hdb", "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n")
	conf := fmt.Sprintf("Foreground yes\nDatabaseDirectory %s\nLocalSocket %s\nTemporaryDirectory %s\n", dir, socket, dir)
	if os.Getuid() == 0 {
		conf += "User root\n"
	}
	return startDaemon(ctx, t, socket, "zPING\x00", "PONG", "clamd", "-c", writeConf(t, dir, "clamd.conf", conf))
}

// startSpamd starts a SpamAssassin that asks nobody.
func startSpamd(ctx context.Context, t *testing.T) *daemon {
	t.Helper()
	addr, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return startDaemon(ctx, t, addr, "PING SPAMC/1.5\r\n\r\n", "PONG",
		"spamd", "--local", "--nouser-config", "--listen", "127.0.0.1", "--port", port, "--max-children", "1", "--syslog", "stderr")
}
