package receivers_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/dispatch"
)

// TestReceivers runs each example as its README says, and posts to it what Letterhook posts and what an enemy would.
func TestReceivers(t *testing.T) {
	tests := []struct {
		name, runtime string
		args          func(t *testing.T) []string
	}{
		{"go", "go", func(t *testing.T) []string { return []string{build(t)} }},
		{"node", "node", func(*testing.T) []string { return []string{"node", "node/receiver.mjs"} }},
		{"python", "python3", func(*testing.T) []string { return []string{"python3", "python/receiver.py"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(tt.runtime); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("%s is not installed", tt.runtime)
				}
				t.Skipf("%s is not installed", tt.runtime)
			}
			testReceiver(t, tt.args(t))
		})
	}
}

// build makes a program of the Go example: "go run" would leave it running when it is killed.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "receiver")
	if out, err := exec.Command("go", "build", "-o", binary, "./go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

var (
	current = bytes.Repeat([]byte("c"), 32)
	next    = bytes.Repeat([]byte("n"), 32)
	foreign = bytes.Repeat([]byte("f"), 32)
)

// start runs a receiver and gives its URL and what it prints afterwards.
func start(t *testing.T, args []string) (url string, lines *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "LISTEN=127.0.0.1:0",
		"WEBHOOK_SECRET="+dispatch.FormatSecret(current)+" "+dispatch.FormatSecret(next))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("stderr: %s", stderr.String())
		}
	})
	lines = bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("it printed nothing: %v", lines.Err())
	}
	url, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok {
		t.Fatalf("first line %q", lines.Text())
	}
	return url, lines
}

type post struct {
	name      string
	id        string
	at        time.Time
	body      string
	signature string // empty: made with secrets
	secrets   [][]byte
	status    int
	printed   bool
}

func testReceiver(t *testing.T, args []string) {
	url, lines := start(t, args)
	now := time.Now()
	const event = `{"type":"message.received","data":{"subject":"Grüße, \"you\""}}`
	one := [][]byte{current}
	good := dispatch.Sign("msg_1", now, []byte(event), one)
	posts := []post{
		{name: "good", id: "msg_1", at: now, body: event, secrets: one, status: 204, printed: true},
		{name: "repeated", id: "msg_1", at: now, body: event, secrets: one, status: 204},
		{name: "the next secret", id: "msg_2", at: now, body: event, secrets: [][]byte{next}, status: 204, printed: true},
		{name: "several signatures", id: "msg_3", at: now, body: event, secrets: [][]byte{foreign, current}, status: 204, printed: true},
		{name: "another version beside", id: "msg_4", at: now, body: event,
			signature: "v1a,AAAA " + dispatch.Sign("msg_4", now, []byte(event), one), status: 204, printed: true},
		{name: "subject null", id: "msg_5", at: now, body: `{"type":"x","data":{"subject":null}}`, secrets: one, status: 204, printed: true},
		{name: "body changed", id: "msg_1", at: now, body: event + " ", signature: good, status: 401},
		{name: "id changed", id: "msg_9", at: now, body: event, signature: good, status: 401},
		{name: "timestamp changed", id: "msg_1", at: now.Add(time.Minute), body: event, signature: good, status: 401},
		{name: "too old", id: "msg_9", at: now.Add(-6 * time.Minute), body: event, secrets: one, status: 401},
		{name: "from the future", id: "msg_9", at: now.Add(6 * time.Minute), body: event, secrets: one, status: 401},
		{name: "unknown secret", id: "msg_9", at: now, body: event, secrets: [][]byte{foreign}, status: 401},
		{name: "cut signature", id: "msg_1", at: now, body: event, signature: good[:20], status: 401},
		{name: "only the version", id: "msg_1", at: now, body: event, signature: "v1,", status: 401},
		{name: "no signature", id: "msg_1", at: now, body: event, signature: " ", status: 401},
		{name: "no id", at: now, body: event, secrets: one, status: 401},
		{name: "no JSON", id: "msg_9", at: now, body: "{", secrets: one, status: 400},
		{name: "still alive", id: "msg_6", at: now, body: event, secrets: one, status: 204, printed: true},
	}
	for _, p := range posts {
		status := send(t, url, p)
		if status != p.status {
			t.Errorf("%s: %d, want %d", p.name, status, p.status)
		}
		if p.printed && status == p.status {
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), p.id+" ") {
				t.Errorf("%s: printed %q", p.name, lines.Text())
			}
		}
	}
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", response.Status)
	}
}

func send(t *testing.T, url string, p post) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	if p.signature == "" {
		p.signature = dispatch.Sign(p.id, p.at, []byte(p.body), p.secrets)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Webhook-Id", p.id)
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(p.at.Unix(), 10))
	request.Header.Set("Webhook-Signature", p.signature)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// TestReceiversNeedASecret starts them without one: to accept everything would be the worst of defaults.
func TestReceiversNeedASecret(t *testing.T) {
	for runtime, args := range map[string][]string{
		"go": {build(t)}, "node": {"node", "node/receiver.mjs"}, "python3": {"python3", "python/receiver.py"},
	} {
		if _, err := exec.LookPath(runtime); err != nil {
			continue
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "LISTEN=127.0.0.1:0", "WEBHOOK_SECRET=")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "WEBHOOK_SECRET is not set") {
			t.Errorf("%s: %v, %s", runtime, err, out)
		}
	}
}
