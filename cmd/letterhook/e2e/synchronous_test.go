package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// synchronous is an installation whose domains sync.example and late.example have their senders hear what the endpoint says.
func synchronous() *installation {
	return &installation{
		listeners: "    - {name: lmtp, address: \"127.0.0.1:0\", kind: lmtp}",
		more: "  - name: sync.example\n    account: first\n    routes: [{match: \"*\", endpoints: [first-hook], sync: true}]\n" +
			"  - name: late.example\n    account: second\n    routes: [{match: \"*\", endpoints: [second-hook], sync: true}]\n",
	}
}

// deliveriesIn gives the lines of `letterhook deliveries list` for a state, without the heading.
func deliveriesIn(t *testing.T, o bench.ServerOptions, state string) []string {
	t.Helper()
	out, err := exec.Command(o.Program, "deliveries", "list", "-c", o.Config, "--state", state).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")[1:]
}

// TestSynchronousAnswers: what the endpoint says is what the sender hears, and is on the disk.
func TestSynchronousAnswers(t *testing.T) {
	ctx := within(t, time.Minute)
	i := synchronous()
	server, in, o := startInstallation(ctx, t, i)
	maker := bench.NewMaker("answers", 2000, 500)
	letter := func(n int64) []byte { return maker.Append(nil, n) }
	var status atomic.Int32
	in.Answer(func(string) int { return int(status.Load()) })

	status.Store(http.StatusUnprocessableEntity)
	if got := deliver(ctx, t, server.SMTP, letter(1), "a@sync.example"); !got.is(554, "5.7.1 The recipient does not take this message") {
		t.Errorf("422: %s", got)
	}
	status.Store(http.StatusServiceUnavailable)
	if got := deliver(ctx, t, server.SMTP, letter(2), "a@sync.example"); !got.is(451, "4.4.1") {
		t.Errorf("503: %s", got)
	}
	if lines := deliveriesIn(t, o, "refused"); len(lines) != 1 || !strings.Contains(lines[0], "answered 422") {
		t.Errorf("refused: %q", lines)
	}
	withdrawn := deliveriesIn(t, o, "withdrawn")
	if len(withdrawn) != 1 || !strings.Contains(withdrawn[0], "answered 503") {
		t.Errorf("withdrawn: %q", withdrawn)
	}
	id, _, _ := strings.Cut(withdrawn[0], " ")
	if out, err := exec.Command(o.Program, "deliveries", "retry", "-c", o.Config, id).CombinedOutput(); err == nil || !strings.Contains(string(out), "only its sender can send it again") {
		t.Errorf("retry of what was not accepted: %s", out)
	}
	status.Store(http.StatusNoContent)
	got := deliver(ctx, t, server.SMTP, letter(2), "a@sync.example")
	a, ok := in.Arrival(maker.Token(2))
	if !got.is(250, "2.0.0 OK queued as msg_") || !ok || len(a.IDs) != 1 || a.IDs[strings.Fields(got.text)[4]] != 1 {
		t.Errorf("204: %s, arrivals %+v", got, a)
	}
	in.mu.Lock()
	if n := len(in.events); n != 2 {
		t.Errorf("%d events for two mails", n)
	}
	in.mu.Unlock()

	c := hello(ctx, t, server.SMTP)
	c.command(250, "MAIL FROM:<a@b>")
	c.command(250, "RCPT TO:<a@sync.example>")
	for _, other := range []string{"a@one.example", "a@late.example"} {
		if got := c.command(452, "RCPT TO:<"+other+">"); !got.is(452, "4.5.3") {
			t.Errorf("%s: %s", other, got)
		}
	}
	c.command(250, "RCPT TO:<b@sync.example>")
	c.quit()
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, i.data)
}

// TestSynchronousStop ends the server while an endpoint is asked: the sender still hears its answer.
func TestSynchronousStop(t *testing.T) {
	ctx := within(t, time.Minute)
	i := synchronous()
	server, in, o := startInstallation(ctx, t, i)
	asked, answer := make(chan struct{}), make(chan struct{})
	in.Observe(func(header http.Header, body []byte) {
		in.keep(header, body)
		close(asked)
		<-answer
	})
	c := hello(ctx, t, server.SMTP)
	c.begin("a@sync.example")
	c.write(string(bench.NewMaker("stop", 2000, 0).Append(nil, 1)) + ".\r\n")
	select {
	case <-asked:
	case <-ctx.Done():
		t.Fatal("the endpoint was not asked")
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop() }()
	eventually(ctx, t, "the listener closes", func() bool { return greet(server.SMTP, "") == "" })
	close(answer)
	if got := c.reply(); !got.is(250, "2.0.0 OK queued as msg_") {
		t.Errorf("reply %s", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, i.data)
}

// TestSynchronousKilledAtEveryStep kills the server once at every named step of a mail whose sender waits for the answer. Senders send
// again what got no 250. What got 250 was taken by the endpoint, and however often it was put to it, under one id.
func TestSynchronousKilledAtEveryStep(t *testing.T) {
	for _, step := range []string{
		"data-read", "pack-synced", "tx-written", "tx-committed", "held", "parsed", "attachments-stored", "rendered", "asked",
		"completions-committed", "settled", "accepted", "replied",
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			synchronousKilledAt(t, step)
		})
	}
}

