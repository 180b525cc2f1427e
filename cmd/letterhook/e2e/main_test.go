// Package e2e tests the whole program through its front doors: real processes, real TCP, real mail servers as peers, real
// faults of the disk and of the bucket.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// secret signs the webhooks of every server under test.
const secret = "whsec_bGV0dGVyaG9vay1lMmUtdGVzdC1zZWNyZXQtMzItYnl0ZXM="

// binaries holds the programs built for this run; TestMain removes the folder.
type binaries struct {
	normal, crash func() (string, error)
}

var built binaries //nolint:gochecknoglobals // set once by TestMain, read by the tests

// programVariable names a program that has been built already.
const programVariable = "E2E_PROGRAM"

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "letterhook-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = binaries{
		normal: sync.OnceValues(func() (string, error) {
			if path := os.Getenv(programVariable); path != "" {
				return path, nil
			}
			return build(dir, "letterhook", "")
		}),
		crash: sync.OnceValues(func() (string, error) { return build(dir, "letterhook-crash", "crashpoints") }),
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func build(dir, name, tags string) (string, error) {
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-tags", tags, "-o", out, "github.com/letterhook/letterhook/cmd/letterhook")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, text)
	}
	return out, nil
}

// program is the path of the program as users get it.
func program(t *testing.T) string { return path(t, built.normal) }

// crashProgram is the path of the program with crash points.
func crashProgram(t *testing.T) string { return path(t, built.crash) }

func path(t *testing.T, f func() (string, error)) string {
	t.Helper()
	p, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// needTool skips a test whose tool is missing, or fails it in CI, where nothing may be skipped in silence.
func needTool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed")
	}
	return p
}

// missing ends a test for want of something that the machine lacks.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// within bounds a test that waits for events.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// receive starts a verifying receiver.
func receive(t *testing.T) *bench.Receiver {
	t.Helper()
	r, err := bench.NewReceiver(secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// start starts a server and shows its log when the test fails. The caller stops or kills it; the end of the test kills
// what is left.
func start(ctx context.Context, t *testing.T, o bench.ServerOptions) *bench.Server {
	t.Helper()
	if o.Log == nil {
		o.Log = logFile(t)
	}
	if o.Secret == "" {
		o.Secret = secret
	}
	s, err := bench.StartServer(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() })
	return s
}

// logFile makes a file whose last lines are printed when the test fails.
func logFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "log-*.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer f.Close()
		if !t.Failed() {
			return
		}
		text, err := os.ReadFile(f.Name())
		if err == nil {
			t.Logf("the end of the server's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return f
}

// fsck runs the invariant check over a data folder whose server has ended.
func fsck(t *testing.T, program, data string) {
	t.Helper()
	out, err := exec.Command(program, "fsck", "--data", data).CombinedOutput()
	if err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
}
