package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// TestCopyEnds reads the places that the flags of copy name.
func TestCopyEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end   copyEnd
		want  string // data folder, database, blobs
		fault string
	}{
		"a data folder":       {end: copyEnd{place: "sqlite:/data"}, want: "/data  folder"},
		"as a URL":            {end: copyEnd{place: "sqlite:///data"}, want: "/data  folder"},
		"with its own blobs":  {end: copyEnd{place: "sqlite:/data", blobs: "/data/blobs"}, want: "/data  folder"},
		"and a bucket":        {end: copyEnd{place: "sqlite:/data", blobs: "s3://mail/a/b?region=r&path_style=true&storage_class=STANDARD_IA"}, want: "/data  s3 mail a/b r STANDARD_IA true"},
		"a database":          {end: copyEnd{place: "postgres://h/d", data: "/data"}, want: "/data postgres://h/d folder"},
		"with a folder":       {end: copyEnd{place: "postgres://h/d", blobs: "/data"}, want: "/data postgres://h/d folder"},
		"and a bucket alone":  {end: copyEnd{place: "postgres://h/d", blobs: "s3://mail?endpoint=http://s3"}, want: " postgres://h/d s3 mail    false"},
		"no folder":           {end: copyEnd{place: "sqlite:"}, fault: "names the data folder"},
		"two folders":         {end: copyEnd{place: "sqlite:/data", data: "/other"}, fault: "names the data folder"},
		"blobs elsewhere":     {end: copyEnd{place: "sqlite:/data", blobs: "/blobs"}, fault: "in its data folder, /data"},
		"bytes nowhere":       {end: copyEnd{place: "postgres://h/d"}, fault: "say where raw messages and attachments lie"},
		"no bucket":           {end: copyEnd{place: "sqlite:/data", blobs: "s3://"}, fault: "is not s3://BUCKET/PREFIX"},
		"an unknown key":      {end: copyEnd{place: "sqlite:/data", blobs: "s3://mail?color=red"}, fault: "color: is not known"},
		"no truth":            {end: copyEnd{place: "sqlite:/data", blobs: "s3://mail?path_style=perhaps"}, fault: "path_style"},
		"a bad URL":           {end: copyEnd{place: "postgres://h:x/d", data: "/data"}, fault: "the URL of the database"},
		"a file with flags":   {end: copyEnd{place: "letterhook.yaml", data: "/data"}, fault: "a configuration says that itself"},
		"a file that is none": {end: copyEnd{place: "none.yaml"}, fault: "none.yaml"},
		"an engine alone":     {end: copyEnd{place: "sqlite"}, fault: "sqlite:FOLDER or postgres:"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.end.flag = "to"
			c, err := tt.end.configuration()
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("error %v, want %q", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join([]string{c.DataDir, string(c.Storage.Database), c.Storage.Blobs}, " ")
			if s3 := c.Storage.S3; c.Storage.Blobs == config.BlobsS3 {
				got += " " + strings.Join([]string{s3.Bucket, s3.Prefix, s3.Region, s3.StorageClass}, " ") + map[bool]string{true: " true", false: " false"}[s3.PathStyle]
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestKeysComeAlong: a target gets the keys of the source, and one that has others is refused.
func TestKeysComeAlong(t *testing.T) {
	end := func() *openedEnd {
		c := config.Default()
		c.DataDir = t.TempDir()
		return &openedEnd{config: c}
	}
	from, to := end(), end()
	if _, err := to.takeKeys(from, storage.KeepKeys); err == nil {
		t.Error("without keys at the source")
	}
	var err error
	if from.store.Keys, err = storage.EnsureKeys(filepath.Join(from.config.DataDir, instanceKeyName)); err != nil {
		t.Fatal(err)
	}
	links, err := storage.EnsureKeys(filepath.Join(from.config.DataDir, linkKeyName))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := to.takeKeys(from, storage.KeepKeys); err != nil {
			t.Fatal(err)
		}
		got, err := linkKeys(to.config, storage.ReadKeys)
		if err != nil || !storage.HasKeys(got, links) || hasKeys(filepath.Join(to.config.DataDir, instanceKeyName), from.store.Keys) != nil {
			t.Errorf("the target has other keys, %v", err)
		}
	}
	other := end()
	if _, err := storage.EnsureKeys(filepath.Join(other.config.DataDir, instanceKeyName)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.takeKeys(from, storage.KeepKeys); err == nil || !strings.Contains(err.Error(), "lacks a key") {
		t.Errorf("a target with another key: %v", err)
	}
	named := end()
	named.config.Storage.KeyFile = filepath.Join(other.config.DataDir, instanceKeyName)
	if _, err := named.takeKeys(from, storage.KeepKeys); err == nil || !strings.Contains(err.Error(), "lacks a key") {
		t.Errorf("a target whose key file is another: %v", err)
	}
	nowhere := &openedEnd{config: config.Default()}
	nowhere.config.DataDir = ""
	if notes, err := nowhere.takeKeys(from, storage.KeepKeys); err != nil || len(notes) != 1 {
		t.Errorf("without a folder: %q, %v", notes, err)
	}
}

// TestCopySaysWhenToStopTheServer: a copy that waits says so where no terminal is, and goes on when the server has been stopped.
func TestCopySaysWhenToStopTheServer(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	for range 3 {
		send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}})
	}
	root, _ := newRoot()
	root.SetArgs([]string{"copy", "--from", s.path, "--to", "sqlite:" + filepath.Join(t.TempDir(), "new"), "--wait"})
	out, in := io.Pipe()
	root.SetOut(in)
	root.SetErr(io.Discard)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a copy that says nothing would wait for ever
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		in.Close()
		ended <- err
	}()
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if want := regexp.MustCompile(`^First pass done: [1-9]\d* rows, 3 messages\. Stop the server of the source now; waiting for it\.\n$`); err != nil || !want.MatchString(first) {
		t.Errorf("while the server runs it says %q, %v", first, err)
	}
	s.stop()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "\nDone: 3 messages and 3 pending deliveries") {
		t.Errorf("after the stop it says %q, %v", rest, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	beside := func() string { // a command that changes what nobody serves
		var messages bytes.Buffer
		root, _ := newRoot()
		root.SetArgs([]string{"suppressions", "add", "--config", s.path, fmt.Sprintf("%p@spam.example", &messages)})
		root.SetOut(io.Discard)
		root.SetErr(&messages)
		if err := root.ExecuteContext(ctx); err != nil {
			t.Error(err)
		}
		return messages.String()
	}
	if said := beside(); !strings.HasPrefix(said, "warning: no server works with these data: this installation was moved") {
		t.Errorf("a command beside the old place says %q", said)
	}
	took := func(args ...string) (string, error) {
		var out bytes.Buffer
		root, _ := newRoot()
		root.SetArgs(append([]string{"copy", "--from", s.path}, args...))
		root.SetOut(&out)
		root.SetErr(io.Discard)
		err := root.ExecuteContext(ctx)
		return out.String(), err
	}
	if _, err := took("--take-back", "--to", "sqlite:/new"); err == nil {
		t.Error("taken back and copied at once")
	}
	if said, err := took("--take-back"); err != nil || !strings.Contains(said, "A server may start here again.") {
		t.Errorf("taken back: %q, %v", said, err)
	}
	if said := beside(); said != "" {
		t.Errorf("a command beside what was taken back says %q", said)
	}
	if _, err := took("--take-back"); !errors.Is(err, storage.ErrNotMoved) {
		t.Errorf("taken back twice: %v", err)
	}
}

// TestPassesOfACopy: what is found in a pass is printed before its line, and only the first is called so.
func TestPassesOfACopy(t *testing.T) {
	fault := storage.Fault{Kind: storage.FaultBytes, Subject: "msg_1", Detail: "gone"}
	var out bytes.Buffer
	if err := printPass(&out, &storage.CopyReport{
		Tables: []storage.TableCopy{{Table: "message", Rows: 2, Written: 1}, {Table: "delivery", Rows: 5}}, Faults: []storage.Fault{fault},
	}, 2, storage.ErrLocked); err != nil {
		t.Fatal(err)
	}
	if want := fault.String() + "\nPass 2 done: 7 rows, 2 messages. Stop the server of the source now; waiting for it (another server uses it).\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestCopySaysWhatKeepsItFromItsEnd: a copy that does not wait says why it is not done, which need not be a server.
func TestCopySaysWhatKeepsItFromItsEnd(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	var out bytes.Buffer
	root, _ := newRoot()
	root.SetArgs([]string{"copy", "--from", s.path, "--to", "sqlite:" + filepath.Join(t.TempDir(), "new")})
	root.SetOut(&out)
	root.SetErr(io.Discard)
	if err := root.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "The source is not at rest (hold the source: another server uses it") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestProgressBar draws on a terminal alone, and exactly the share.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.show("bytes", 1, 2)
	p.clear()
	if out.Len() > 0 {
		t.Errorf("drawn into a file: %q", out.String())
	}
	for want, got := range map[string]string{
		"bytes  [###############...............]  50 %  1.5 GB of 3.0 GB": bar(storage.CopyingBytes, 1_500_000_000, 3_000_000_000),
		"rows   [..............................]   0 %  0 of 7":           bar(storage.CopyingRows, 0, 7),
		"rows   [##############################] 100 %  0 of 0":           bar(storage.CopyingRows, 0, 0),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestFailedCopyLeavesNoFolder: a copy that does not come to begin takes the folder away that it made for its target, with that above it, and
// leaves one that was there.
func TestFailedCopyLeavesNoFolder(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	const nowhere = "postgres://127.0.0.1:1/letterhook?sslmode=disable"
	there, above := t.TempDir(), filepath.Join(t.TempDir(), "above")
	for _, data := range []string{there, filepath.Join(above, "data")} {
		if out, err := command(t, "copy", "--from", s.path, "--to", nowhere, "--to-data", data); err == nil || !strings.Contains(err.Error(), "connect to the database") {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if _, err := os.Stat(above); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what it made is left: %v", err)
	}
	if _, err := os.Stat(there); err != nil {
		t.Error(err)
	}
	for _, name := range []string{instanceKeyName, linkKeyName} {
		if _, err := os.Stat(filepath.Join(there, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was brought to no target: %v", name, err)
		}
	}
}
