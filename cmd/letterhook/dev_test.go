package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/storage"
)

// running is a server started by a test.
type running struct {
	t     *testing.T
	smtp  string
	lines chan string // of its output
	stop  context.CancelFunc
	ended chan error
	log   *lockedBuffer
}

// startDev runs dev in this process until the test or stop ends it.
func startDev(t *testing.T, o devOptions) *running {
	t.Helper()
	o.smtp, o.http = "127.0.0.1:0", "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, lines: make(chan string, 1000), stop: cancel, ended: make(chan error, 1), log: &lockedBuffer{}}
	out, in := io.Pipe()
	go func() {
		err := o.run(ctx, in, r.log)
		in.Close()
		r.ended <- err
	}()
	go func() {
		defer close(r.lines)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			r.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range r.lines { // until it has ended
		}
		if t.Failed() {
			t.Logf("the log:\n%s", r.log.String())
		}
	})
	if o.json {
		r.log.await(t, "secret ")
		r.smtp = regexp.MustCompile(`^Ready\. .* at (127\.0\.0\.1:\d+)`).FindStringSubmatch(r.log.String())[1]
	} else {
		r.smtp = r.await(`at (127\.0\.0\.1:\d+)`)[1]
	}
	return r
}

// await reads the output up to a line that matches.
func (r *running) await(pattern string) []string {
	r.t.Helper()
	re := regexp.MustCompile(pattern)
	var seen []string
	for line := range r.lines {
		if m := re.FindStringSubmatch(line); m != nil {
			return m
		}
		seen = append(seen, line)
	}
	r.t.Fatalf("it ended without printing %s; it printed:\n%s\nand logged:\n%s", pattern, strings.Join(seen, "\n"), r.log.String())
	return nil
}

// end stops the server and wants it to end well.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("it ended with %v", err)
	}
}

// send sends one mail and gives its id.
func send(t *testing.T, address string, o sendOptions) string {
	t.Helper()
	o.server, o.helo, o.tls, o.count, o.connections, o.json = address, "localhost", "auto", 1, 1, false
	if o.to == nil {
		o.to = []string{"anyone@anywhere.example"}
	}
	var out bytes.Buffer
	if err := o.run(t.Context(), nil, nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	id := queueID.FindString(out.String())
	if id == "" {
		t.Fatalf("no id in %q", out.String())
	}
	return id
}

func TestDevPrintsVerifiedEvents(t *testing.T) {
	dev := startDev(t, devOptions{data: t.TempDir()})
	id := send(t, dev.smtp, sendOptions{from: "ann@sender.example", subject: "Grüße", text: "Hello\n", attach: []string{"dev_test.go"}})
	dev.await("^email.received  " + id + "  signature verified$")
	dev.await(`^  envelope     <ann@sender.example> to anyone@anywhere.example, from 127.0.0.1$`)
	dev.await(`^  subject      Grüße$`)
	link := dev.await(`^  attachment   dev_test.go \(.*octets\) (http://127.0.0.1:\d+/v1/blobs/\S+)$`)[1]
	raw := dev.await(`^  raw          (http://127.0.0.1:\d+/v1/raw/\S+)$`)[1]
	dev.await(`^  \| Hello$`)
	if got, want := get(t, link), readTestFile(t, "dev_test.go"); got != want {
		t.Error("the attachment behind the link is not the one that was sent")
	}
	if got := get(t, raw); !strings.HasPrefix(got, "From: ann@sender.example\r\n") {
		t.Errorf("the raw link serves %.50q", got)
	}
	dev.end()
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return string(body)
}

func readTestFile(t *testing.T, name string) string {
	t.Helper()
	content, err := readInput(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// endpointOf is a receiver of a test: it answers with status and hands over the ids of what verified.
func endpointOf(t *testing.T, secret string, status func() int) (url string, verified <-chan string) {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = webhook.Verify(body, req.Header)
		}
		if err != nil {
			t.Errorf("a request does not verify: %v", err)
		}
		w.WriteHeader(status())
		ids <- req.Header.Get("Webhook-Id")
	}))
	t.Cleanup(server.Close)
	return server.URL, ids
}

