package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// overlap is how long a secret goes on signing beside the next one. A server learns of a new one within a second of its start.
const overlap = 10 * time.Second

// liveSecret is a signing secret as an application keeps it.
type liveSecret struct {
	Secret string     `json:"secret"`
	Until  *time.Time `json:"until"`
	verify *standardwebhooks.Webhook
}

// verifier is an application that keeps the list of secrets as the operator's commands show it.
type verifier struct {
	mu       sync.Mutex
	known    map[string]liveSecret
	requests int
	news     int // requests that a secret verified which the first list did not have
	first    map[string]bool
	faults   []string
}

// learn takes a list; a secret that stands in it no more keeps the end that it had.
func (v *verifier) learn(t *testing.T, list []liveSecret) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil {
		v.known, v.first = map[string]liveSecret{}, map[string]bool{}
		for _, s := range list {
			v.first[s.Secret] = true
		}
	}
	for _, s := range list {
		var err error
		if s.verify, err = standardwebhooks.NewWebhook(s.Secret); err != nil {
			t.Fatal(err)
		}
		v.known[s.Secret] = s
	}
}

// check holds a request against the list of the moment at which it was signed.
func (v *verifier) check(header http.Header, body []byte) {
	seconds, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	at := time.Unix(seconds, 0)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	if err != nil {
		v.faults = append(v.faults, "no timestamp")
		return
	}
	verified, ended := 0, 0
	for _, s := range v.known {
		if s.verify.VerifyIgnoringTimestamp(body, header) != nil {
			continue
		}
		if s.Until != nil && at.After(*s.Until) {
			ended++
			continue
		}
		verified++
		if !v.first[s.Secret] {
			v.news++
		}
	}
	switch {
	case verified == 0:
		v.faults = append(v.faults, fmt.Sprintf("%s of %s verifies with none of %d secrets: %q", header.Get("webhook-id"), at, len(v.known), header.Get("webhook-signature")))
	case ended > 0:
		v.faults = append(v.faults, fmt.Sprintf("%d secrets signed at %s that had ended", ended, at))
	}
}

const commandedConfiguration = `hostname: ` + serverName + `
public_url: http://%[1]s
data_dir: %[2]s
smtp:
  listeners: [{name: mx, address: "%[3]s", tls: none}]
  max_messages: 1000000
http:
  public: {address: "%[1]s"}
  private: {address: "%[1]s"}
storage: {min_free: 0}
accounts: [{name: one}]
endpoints:
  - {name: app, url: "%[4]s", stored_secrets: true, allow_private: true}
domains:
  - {name: in.example, routes: [{match: "*", endpoints: [app]}]}
`

// commanded is a server whose operator is busy.
type commanded struct {
	bench.ServerOptions
	data string
	v    verifier
}

// run runs a command of the operator. Some are killed on their way, like the server: dead is true then.
func (c *commanded) run(ctx context.Context, mayDie bool, args ...string) (out []byte, dead bool, err error) {
	cmd := exec.CommandContext(ctx, c.Program, append(args, "-c", c.Config)...)
	var said strings.Builder
	cmd.Stderr = &said
	if !mayDie {
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("%q: %w: %s", args, err, said.String())
		}
		return out, false, err
	}
	if err := cmd.Start(); err != nil {
		return nil, false, err
	}
	killer := time.AfterFunc(time.Duration(rand.IntN(120))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	return nil, !killer.Stop() && err != nil, nil
}

// relearn asks for the secrets as they are.
func (c *commanded) relearn(ctx context.Context, t *testing.T) {
	out, _, err := c.run(ctx, false, "endpoints", "secrets", "app", "--reveal", "--json")
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return
	}
	var list []liveSecret
	for line := range strings.Lines(string(out)) {
		var s liveSecret
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Errorf("%q: %v", line, err)
			return
		}
		list = append(list, s)
	}
	c.v.learn(t, list)
}

