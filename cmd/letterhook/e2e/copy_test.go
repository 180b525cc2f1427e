package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// backlog is an installation whose receiver has taken some mail and now takes none, with what has to outlive a move.
type backlog struct {
	server *bench.Server
	in     *inbox
	o      bench.ServerOptions
	data   string

	token, endpoint string // of the API
	files           event  // delivered, with links
	lost            []byte // a mail whose 250 nobody read
	lostID          string

	mu    sync.Mutex
	moved bool
	taken map[string]int // requests since, by webhook-id
}

var messageID = regexp.MustCompile(`msg_[0-9a-z]{26}`)

// startBacklog fills a server on SQLite and a folder.
func startBacklog(ctx context.Context, t *testing.T) *backlog {
	t.Helper()
	return startBacklogOn(ctx, t, "  retention: {messages: 30d}")
}

// startBacklogOn fills a server with these lines in its section storage.
func startBacklogOn(ctx context.Context, t *testing.T, storage string) *backlog {
	t.Helper()
	i := &installation{
		data: t.TempDir(), storage: storage,
		more: "delivery: {schedule: [" + strings.Repeat("1s, ", 300) + "1s]}\n", // until the move they are tried and fail
	}
	b := &backlog{data: i.data, taken: map[string]int{}}
	b.server, b.in, b.o = startInstallation(ctx, t, i)
	b.files = exchangeFiles(ctx, t, b.server, b.in)
	b.in.Observe(b.observe)
	b.in.Answer(func(string) int {
		if b.hasMoved() {
			return http.StatusNoContent
		}
		return http.StatusServiceUnavailable
	})
	for n := range 20 {
		accepted(ctx, t, b.server, []byte(greeting), fmt.Sprintf("pending%d@%s.example", n, []string{"one", "two"}[n%2]))
	}
	accepted(ctx, t, b.server, mailWith(attached()[:2]), "pending-files@one.example")
	accepted(ctx, t, b.server, largeMail(), "pending-large@two.example")
	b.token = strings.TrimSpace(command(ctx, t, b.o.Program, "keys", "create", "mover", "-c", b.o.Config, "--json"))
	var key struct{ Token string }
	if err := json.Unmarshal([]byte(b.token), &key); err != nil {
		t.Fatal(err)
	}
	b.token = key.Token
	var made struct{ ID string }
	b.api(ctx, t, http.MethodPost, "/endpoints", `{"account_id": "`+b.files.Data.AccountID+`", "name": "by-api", "url": "https://app.example/hook"}`, &made)
	b.endpoint = made.ID
	return b
}

func (b *backlog) hasMoved() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.moved
}