func synchronousKilledAt(t *testing.T, step string) {
	ctx := within(t, 2*time.Minute)
	i := synchronous()
	first, in, o := startInstallation(ctx, t, i)
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	o.Program = crashProgram(t)
	load := bench.Load{
		Addr: o.SMTP, To: "load@sync.example", Connections: 4, Messages: 40, Size: 2000, Run: "s" + compact(step), Resend: true, Attachment: 700,
	}
	dying := o
	dying.Env = []string{"LETTERHOOK_CRASH_AT=" + step + ":5"}
	server := start(ctx, t, dying)
	done := make(chan *bench.Sent, 1)
	go func() { done <- bench.Send(ctx, load) }()
	ended(ctx, t, server, step)
	next := start(ctx, t, o)
	sent := <-done
	if err := next.Kill(); err != nil {
		t.Fatal(err)
	}
	last := start(ctx, t, o)
	load.Run, load.Messages = "after"+compact(step), 10
	more := bench.Send(ctx, load)
	if len(sent.Acked) != 40 || len(more.Acked) != 10 {
		t.Errorf("%d and %d of 40 and 10 got 250", len(sent.Acked), len(more.Acked))
	}
	maps.Copy(more.Acked, sent.Acked)
	kept(ctx, t, more, in.Receiver)
	if err := last.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, i.data)
	for _, state := range []string{"pending", "held", "withdrawn"} {
		if lines := deliveriesIn(t, o, state); len(lines) > 0 {
			t.Errorf("%s: %q", state, lines)
		}
	}
}

// TestSynchronousRefusedStaysRefused kills the server right after an endpoint refused a mail, before and behind the record of that. Nobody has it
// delivered but its sender, who sends it again.
func TestSynchronousRefusedStaysRefused(t *testing.T) {
	for step, want := range map[string]string{"asked": "held", "settled": "refused"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, time.Minute)
			i := synchronous()
			first, in, o := startInstallation(ctx, t, i)
			if err := first.Kill(); err != nil {
				t.Fatal(err)
			}
			o.Program = crashProgram(t)
			in.Answer(func(string) int { return http.StatusForbidden })
			dying := o
			dying.Env = []string{"LETTERHOOK_CRASH_AT=" + step}
			server := start(ctx, t, dying)
			letter := bench.NewMaker("refused"+step, 2000, 0).Append(nil, 1)
			c := hello(ctx, t, server.SMTP)
			c.begin("a@sync.example")
			c.write(string(letter) + ".\r\n")
			if got, err := c.read(); err == nil {
				t.Errorf("reply %s", got)
			}
			ended(ctx, t, server, step)
			in.Answer(nil) // now it would take it
			next := start(ctx, t, o)
			if got := deliver(ctx, t, next.SMTP, []byte(fmt.Sprintf("Subject: %s\r\n\r\nx\r\n", step)), "b@one.example"); got.code != 250 {
				t.Errorf("another mail: %s", got)
			}
			in.await(ctx, t, 2)
			if lines := deliveriesIn(t, o, want); len(lines) != 1 {
				t.Errorf("%s: %q", want, lines)
			}
			in.exactly(t, "a@sync.example", "b@one.example") // each once
			before := in.Tally().Requests
			if got := deliver(ctx, t, next.SMTP, letter, "a@sync.example"); got.code != 250 {
				t.Errorf("resend: %s", got)
			}
			if n := in.Tally().Requests - before; n != 1 {
				t.Errorf("%d requests for the resend", n)
			}
			if err := next.Stop(); err != nil {
				t.Errorf("stopping: %v", err)
			}
			fsck(t, o.Program, i.data)
		})
	}
}

// TestSynchronousReload: while a mail is held, its sender's resend on another connection is sent away, and SIGHUP takes the domain out of the
// configuration. Who waits hears what the endpoint said all the same, and the mail is there once.
func TestSynchronousReload(t *testing.T) {
	ctx := within(t, time.Minute)
	i := synchronous()
	server, in, o := startInstallation(ctx, t, i)
	asked, answer := make(chan struct{}), make(chan struct{})
	in.Observe(func(header http.Header, body []byte) {
		in.keep(header, body)
		close(asked)
		<-answer
	})
	letter := bench.NewMaker("reload", 2000, 0).Append(nil, 1)
	first := hello(ctx, t, server.SMTP)
	first.begin("a@sync.example")
	first.write(string(letter) + ".\r\n")
	select {
	case <-asked:
	case <-ctx.Done():
		t.Fatal("the endpoint was not asked")
	}
	if got := deliver(ctx, t, server.SMTP, letter, "a@sync.example"); !got.is(451, "4.4.1") {
		t.Errorf("the same mail on another connection: %s", got)
	}
	text, err := os.ReadFile(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Config, []byte(strings.ReplaceAll(string(text), "sync.example", "gone.example")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(server.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the domain is gone", func() bool {
		c := hello(ctx, t, server.SMTP)
		defer c.quit()
		c.command(250, "MAIL FROM:<a@b>")
		c.write("RCPT TO:<b@sync.example>\r\n")
		return c.reply().code == 550
	})
	close(answer)
	if got := first.reply(); !got.is(250, "2.0.0 OK queued as msg_") {
		t.Errorf("reply %s", got)
	}
	if n := in.Tally().Requests; n != 1 {
		t.Errorf("%d requests", n)
	}
	for state, want := range map[string]int{"delivered": 1, "held": 0, "withdrawn": 0, "pending": 0} {
		if lines := deliveriesIn(t, o, state); len(lines) != want {
			t.Errorf("%s: %q", state, lines)
		}
	}
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	fsck(t, o.Program, i.data)
}
