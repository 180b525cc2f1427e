package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage"
)

// largeMail is too large for a pack: it gets a file, or an object, of its own.
func largeMail() []byte {
	return mailWith([]file{{"large.bin", "application/zip", "base64", bytes.Repeat([]byte("large"), 400<<10)}})
}

// accepted sends a mail that must get 250.
func accepted(ctx context.Context, t *testing.T, server *bench.Server, content []byte, to string) {
	t.Helper()
	if r := deliver(ctx, t, server.SMTP, content, to); r.code != 250 {
		t.Fatalf("%s: %s, want 250", to, r)
	}
}

// deferred sends a mail that must be refused for now, and without a word of the reason within.
func deferred(ctx context.Context, t *testing.T, server *bench.Server, content []byte, to string) {
	t.Helper()
	if r := deliver(ctx, t, server.SMTP, content, to); !r.is(451, "4.3.0 ") {
		t.Fatalf("%s: %s, want 451 4.3.0", to, r)
	}
}

// disk mounts a small file system of its own, in memory.
func disk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "only root can mount a small disk")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "letterhook-test", dir).CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("mounting a small disk: %v: %s", err, out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %v: %s", err, out)
		}
	})
	return dir
}

// fill takes free space away, all of it but leave octets, and returns what gives it back.
func fill(t *testing.T, dir string, leave int64) (empty func()) {
	t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	take := int64(stat.Bavail)*stat.Bsize - leave
	for block := make([]byte, stat.Bsize); take > 0; take -= stat.Bsize {
		if _, err = f.Write(block); err != nil {
			break
		}
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskNearlyFull goes below the watermark: the peer hears it at MAIL, before it sends a body.
func TestDiskNearlyFull(t *testing.T) {
	ctx := within(t, time.Minute)
	dir := disk(t, "24m")
	server, in, o := startInstallation(ctx, t, &installation{data: dir, storage: "  min_free: 6MiB"})
	accepted(ctx, t, server, []byte(greeting), "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")

	inside := hello(ctx, t, server.SMTP)
	inside.envelope("inside@one.example")
	empty := fill(t, dir, 3<<20)
	eventually(ctx, t, "MAIL is answered 452", func() bool {
		r := deliver(ctx, t, server.SMTP, []byte(greeting), "nearly@one.example")
		if r.code != 250 && !r.is(452, "4.3.1 ") {
			t.Fatalf("got %s, want 452 4.3.1", r)
		}
		return r.code == 452
	})
	inside.write("DATA\r\n")
	if r := inside.reply(); !r.is(452, "4.3.1 ") {
		t.Errorf("DATA: %s, want 452 4.3.1", r)
	}
	inside.quit()
	empty()
	eventually(ctx, t, "mail is taken again", func() bool {
		return deliver(ctx, t, server.SMTP, []byte(greeting), "after@one.example").code == 250
	})
	in.awaitFor(ctx, t, "after@one.example")
	stopAndCheck(t, server, o)
}

// TestDiskFull has the watermark off and fills the disk to the last octet, so that writes themselves fail: ENOSPC.
func TestDiskFull(t *testing.T) {
	ctx := within(t, time.Minute)
	dir := disk(t, "24m")
	server, in, o := startInstallation(ctx, t, &installation{data: dir})
	large := largeMail()
	accepted(ctx, t, server, []byte(greeting), "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")
	empty := fill(t, dir, 0)
	// Pages that were allotted before take a few more small ones.
	eventually(ctx, t, "the full disk is felt", func() bool {
		r := deliver(ctx, t, server.SMTP, mailWith(attached()[:1]), "filling@one.example")
		if r.code != 250 && !r.is(451, "4.3.0 ") {
			t.Fatalf("got %s, want 451 4.3.0", r)
		}
		return r.code == 451
	})
	if r := deliver(ctx, t, server.SMTP, large, "large@one.example"); !r.is(452, "4.3.1 ") {
		t.Errorf("no room for the temporary file: %s, want 452 4.3.1", r)
	}
	deferred(ctx, t, server, bytes.Repeat([]byte(greeting), 1000), "small@one.example")
	empty()
	accepted(ctx, t, server, []byte(greeting), "after@one.example")
	accepted(ctx, t, server, large, "after-large@one.example")
	in.awaitFor(ctx, t, "after@one.example")
	in.awaitFor(ctx, t, "after-large@one.example")
	stopAndCheck(t, server, o)
	for _, to := range []string{"large@one.example", "small@one.example"} {
		if _, came := find(in.all(), to); came {
			t.Errorf("%s was refused and arrived", to)
		}
	}
}

// A saboteur is an strace that makes system calls of a running process fail, as long as it is attached.
type saboteur struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// sabotage attaches to the server. The calls of those names fail with the error; with a path only where they are about that
// file.
func sabotage(t *testing.T, server *bench.Server, calls, fault, path string) *saboteur {
	t.Helper()
	s := &saboteur{log: filepath.Join(t.TempDir(), "strace"), done: make(chan struct{})}
	args := []string{"-f", "-y", "-p", fmt.Sprint(server.PID()), "-o", s.log, "-e", "trace=" + calls, "-e", "inject=" + calls + ":error=" + fault}
	if path != "" {
		args = append(args, "-P", path)
	}
	s.cmd = exec.Command(needTool(t, "strace"), args...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	says, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	attached := make(chan string, 1)
	go func() {
		r := bufio.NewReader(says)
		line, _ := r.ReadString('\n')
		attached <- line
		_, _ = io.Copy(io.Discard, r)
		_ = s.cmd.Wait() // it ends by our signal
		close(s.done)
	}()
	if line := <-attached; !strings.Contains(line, "attached") {
		missing(t, "strace cannot attach: "+line)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

// leave detaches and returns what was traced.
func (s *saboteur) leave(t *testing.T) string {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-s.done
	trace, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(trace)
}

// TestPackSyncFails makes the sync of the open segment fail with EIO, as a dying disk does. The message is refused; the next is
// taken; and the segment is never trusted again: after a failed fsync the kernel may have dropped the pages, and say yes
// the next time.
func TestPackSyncFails(t *testing.T) {
	ctx := within(t, time.Minute)
	i := &installation{}
	server, in, o := startInstallation(ctx, t, i)
	accepted(ctx, t, server, []byte(greeting), "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")
	s := sabotage(t, server, "fsync,fdatasync", "EIO", only(t, i.data, "segments", "*"))
	deferred(ctx, t, server, []byte(greeting), "failed@one.example")
	accepted(ctx, t, server, []byte(greeting), "next@one.example")
	in.awaitFor(ctx, t, "next@one.example")
	if trace := s.leave(t); strings.Count(trace, "(INJECTED)") != 1 {
		t.Errorf("the segment was synced again after its sync had failed:\n%s", trace)
	}
	stopAndCheck(t, server, o)
	in.exactly(t, "before@one.example", "next@one.example")
}

// TestJournalSyncFails makes every sync of the database's journal fail. All mail is refused, until it works again.
func TestJournalSyncFails(t *testing.T) {
	ctx := within(t, time.Minute)
	i := &installation{}
	server, in, o := startInstallation(ctx, t, i)
	accepted(ctx, t, server, []byte(greeting), "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")
	recorded(ctx, t, server)
	s := sabotage(t, server, "fsync,fdatasync", "EIO", only(t, i.data, storage.DatabaseName+"-wal"))
	for n := range 3 {
		deferred(ctx, t, server, []byte(greeting), fmt.Sprintf("failed%d@one.example", n))
	}
	if trace := s.leave(t); !strings.Contains(trace, "(INJECTED)") {
		t.Errorf("no sync failed:\n%s", trace)
	}
	accepted(ctx, t, server, []byte(greeting), "after@one.example")
	in.awaitFor(ctx, t, "after@one.example")
	stopAndCheck(t, server, o)
	in.exactly(t, "before@one.example", "after@one.example")
}

// recorded waits until the server owes nothing: the result of what it delivered is in its database.
func recorded(ctx context.Context, t *testing.T, server *bench.Server) {
	t.Helper()
	eventually(ctx, t, "every result is recorded", func() bool {
		_, metrics := get(ctx, t, "http://"+server.HTTP+"/metrics")
		return bytes.Contains(metrics, []byte("\nletterhook_storage_pending_deliveries 0\n"))
	})
}

// only returns the one file that the pattern fits.
func only(t *testing.T, pattern ...string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v fits %q, %v", pattern, paths, err)
	}
	return paths[0]
}

// TestReadOnlyDisk makes every write to files fail with EROFS, which is what a file system says that the kernel made
// read-only after an error.
func TestReadOnlyDisk(t *testing.T) {
	ctx := within(t, time.Minute)
	server, in, o := startInstallation(ctx, t, &installation{})
	large := largeMail()
	accepted(ctx, t, server, []byte(greeting), "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")
	recorded(ctx, t, server)
	s := sabotage(t, server, "pwrite64,ftruncate,fallocate,fsync,fdatasync,renameat,renameat2,unlinkat,mkdirat", "EROFS", "")
	deferred(ctx, t, server, []byte(greeting), "small@one.example")
	deferred(ctx, t, server, large, "large@one.example")
	s.leave(t)
	accepted(ctx, t, server, []byte(greeting), "after@one.example")
	accepted(ctx, t, server, large, "after-large@one.example")
	in.awaitFor(ctx, t, "after@one.example")
	in.awaitFor(ctx, t, "after-large@one.example")
	stopAndCheck(t, server, o)
	in.exactly(t, "before@one.example", "after@one.example", "after-large@one.example")
}

// TestReadOnlyFolder takes the right to make files in the data folder away from the server, as a wrong chmod does. Root may write
// everywhere, so the server runs without that privilege of root.
func TestReadOnlyFolder(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "only root can be sure to own the folder and to lose a privilege")
	}
	ctx := within(t, time.Minute)
	dir := t.TempDir()
	server, in, o := startInstallation(ctx, t, &installation{
		data: dir, wrap: []string{needTool(t, "setpriv"), "--bounding-set", "-dac_override,-dac_read_search"},
	})
	large := largeMail()
	accepted(ctx, t, server, large, "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")
	readOnly(t, dir, true)
	deferred(ctx, t, server, large, "refused@one.example")
	readOnly(t, dir, false)
	accepted(ctx, t, server, large, "after@one.example")
	in.awaitFor(ctx, t, "after@one.example")
	stopAndCheck(t, server, o)
	in.exactly(t, "before@one.example", "after@one.example")
}

// readOnly changes the mode of every folder below dir.
func readOnly(t *testing.T, dir string, on bool) {
	t.Helper()
	mode := os.FileMode(0o700)
	if on {
		mode = 0o500
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
}
