package e2e

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestPostgres keeps rows on PostgreSQL and bytes in a bucket. Under load the server is killed, the database crashes and is
// restarted: meanwhile mail is refused for now, then all goes on by itself, and what got 250 arrives.
func TestPostgres(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	cluster, b := throwaway.StartPostgres(t), startBucket(ctx, t)
	server, in, o := startInstallation(ctx, t, &installation{
		storage: b.storageSection(b.addr) + "\n  database: " + cluster.Database(t),
		more:    "defence: {exempt_networks: [127.0.0.0/8]}\n", // the load is refused, and comes again, hundreds of times
	})
	accepted(ctx, t, server, mailWith(attached()[:1]), "files@one.example")
	in.awaitFor(ctx, t, "files@one.example")

	sending, stop := context.WithCancel(ctx)
	done := make(chan *bench.Sent)
	go func() {
		done <- bench.Send(sending, bench.Load{
			Addr: o.SMTP, To: "load@one.example", Connections: 8, Messages: 1 << 40, Size: 4096, Rate: 100, Run: "postgres", Resend: true, Attachment: 500,
		})
	}()
	arrive := func(n int) { in.await(ctx, t, len(in.all())+n) }
	for range 3 {
		arrive(20)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		server = start(ctx, t, o)
	}
	for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGINT} { // a crash, then an orderly restart
		arrive(20)
		if err := cluster.Stop(signal); err != nil {
			t.Fatal(err)
		}
		deferred(ctx, t, server, []byte(greeting), "down@one.example")
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
		accepted(ctx, t, server, []byte(greeting), "up-"+strings.ToLower(signal.String())+"@one.example")
		in.awaitFor(ctx, t, "up-"+strings.ToLower(signal.String())+"@one.example")
	}
	stop()
	kept(ctx, t, <-done, in.Receiver)
	listed(t, o, "files@one.example")
	stopAndCheck(t, server, o)
	if _, ok := find(in.all(), "down@one.example"); ok {
		t.Error("a mail that was refused for now arrived")
	}
}

// listed has the commands that look into the store find a message, beside the server.
func listed(t *testing.T, o bench.ServerOptions, to string) {
	t.Helper()
	for _, command := range []string{"messages", "deliveries"} {
		out, err := exec.Command(o.Program, command, "list", "-c", o.Config, "--limit", "100000").CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		if command == "messages" && !strings.Contains(string(out), to) {
			t.Errorf("%s does not know of the mail to %s", command, to)
		}
	}
}