// command does one thing that an operator may do.
func (c *commanded) command(ctx context.Context, t *testing.T) (dead bool) {
	mayDie := rand.IntN(4) == 0
	switch rand.IntN(4) {
	case 0:
		_, dead, _ = c.run(ctx, mayDie, "endpoints", "rotate-secret", "app", "--overlap", overlap.String())
		c.relearn(ctx, t) // whatever became of the command
	case 1:
		_, dead, _ = c.run(ctx, mayDie, "endpoints", "pause", "app")
	default: // oftener than paused, or hardly anything would arrive
		_, dead, _ = c.run(ctx, mayDie, "endpoints", "resume", "app")
	}
	return dead
}

// TestKilledAmidCommands kills the server again and again while its operator rotates the secret of an endpoint, pauses and
// resumes it, and the endpoint disables itself now and then. Commands are killed too. Every mail that was acknowledged arrives, none
// under two ids, and each request verifies with the secrets of its moment.
func TestKilledAmidCommands(t *testing.T) {
	kills := killsWanted(t, 6)
	ctx := within(t, time.Duration(kills)*10*time.Second+3*time.Minute)
	c, r := startCommanded(t)
	server := start(ctx, t, c.ServerOptions)
	c.relearn(ctx, t)
	var gone atomic.Int64
	r.Observe(c.v.check)
	r.Answer(func(string) int {
		if rand.IntN(300) == 0 {
			gone.Add(1)
			return http.StatusGone
		}
		return http.StatusNoContent
	})
	sending, stop := context.WithCancel(ctx)
	sent := make(chan *bench.Sent)
	go func() {
		sent <- bench.Send(sending, bench.Load{
			Addr: c.SMTP, To: "x@in.example", Connections: 4, Messages: 1 << 40, Size: 2048, Rate: 150, Run: "commands", Resend: true,
		})
	}()
	commands, dead := make(chan int), 0
	go func() {
		n := 0
		for ; sending.Err() == nil; n++ {
			if c.command(sending, t) {
				dead++
			}
		}
		commands <- n
	}()
	for range kills {
		select {
		case <-time.After(time.Duration(500+rand.IntN(2000)) * time.Millisecond): // the random moment itself, not a wait for something
		case <-server.Done():
			t.Fatal("the server ended by itself")
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		server = start(ctx, t, c.ServerOptions)
	}
	stop()
	acknowledged, ran := <-sent, <-commands
	r.Answer(nil)
	if _, _, err := c.run(ctx, false, "endpoints", "resume", "app"); err != nil {
		t.Error(err)
	}
	kept(ctx, t, acknowledged, r)
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	t.Logf("%d commands, of which %d were killed; %d requests, %d verified with new secrets; disabled %d times",
		ran, dead, c.v.requests, c.v.news, gone.Load())
	for _, fault := range c.v.faults[:min(len(c.v.faults), 10)] {
		t.Error(fault)
	}
	if c.v.news == 0 {
		t.Error("no new secret ever signed: the test proves nothing")
	}
	fsck(t, c.Program, c.data)
}

// killsWanted is how often LETTERHOOK_KILLS wants servers to be killed, or what suits a run of continuous integration.
func killsWanted(t *testing.T, usual int) int {
	t.Helper()
	s := os.Getenv("LETTERHOOK_KILLS")
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("LETTERHOOK_KILLS: %v", err)
	}
	return n
}

func startCommanded(t *testing.T) (*commanded, *bench.Receiver) {
	t.Helper()
	r, err := bench.NewReceiver("") // the verifier does that
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	smtp, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	web, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	c := &commanded{data: t.TempDir()}
	c.ServerOptions = bench.ServerOptions{Program: program(t), SMTP: smtp, HTTP: web, Config: filepath.Join(t.TempDir(), "letterhook.yaml")}
	text := fmt.Sprintf(commandedConfiguration, web, c.data, smtp, r.URL)
	if err := os.WriteFile(c.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, r
}
