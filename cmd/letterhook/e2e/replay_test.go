package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// replayed counts the replays that a receiver hears, by webhook-id.
type replayed struct {
	mu    sync.Mutex
	times map[string]int
}

func (r *replayed) note(header http.Header, _ []byte) {
	if header.Get("letterhook-replay") != "true" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times[header.Get("webhook-id")]++
}

func (r *replayed) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.times)
}

// TestKilledInAReplay kills the server at every step of a replay, which is in the middle of its mail then. The next process
// goes on where that one stopped: every mail is replayed, and none of them twice.
func TestKilledInAReplay(t *testing.T) {
	for _, step := range []string{"replay-read", "replay-written", "replay-stepped"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			killedInReplay(t, step)
		})
	}
}

func killedInReplay(t *testing.T, step string) {
	ctx := within(t, 2*time.Minute)
	r := receive(t)
	heard := &replayed{times: map[string]int{}}
	r.Observe(heard.note)
	o := bench.ServerOptions{Program: crashProgram(t), Data: t.TempDir(), Forward: r.URL}
	server := start(ctx, t, o)
	o.SMTP, o.HTTP = server.SMTP, server.HTTP
	const n = 40
	sent := bench.Send(ctx, bench.Load{Addr: o.SMTP, Connections: 4, Messages: n, Size: 2000, Run: compact(step)})
	bench.Await(ctx, sent, r)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	dying := o
	dying.Env = []string{"LETTERHOOK_CRASH_AT=" + step + ":4"}
	server = start(ctx, t, dying)
	var job struct{ ID string }
	replayCommand(t, o, &job, "create", "--all", "--rate", "40", "--json")
	ended(ctx, t, server, step)
	if got := heard.count(); got >= n {
		t.Errorf("all %d were replayed before the kill: it proves nothing", got)
	}
	server = start(ctx, t, o)
	var progress struct {
		State             string
		Made, Total, Owed int
		Finished          map[string]int
	}
	for progress.State != "done" {
		if ctx.Err() != nil {
			t.Fatalf("the replay stands at %+v", progress)
		}
		replayCommand(t, o, &progress, "show", job.ID, "--json")
	}
	if progress.Made != n || progress.Total != n || progress.Owed != 0 || progress.Finished["delivered"] != n {
		t.Errorf("%+v", progress)
	}
	if got := heard.count(); got != n {
		t.Errorf("%d of %d messages were replayed", got, n)
	}
	if rows := replayedRows(ctx, t, o); rows != n {
		t.Errorf("%d deliveries are replays", rows)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, o.Data)
}

// replayCommand runs letterhook replay beside the server and reads what it prints.
func replayCommand(t *testing.T, o bench.ServerOptions, into any, args ...string) {
	t.Helper()
	out, err := exec.Command(o.Program, append([]string{"replay", "--data", o.Data}, args...)...).Output()
	if err != nil {
		t.Fatalf("replay %q: %v", args, err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("replay %q printed %q: %v", args, out, err)
	}
}

func replayedRows(ctx context.Context, t *testing.T, o bench.ServerOptions) int {
	t.Helper()
	out, err := exec.CommandContext(ctx, o.Program, "deliveries", "list", "--data", o.Data, "--json", "-n", "1000").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(out), `"replay":true`)
}
