package e2e

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// kept fails the test unless every acknowledged message arrived, each under one id only, all signed.
func kept(ctx context.Context, t *testing.T, sent *bench.Sent, r *bench.Receiver) {
	t.Helper()
	bench.Await(ctx, sent, r)
	for token := range sent.Acked {
		if _, ok := r.Arrival(token); !ok {
			t.Errorf("%s got 250 and never arrived", token)
		}
	}
	tally := r.Tally()
	if tally.TwoIDs > 0 {
		t.Errorf("%d messages arrived under two ids", tally.TwoIDs)
	}
	if tally.BadSigns > 0 {
		t.Errorf("%d requests did not verify", tally.BadSigns)
	}
	t.Logf("%d acknowledged, %d arrived, %d requests repeated", len(sent.Acked), tally.Tokens, tally.Duplicates)
}

// TestKilledAtRandom kills the server again and again under load, wherever it happens to be.
// LETTERHOOK_KILLS sets how often; the default suits a continuous integration run.
func TestKilledAtRandom(t *testing.T) {
	kills := killsWanted(t, 10)
	ctx := within(t, time.Duration(kills)*5*time.Second+2*time.Minute)
	r := receive(t)
	o := bench.ServerOptions{Program: program(t), Data: t.TempDir(), Forward: r.URL}
	server := start(ctx, t, o)
	o.SMTP, o.HTTP = server.SMTP, server.HTTP

	sending, stop := context.WithCancel(ctx)
	done := make(chan *bench.Sent)
	go func() {
		done <- bench.Send(sending, bench.Load{
			Addr: o.SMTP, Connections: 8, Messages: 1 << 40, Size: 4096, Rate: 400, Run: "random", Resend: true, Attachment: 2000,
		})
	}()
	for range kills {
		select {
		case <-time.After(time.Duration(50+rand.IntN(700)) * time.Millisecond): // the random moment itself, not a wait for something
		case <-server.Done():
			t.Fatal("the server ended by itself")
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		server = start(ctx, t, o)
	}
	stop()
	sent := <-done
	kept(ctx, t, sent, r)
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, o.Data)
}

// steps are the named steps of the walk (docs/flow.md); the crash build kills itself right after one.
var steps = []string{ //nolint:gochecknoglobals // a table
	"rcpt", "data-read", "pack-written", "pack-synced", "tx-begun", "tx-written", "tx-committed", "accepted", "replied",
	"handed-over", "parsed", "attachments-stored", "rendered", "posted", "completions-committed", "fetched",
}

// TestKilledAtEveryStep kills the server once at every named step of the walk.
func TestKilledAtEveryStep(t *testing.T) {
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			killedAt(t, step)
		})
	}
}

func killedAt(t *testing.T, step string) {
	ctx := within(t, 2*time.Minute)
	r := receive(t)
	o := bench.ServerOptions{Program: crashProgram(t), Data: t.TempDir(), Forward: r.URL}
	var sent *bench.Sent
	if step == "fetched" {
		sent = crashFetching(ctx, t, &o, r)
	} else {
		sent = crashUnderLoad(ctx, t, &o, step)
	}
	server := start(ctx, t, o)
	more := bench.Send(ctx, bench.Load{Addr: o.SMTP, Connections: 2, Messages: 10, Size: 2000, Run: "after" + compact(step), Resend: true})
	maps.Copy(more.Acked, sent.Acked)
	kept(ctx, t, more, r)
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, o.Data)
}

// crashUnderLoad runs a server that dies at the step, and sends until it does; the rest goes to a new process, which is
// killed too.
func crashUnderLoad(ctx context.Context, t *testing.T, o *bench.ServerOptions, step string) *bench.Sent {
	t.Helper()
	dying := *o
	dying.Env = []string{"LETTERHOOK_CRASH_AT=" + step + ":5"}
	server := start(ctx, t, dying)
	o.SMTP, o.HTTP = server.SMTP, server.HTTP
	done := make(chan *bench.Sent)
	go func() {
		done <- bench.Send(ctx, bench.Load{
			Addr: o.SMTP, Connections: 4, Messages: 60, Size: 2000, Run: compact(step), Resend: true, Attachment: 700,
		})
	}()
	ended(ctx, t, server, step)
	next := start(ctx, t, *o)
	sent := <-done
	if err := next.Kill(); err != nil {
		t.Fatal(err)
	}
	return sent
}

// crashFetching leaves deliveries behind, by an endpoint that is down, and has the next process die when it fetches them.
func crashFetching(ctx context.Context, t *testing.T, o *bench.ServerOptions, r *bench.Receiver) *bench.Sent {
	t.Helper()
	r.Answer(func(string) int { return http.StatusServiceUnavailable })
	first := start(ctx, t, *o)
	o.SMTP, o.HTTP = first.SMTP, first.HTTP
	sent := bench.Send(ctx, bench.Load{Addr: o.SMTP, Connections: 4, Messages: 20, Size: 2000, Run: "fetched", Attachment: 700})
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	r.Answer(nil)
	dying := *o
	dying.Env = []string{"LETTERHOOK_CRASH_AT=fetched:1"}
	dying.Log = logFile(t)
	dying.Secret = secret
	server, err := bench.StartServer(ctx, dying)
	if err != nil {
		t.Logf("it died before it greeted, as it may: %v", err)
		return sent
	}
	ended(ctx, t, server, "fetched")
	return sent
}

// ended waits until the server has died of its crash point.
func ended(ctx context.Context, t *testing.T, server *bench.Server, step string) {
	t.Helper()
	select {
	case <-server.Done():
	case <-ctx.Done():
		t.Fatalf("the server did not reach the step %q", step)
	}
}

// compact makes a name for tokens out of a step's.
func compact(step string) string { return strings.ReplaceAll(step, "-", "") }

// TestPoisonStopsNobodyElse sends a message that kills the process whenever it is parsed. Others get through, and the
// message itself goes out in the end with what is known without parsing.
func TestPoisonStopsNobodyElse(t *testing.T) {
	ctx := within(t, 3*time.Minute)
	r := receive(t)
	const poison = "bench-poison-0000000003"
	o := bench.ServerOptions{Program: crashProgram(t), Data: t.TempDir(), Forward: r.URL, Env: []string{"LETTERHOOK_POISON=" + poison}}
	server := start(ctx, t, o)
	o.SMTP, o.HTTP = server.SMTP, server.HTTP
	done := make(chan *bench.Sent, 1)
	go func() {
		done <- bench.Send(ctx, bench.Load{Addr: o.SMTP, Connections: 3, Messages: 30, Size: 2000, Run: "poison", Resend: true})
	}()
	arrived := func() bool { _, ok := r.Arrival(poison); return ok }
	deaths := 0
	for !arrived() {
		next := r.Next()
		select {
		case <-next:
		case <-server.Done():
			if deaths++; deaths > 5 {
				t.Fatal("the message kills the process for ever")
			}
			server = restart(ctx, t, o)
		case <-ctx.Done():
			t.Fatal("the message did not arrive")
		}
	}
	if deaths == 0 {
		t.Error("the message did not kill anything: the test proves nothing")
	}
	kept(ctx, t, <-done, r)
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, o.Data)
}

// restart starts a server that may die before it greets; then it is started again.
func restart(ctx context.Context, t *testing.T, o bench.ServerOptions) *bench.Server {
	t.Helper()
	o.Secret, o.Log = secret, logFile(t)
	for range 5 {
		server, err := bench.StartServer(ctx, o)
		if err == nil {
			t.Cleanup(func() { _ = server.Kill() })
			return server
		}
	}
	t.Fatal("the server does not come up any more")
	return nil
}
