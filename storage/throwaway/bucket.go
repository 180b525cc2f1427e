package throwaway

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Bucket is a place of its own in a bucket on a running S3 server.
type Bucket struct {
	Endpoint                     string
	Name, Prefix                 string
	AccessKeyID, SecretAccessKey string
	// Dir is the folder in which the server keeps the objects of the place, each in a file by its key. It comes with the first of them.
	Dir string
}

// s3 is the S3 server of the test binary: versitygw over a folder.
type s3 struct {
	dir     string
	address string
	server  *exec.Cmd
	ended   chan struct{} // closed when the server has ended
	output  bytes.Buffer  // to be read when ended is closed
	next    atomic.Int64

	mu     sync.Mutex
	policy []permits // of the bucket
}

const (
	bucketName = "letterhook"
	bucketKey  = "testkey"
	bucketPass = "testsecret"
)

// NewBucket gives an empty place on the S3 server of the test binary.
func NewBucket(t testing.TB) Bucket {
	t.Helper()
	cluster.mu.Lock()
	if cluster.s3 == nil && cluster.s3Err == nil {
		cluster.s3, cluster.s3Err = startS3()
	}
	s, err := cluster.s3, cluster.s3Err
	cluster.mu.Unlock()
	if errors.Is(err, exec.ErrNotFound) {
		missing(t, "the S3 server versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0, or set VERSITYGW")
	}
	if err != nil {
		t.Fatal(err)
	}
	prefix := fmt.Sprintf("test%d", s.next.Add(1))
	return Bucket{
		Endpoint: "http://" + s.address, Name: bucketName, Prefix: prefix,
		AccessKeyID: bucketKey, SecretAccessKey: bucketPass,
		Dir: filepath.Join(s.dir, "data", bucketName, prefix),
	}
}

func startS3() (s *s3, err error) {
	program, err := findS3()
	if err != nil {
		return nil, err
	}
	s = &s3{ended: make(chan struct{})}
	if s.dir, err = os.MkdirTemp(fast(), "letterhook-s3-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.remove()
			err = fmt.Errorf("starting the S3 server: %w\n%s", err, s.output.String())
		}
	}()
	data := filepath.Join(s.dir, "data")
	if err := os.MkdirAll(filepath.Join(data, bucketName), 0o700); err != nil {
		return nil, err
	}
	// The server neither takes a listener nor tells which port it chose: one that was free a moment ago will do.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.address = l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	users := filepath.Join(s.dir, "users")
	if err := os.Mkdir(users, 0o700); err != nil {
		return nil, err
	}
	args := []string{"--quiet", "--port", s.address, "--iam-dir", users, "posix"}
	if unix.Setxattr(data, "user.test", []byte("x"), 0) != nil { // where the server keeps its metadata otherwise
		meta := filepath.Join(s.dir, "meta")
		if err := os.Mkdir(meta, 0o700); err != nil {
			return nil, err
		}
		args = append(args, "--sidecar", meta)
	}
	cmd := exec.Command(program, append(args, data)...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+bucketKey, "ROOT_SECRET_KEY="+bucketPass)
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()         // the signal comes when the thread that started the server ends
		defer runtime.UnlockOSThread() // else the thread ends with this, and takes along whatever else was started by it
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(s.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	s.server = cmd
	return s, s.await()
}

// await waits until the server answers.
func (s *s3) await() error {
	for wait := time.NewTicker(20 * time.Millisecond); ; {
		res, err := http.Get("http://" + s.address)
		if err == nil {
			return res.Body.Close()
		}
		select {
		case <-s.ended:
			return errors.New("the server ended")
		case <-wait.C:
		}
	}
}

func (s *s3) remove() {
	if s.server != nil {
		_ = s.server.Process.Kill()
		<-s.ended
	}
	_ = os.RemoveAll(s.dir)
}

// findS3 gives the program: of VERSITYGW, on the path, or where go install puts it.
func findS3() (string, error) {
	candidates := []string{os.Getenv("VERSITYGW"), "versitygw"}
	if out, err := exec.Command("go", "env", "GOPATH").Output(); err == nil {
		candidates = append(candidates, filepath.Join(strings.TrimSpace(string(out)), "bin", "versitygw"))
	}
	for _, c := range candidates {
		if path, err := exec.LookPath(c); c != "" && err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}