func (b *backlog) observe(header http.Header, body []byte) {
	b.in.keep(header, body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.moved {
		b.taken[header.Get("webhook-id")]++
	}
}

// api calls the API of the server.
func (b *backlog) api(ctx context.Context, t *testing.T, method, path, body string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+b.server.HTTP+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode > 299 {
		t.Fatalf("%s %s: %s, %s, %v", method, path, response.Status, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// lose has a mail accepted and cuts the connection, so that its sender will come again.
func (b *backlog) lose(ctx context.Context, t *testing.T) {
	t.Helper()
	b.lost = []byte("Subject: lost\r\n\r\nNobody reads the answer.\r\n")
	c := hello(ctx, t, b.server.SMTP)
	r := c.send(b.lost, "lost@one.example")
	if b.lostID = messageID.FindString(r.text); r.code != 250 || b.lostID == "" {
		t.Fatal(r)
	}
	_ = c.conn.Close()
}

// pending gives the ids of the messages of everything that is owed.
func pending(ctx context.Context, t *testing.T, o bench.ServerOptions) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, id := range messageID.FindAllString(command(ctx, t, o.Program, "deliveries", "list", "-c", o.Config, "--state", "pending", "--limit", "1000", "--json"), -1) {
		ids[id] = true
	}
	return ids
}

// command runs a command that must succeed and gives what it printed.
func command(ctx context.Context, t *testing.T, name string, args ...string) string {
	t.Helper()
	var complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out, complaints.Bytes())
	}
	return string(out)
}

// configure writes the configuration of the same installation over another data folder and other lines of the section storage.
func (b *backlog) configure(t *testing.T, data, storage string) bench.ServerOptions {
	t.Helper()
	text, err := os.ReadFile(b.o.Config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "data_dir: "+b.data, "data_dir: "+data, 1)
	changed = strings.Replace(changed, "\nstorage:\n", "\nstorage:\n"+storage+"\n", 1)
	o := b.o
	o.Config = filepath.Join(t.TempDir(), "letterhook.yaml")
	if err := os.WriteFile(o.Config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// goesOn starts the moved server and proves that nothing is missing: everything pending arrives once under the webhook-id that it had,
// a resend is known, keys, configuration and links hold.
func (b *backlog) goesOn(ctx context.Context, t *testing.T, o bench.ServerOptions, owed map[string]bool) {
	t.Helper()
	if len(owed) < 20 {
		t.Errorf("only %d messages are owed before", len(owed))
	}
	b.mu.Lock()
	b.moved = true
	b.mu.Unlock()
	b.server = start(ctx, t, o)
	r := deliver(ctx, t, b.server.SMTP, b.lost, "lost@one.example")
	if r.code != 250 || messageID.FindString(r.text) != b.lostID {
		t.Errorf("the resend of %s: %s", b.lostID, r)
	}
	var found struct{ Name string }
	b.api(ctx, t, http.MethodGet, "/endpoints/"+b.endpoint, "", &found)
	if found.Name != "by-api" {
		t.Errorf("the endpoint that was made by API: %+v", found)
	}
	for i, f := range attached() {
		if got := fetch(ctx, t, b.files.Data.Attachments[i].URL); !bytes.Equal(got, f.content) {
			t.Errorf("%s: the link from before gives other octets", f.name)
		}
	}
	if got := fetch(ctx, t, b.files.Data.Raw.URL); !bytes.Equal(got, mailWith(attached())) {
		t.Error("the raw link from before gives other octets")
	}
	accepted(ctx, t, b.server, []byte(greeting), "after@one.example")
	b.in.awaitFor(ctx, t, "after@one.example")
	eventually(ctx, t, "nothing is pending", func() bool { return len(pending(ctx, t, o)) == 0 })
	b.mu.Lock()
	defer b.mu.Unlock()
	arrived, ids := map[string]bool{}, map[string]string{}
	for _, e := range b.in.all() { // those from before the move, which were not taken, too
		if n := b.taken[e.WebhookID]; n > 1 {
			t.Errorf("%s came %d times", e.WebhookID, n)
		} else if n == 1 {
			arrived[e.Data.ID] = true
		}
		if first, ok := ids[e.Data.ID]; ok && first != e.WebhookID {
			t.Errorf("%s came as %s and as %s", e.Data.ID, first, e.WebhookID)
		}
		ids[e.Data.ID] = e.WebhookID
	}
	for id := range owed {
		if !arrived[id] {
			t.Errorf("%s was owed and did not arrive", id)
		}
	}
}

// TestCopyMoves moves a running server from SQLite and a folder to PostgreSQL and a bucket: a first pass beside it that is killed again and
// again, more mail, a stop, the last pass that is killed too.
func TestCopyMoves(t *testing.T) {
	t.Parallel()
	ctx := within(t, 4*time.Minute)
	bucket := startBucket(ctx, t)
	database := throwaway.Database(t)
	b := startBacklog(ctx, t)
	o := b.configure(t, t.TempDir(), bucket.storageSection(bucket.addr)+"\n  database: "+database)

	copyWith := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, o.Program, append([]string{"copy", "--from", b.o.Config, "--to", o.Config, "--json"}, args...)...)
	}
	killed := 0
	for wait := 5 * time.Millisecond; ; wait += 20 * time.Millisecond {
		cmd := copyWith()
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(wait, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if cmd.ProcessState.ExitCode() >= 0 {
			t.Fatalf("%v\n%s", err, out.Bytes())
		}
		killed++
	}
	t.Logf("the first pass was killed %d times", killed)
	b.lose(ctx, t)
	accepted(ctx, t, b.server, []byte(greeting), "late@two.example")
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, o.Program, "serve", "-c", o.Config).CombinedOutput(); err == nil || !strings.Contains(string(out), "copy in the making") {
		t.Errorf("a server on a half made copy: %v\n%s", err, out)
	}
	owed := pending(ctx, t, b.o)
	for _, wait := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} {
		dying, stop := context.WithTimeout(ctx, wait)
		_ = exec.CommandContext(dying, o.Program, "copy", "--from", b.o.Config, "--to", o.Config).Run()
		stop()
	}
	out, err := copyWith("--final").Output()
	if err != nil && !strings.Contains(err.Error(), "exit status 1") {
		t.Fatal(err)
	}
	var report struct {
		Finished bool
		Messages int
		Pending  int `json:"pending_deliveries"`
		Faults   []any
	}
	if err == nil { // else one of the killed ones had finished
		if err := json.Unmarshal(out, &report); err != nil {
			t.Fatal(err)
		}
		if !report.Finished || report.Pending != len(owed) || len(report.Faults) > 0 || report.Messages != len(owed)+1 {
			t.Errorf("%+v, want %d pending", report, len(owed))
		}
	}
	if out, err := exec.CommandContext(ctx, b.o.Program, "serve", "-c", b.o.Config).CombinedOutput(); err == nil || !strings.Contains(string(out), "this installation was moved") {
		t.Errorf("a server on what was moved: %v\n%s", err, out)
	}
	b.goesOn(ctx, t, o, owed)
	stopAndCheck(t, b.server, o)
}

// TestCopyByURL names both ends by what they are, and has the command wait for the server to stop.
func TestCopyByURL(t *testing.T) {
	t.Parallel()
	ctx := within(t, 4*time.Minute)
	bucket := startBucket(ctx, t)
	database := throwaway.Database(t)
	b := startBacklog(ctx, t)
	data := t.TempDir()
	o := b.configure(t, data, bucket.storageSection(bucket.addr)+"\n  database: "+database)

	cmd := exec.CommandContext(ctx, o.Program, "copy", "--from", "sqlite:"+b.data, "--to", database, "--to-data", data,
		"--to-blobs", "s3://"+bucketName+"?endpoint=http://"+bucket.addr+"&region=us-east-1&path_style=true", "--wait", "--json")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+accessSecret)
	cmd.Stderr = logFile(t)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	reports := json.NewDecoder(out)
	var report struct {
		Finished bool
		Proven   int `json:"proven_objects"`
		Faults   []any
	}
	if err := reports.Decode(&report); err != nil || report.Finished || report.Proven == 0 {
		t.Fatalf("beside the server: %+v, %v", report, err)
	}
	b.lose(ctx, t)
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	owed := pending(ctx, t, b.o)
	for !report.Finished {
		if err := reports.Decode(&report); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil || len(report.Faults) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	b.goesOn(ctx, t, o, owed)
	stopAndCheck(t, b.server, o)
}
