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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

const (
	bucketName   = "letterhook"
	accessKey    = "LETTERHOOKTEST"
	accessSecret = "a-secret-that-guards-nothing"
)

// A bucket is a versitygw, a real S3 server, over a folder.
type bucket struct {
	addr    string
	dir     string // what is stored lies in dir/letterhook/KEY
	program string
	secret  string
	log     *os.File
	cmd     *exec.Cmd
	done    chan struct{}
}

// startBucket starts a server with an empty bucket. It ends with the test.
func startBucket(ctx context.Context, t *testing.T) *bucket {
	t.Helper()
	addr, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	b := &bucket{addr: addr, dir: t.TempDir(), program: versitygw(t), secret: accessSecret, log: logFile(t)}
	b.start(ctx, t)
	t.Cleanup(func() { b.kill(t) })
	_, err = b.client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucketName)})
	if err != nil {
		t.Fatalf("making the bucket: %v", err)
	}
	return b
}

// versitygw finds the server: on the PATH, or where `go install` puts it.
func versitygw(t *testing.T) string {
	t.Helper()
	if p, err := exec.LookPath("versitygw"); err == nil {
		return p
	}
	out, err := exec.Command("go", "env", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(strings.TrimSpace(string(out)), "bin", "versitygw")
	if _, err := os.Stat(p); err != nil {
		missing(t, "versitygw is not installed (go install github.com/versity/versitygw/cmd/versitygw@v1.8.0)")
	}
	return p
}

func (b *bucket) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String("http://" + b.addr), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, accessSecret, ""),
	})
}

// start starts the server, again perhaps, and waits until it can be reached.
func (b *bucket) start(ctx context.Context, t *testing.T) {
	t.Helper()
	b.cmd = exec.Command(b.program, "--port", b.addr, "posix", b.dir)
	b.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+b.secret)
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		t.Fatalf("starting versitygw: %v", err)
	}
	done := make(chan struct{})
	b.done = done
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(done)
	}(b.cmd)
	eventually(ctx, t, "versitygw answers", func() bool {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// kill ends the server at once.
func (b *bucket) kill(t *testing.T) {
	t.Helper()
	_ = b.cmd.Process.Kill()
	<-b.done
}

// storageSection is the configuration for this bucket, reached at addr.
func (b *bucket) storageSection(addr string) string {
	return fmt.Sprintf("  blobs: s3\n  s3: {endpoint: \"http://%s\", region: us-east-1, bucket: %s, path_style: true, access_key_id: %s, secret_access_key: %s}",
		addr, bucketName, accessKey, accessSecret)
}