func TestDevForwards(t *testing.T) {
	url, verified := endpointOf(t, testSecret, func() int { return http.StatusOK })
	dev := startDev(t, devOptions{data: t.TempDir(), forward: url, secret: testSecret})
	id := send(t, dev.smtp, sendOptions{from: ""})
	if got := <-verified; got != id {
		t.Errorf("webhook-id %s, want %s", got, id)
	}
	dev.end()
}

// TestDevJSON: standard output holds events and nothing else; where it listens stands on standard error.
func TestDevJSON(t *testing.T) {
	dev := startDev(t, devOptions{data: t.TempDir(), json: true})
	id := send(t, dev.smtp, sendOptions{from: "a@b.example"})
	if line := <-dev.lines; !strings.HasPrefix(line, "{") || !strings.Contains(line, id) {
		t.Errorf("the first line is %s", line)
	}
	dev.end()
}

// TestDevSurvivesRestart loses its receiver, restarts, and delivers what was accepted before, with the secret kept.
func TestDevSurvivesRestart(t *testing.T) {
	data := t.TempDir()
	refused, _ := endpointOf(t, testSecret, func() int { return http.StatusServiceUnavailable })
	dev := startDev(t, devOptions{data: data, forward: refused, secret: testSecret})
	id := send(t, dev.smtp, sendOptions{from: "a@b.example"})
	dev.end()

	dev = startDev(t, devOptions{data: data})
	secret := dev.await(`secret +(whsec_\S+)`)[1]
	at := place{data: data}
	err := at.use(t.Context(), io.Discard, func(store *storage.Store) error {
		return retryMessage(t.Context(), store, id, false, io.Discard)
	})
	if err != nil {
		t.Fatal(err)
	}
	dev.await("^email.received  " + id + "  signature verified$")
	dev.end()

	dev = startDev(t, devOptions{data: data})
	if again := dev.await(`secret +(whsec_\S+)`)[1]; again != secret {
		t.Errorf("the secret changed from %s to %s", secret, again)
	}
	dev.end()
}

// TestDrain stops the server while an attempt waits for its answer: the attempt ends well and is recorded.
func TestDrain(t *testing.T) {
	data := t.TempDir()
	arrived, answer := make(chan struct{}), make(chan struct{})
	url, _ := endpointOf(t, testSecret, func() int {
		close(arrived)
		<-answer
		return http.StatusOK
	})
	dev := startDev(t, devOptions{data: data, forward: url, secret: testSecret, verbose: true})
	id := send(t, dev.smtp, sendOptions{from: "a@b.example"})
	<-arrived
	dev.stop()
	dev.log.await(t, "msg=stopping")
	close(answer)
	dev.end()
	at := place{data: data}
	err := at.use(t.Context(), io.Discard, func(store *storage.Store) error {
		rows, err := store.Deliveries(t.Context(), storage.DeliveryFilter{Message: id})
		if err == nil && (len(rows) != 1 || rows[0].State != storage.StateDelivered || rows[0].Attempts != 1) {
			t.Errorf("the delivery stands as %+v", rows)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDevRefusesWrongFlags(t *testing.T) {
	for _, o := range []devOptions{
		{forward: "ftp://host/", secret: testSecret},
		{forward: "http://127.0.0.1:1/", secret: "secret"},
		{secret: "whsec_c2hvcnQ="},
		{secret: "whsec_!!"},
	} {
		o.data, o.smtp, o.http = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if code := codeOf(o.run(ctx, io.Discard, io.Discard)); code != exitUsage {
			t.Errorf("%+v: exit code %d", o, code)
		}
		cancel()
	}
}
