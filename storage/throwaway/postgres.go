// Package throwaway starts real servers for tests: a PostgreSQL cluster of Debian's packages, and an S3 server, versitygw. It is imported
// by tests alone.
//
// A server belongs to the test binary: it is started by the first test that wants it, in a folder of its own, and [Main] takes it away
// again. Where its program is missing, tests that want it are skipped, and fail with CI=true.
package throwaway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a running cluster. It keeps what it promises: fsync is on.
type Postgres struct {
	dir     string
	bin     string
	address string // host:port on loopback
	owner   *syscall.Credential
	server  *exec.Cmd  // nil: it does not run
	ended   chan error // gets its exit status
	next    atomic.Int64
	fill    sync.Once
	filled  error // of filling the database that others are copies of

	mu     sync.Mutex
	output bytes.Buffer
}

// shared are the cluster and the S3 server of the test binary.
type shared struct {
	mu    sync.Mutex
	tied  *Postgres
	err   error
	s3    *s3
	s3Err error
}

var cluster shared

// Main is the TestMain of a binary whose tests use the servers: it runs them and takes away the servers that they started.
func Main(m *testing.M) {
	m.Run()
	cluster.mu.Lock()
	defer cluster.mu.Unlock()
	if cluster.tied != nil {
		cluster.tied.remove()
	}
	if cluster.s3 != nil {
		cluster.s3.remove()
	}
}

// Database makes an empty database on the cluster of the test binary and gives its URL. It goes with the test.
func Database(t testing.TB) string {
	t.Helper()
	return ofBinary(t).Database(t)
}

// Filled is Database with what fill makes of the first one: that is done once, and copied for each test.
func Filled(t testing.TB, fill func(databaseURL string) error) string {
	t.Helper()
	p := ofBinary(t)
	p.fill.Do(func() {
		if p.filled = p.run("CREATE DATABASE filled TEMPLATE template0"); p.filled == nil {
			p.filled = fill(p.url("filled"))
		}
	})
	if p.filled != nil {
		t.Fatalf("filling a database: %v", p.filled)
	}
	return p.clone(t, "filled")
}

// ofBinary is the cluster of the test binary.
func ofBinary(t testing.TB) *Postgres {
	t.Helper()
	cluster.mu.Lock()
	if cluster.tied == nil && cluster.err == nil {
		cluster.tied, cluster.err = start()
	}
	p, err := cluster.tied, cluster.err
	cluster.mu.Unlock()
	if errors.Is(err, exec.ErrNotFound) {
		missing(t, "PostgreSQL is not installed: apt-get install postgresql")
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// StartPostgres starts a cluster of the test's own, which may be stopped and started again.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	p, err := start()
	if errors.Is(err, exec.ErrNotFound) {
		missing(t, "PostgreSQL is not installed: apt-get install postgresql")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.remove)
	return p
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// Database makes an empty database, which goes with the test, and gives its URL.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	return p.clone(t, "template0")
}

func (p *Postgres) clone(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", p.next.Add(1))
	if err := p.run("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatalf("making a database: %v", err)
	}
	t.Cleanup(func() {
		if err := p.run("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Logf("dropping a database: %v", err)
		}
	})
	return p.url(name)
}

func (p *Postgres) run(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url("postgres"))
	if err == nil {
		_, err = conn.Exec(ctx, statement)
		err = errors.Join(err, conn.Close(ctx))
	}
	return err
}

// Address is where the cluster listens, on loopback.
func (p *Postgres) Address() string { return p.address }

func (p *Postgres) url(database string) string {
	return "postgres://postgres@" + p.address + "/" + database + "?sslmode=disable"
}

func start() (*Postgres, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: bin}
	if p.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp(fast(), "letterhook-postgres-"); err != nil {
		return nil, err
	}
	if p.owner != nil {
		err = os.Chown(p.dir, int(p.owner.Uid), int(p.owner.Gid))
	}
	if err == nil {
		var output []byte
		output, err = p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
		p.output.Write(output)
	}
	if err == nil {
		// The server tells nobody which port it chose: one that was free a moment ago will do.
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			p.address = l.Addr().String()
			err = l.Close()
		}
	}
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		p.remove()
		p.mu.Lock()
		output := p.output.String()
		p.mu.Unlock()
		return nil, fmt.Errorf("starting PostgreSQL: %w\n%s", err, output)
	}
	return p, nil
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	return cmd
}

