package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestBackup saves a server on SQLite under load, with a run that is killed, and throws the data folder away. From the backup, everything
// that was accepted before it was begun is delivered under the webhook-ids that it had.
func TestBackup(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	b := startBacklog(ctx, t)
	b.lose(ctx, t)
	owed := pending(ctx, t, b.o)
	load, stop := context.WithCancel(ctx)
	done := make(chan *bench.Sent)
	go func() {
		done <- bench.Send(load, bench.Load{Addr: b.o.SMTP, To: "load@one.example", Connections: 2, Messages: 1 << 40, Size: 4096, Rate: 50, Run: "backup", Resend: true})
	}()
	saved := filepath.Join(t.TempDir(), "saved")
	for _, wait := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
		dying, cancel := context.WithTimeout(ctx, wait)
		_ = exec.CommandContext(dying, b.o.Program, "backup", "-c", b.o.Config, saved).Run()
		cancel()
	}
	t.Log(command(ctx, t, b.o.Program, "backup", "-c", b.o.Config, "--with-keys", "--check", saved))
	stop()
	<-done
	if err := b.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.data); err != nil {
		t.Fatal(err)
	}

	place := filepath.Join(t.TempDir(), "place")
	if err := os.CopyFS(place, os.DirFS(saved)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"instance.key", "link.key"} { // which os.CopyFS makes readable for all
		if err := os.Chmod(filepath.Join(place, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := b.configure(t, place, "")
	command(ctx, t, o.Program, "fsck", "-c", o.Config)
	b.goesOn(ctx, t, o, owed)
	stopAndCheck(t, b.server, o)
}

// TestBackupOfPostgres saves a server on PostgreSQL and a bucket with pg_dump and a copy of the bucket, in the order that docs/operations.md
// tells, and goes on from them with everything else thrown away.
func TestBackupOfPostgres(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	bucket := startBucket(ctx, t)
	database := throwaway.Database(t)
	b := startBacklogOn(ctx, t, bucket.storageSection(bucket.addr)+"\n  database: "+database)
	b.lose(ctx, t)
	owed := pending(ctx, t, b.o)

	const saved = "saved"
	client := bucket.client()
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(saved)}); err != nil {
		t.Fatal(err)
	}
	copyBucket(ctx, t, client, bucketName, saved)
	accepted(ctx, t, b.server, []byte(greeting), "between@one.example") // after the first copy of the bucket, before the dump
	for id := range pending(ctx, t, b.o) {
		owed[id] = true
	}
	restored := throwaway.Copy(t, database) // pg_dump into psql
	accepted(ctx, t, b.server, []byte(greeting), "too-late@one.example")
	copyBucket(ctx, t, client, bucketName, saved)
	if err := b.server.Kill(); err != nil {
		t.Fatal(err)
	}

	place := t.TempDir()
	for _, name := range []string{"instance.key", "link.key"} {
		key, err := os.ReadFile(filepath.Join(b.data, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(place, name), key, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(b.data); err != nil {
		t.Fatal(err)
	}
	o := b.configure(t, place, "")
	text, err := os.ReadFile(o.Config)
	if err == nil {
		changed := strings.NewReplacer("bucket: "+bucketName, "bucket: "+saved, database, restored).Replace(string(text))
		err = os.WriteFile(o.Config, []byte(changed), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	command(ctx, t, o.Program, "fsck", "-c", o.Config)
	b.goesOn(ctx, t, o, owed)
	stopAndCheck(t, b.server, o)
}

// copyBucket copies what is not there yet, as every tool that mirrors buckets does.
func copyBucket(ctx context.Context, t *testing.T, client *s3.Client, from, to string) {
	t.Helper()
	list := func(bucket string) []s3types.Object {
		var all []s3types.Object
		pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page.Contents...)
		}
		return all
	}
	there := map[string]bool{}
	for _, o := range list(to) {
		there[*o.Key] = true
	}
	for _, o := range list(from) {
		if there[*o.Key] {
			continue
		}
		source := fmt.Sprintf("%s/%s", from, *o.Key)
		if _, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &to, Key: o.Key, CopySource: &source}); err != nil {
			t.Fatalf("copying %s: %v", *o.Key, err)
		}
	}
}