// Start starts the server and returns when it takes connections. It does not outlive the test binary.
func (p *Postgres) Start() error {
	_, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return err
	}
	log, output, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := p.command("postgres", "-D", p.data(), "-c", "listen_addresses=127.0.0.1", "-c", "port="+port,
		"-c", "unix_socket_directories="+p.dir, "-c", "max_connections=300", "-c", "fsync=on", "-c", "shared_buffers=128MB",
		"-c", "max_wal_size=4GB", "-c", "lc_messages=C")
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started := make(chan error, 1)
	p.server, p.ended = cmd, make(chan error, 1)
	go func() {
		runtime.LockOSThread()         // the signal comes when the thread that started the server ends
		defer runtime.UnlockOSThread() // else the thread ends with this, and takes along whatever else was started by it
		err := cmd.Start()
		started <- err
		_ = output.Close()
		if err == nil {
			p.ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		p.server = nil
		return errors.Join(err, log.Close())
	}
	ready := make(chan error, 1)
	go p.read(log, ready)
	return <-ready
}

// read keeps what the server says, and tells when it is ready.
func (p *Postgres) read(log *os.File, ready chan<- error) {
	defer log.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		p.mu.Lock()
		p.output.Write(append(lines.Bytes(), '\n'))
		p.mu.Unlock()
		if ready != nil && strings.Contains(lines.Text(), "database system is ready to accept connections") {
			ready <- nil
			ready = nil
		}
	}
	if ready != nil {
		ready <- errors.New("the server ended")
	}
}

// Stop ends the server: with SIGINT as a fast shutdown that ends connections, with SIGQUIT at once as a crash does.
func (p *Postgres) Stop(signal syscall.Signal) error {
	if p.server == nil {
		return nil
	}
	err := p.server.Process.Signal(signal)
	state := <-p.ended
	p.server = nil
	if signal == syscall.SIGQUIT {
		state = nil // the exit status of what it was told to do
	}
	return errors.Join(err, state)
}

// Encrypt has the server speak TLS too, with a certificate and its key in PEM, and starts it again.
func (p *Postgres) Encrypt(certificate, key []byte) error {
	for name, content := range map[string][]byte{"server.crt": certificate, "server.key": key} {
		path := filepath.Join(p.data(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		if p.owner != nil {
			if err := os.Chown(path, int(p.owner.Uid), int(p.owner.Gid)); err != nil {
				return err
			}
		}
	}
	if err := p.run("ALTER SYSTEM SET ssl = on"); err != nil {
		return err
	}
	return errors.Join(p.Stop(syscall.SIGINT), p.Start())
}

func (p *Postgres) remove() {
	_ = p.Stop(syscall.SIGQUIT)
	_ = os.RemoveAll(p.dir)
}

// findPostgres gives the folder of the programs: Debian keeps them outside of the path.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", exec.ErrNotFound
	}
	newest, version := "", 0
	for _, path := range found {
		if n, _ := strconv.Atoi(strings.Split(path, "/")[4]); n > version {
			newest, version = path, n
		}
	}
	return filepath.Dir(newest), nil
}

// unprivileged is whom the server runs as where the tests run as root, which it refuses; nil: as the tests.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("there is no user that the server could run as")
}

// DirVariable names the folder that clusters are made in, for what is to be measured with a disk.
const DirVariable = "LETTERHOOK_POSTGRES_DIR"

// fast is a folder in memory where there is one: what is tested is not the disk.
func fast() string {
	if dir := os.Getenv(DirVariable); dir != "" {
		return dir
	}
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// Copy makes a database with everything that is committed in another one of the cluster, which may be in use.
func Copy(t testing.TB, databaseURL string) string {
	t.Helper()
	url := Database(t)
	p := cluster.tied
	dump := exec.Command(filepath.Join(p.bin, "pg_dump"), "--no-sync", databaseURL)
	restore := exec.Command(filepath.Join(p.bin, "psql"), "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null", url)
	var dumping, restoring bytes.Buffer
	dump.Stderr, restore.Stderr = &dumping, &restoring
	pipe, err := dump.StdoutPipe()
	if err == nil {
		restore.Stdin = pipe
		err = dump.Start()
	}
	if err == nil {
		err = errors.Join(restore.Run(), dump.Wait())
	}
	if err != nil {
		t.Errorf("copying a database: %v\n%s%s", err, dumping.String(), restoring.String())
	}
	return url
}
