package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// patience bounds a test with real peers. It is long because CORPUS may name a large corpus.
const patience = 10 * time.Minute

// dev starts `letterhook dev` with an inbox and returns the options too, for the check after its end.
func dev(ctx context.Context, t *testing.T) (*bench.Server, *inbox, bench.ServerOptions) {
	t.Helper()
	in := newInbox(t)
	o := bench.ServerOptions{Program: program(t), Data: t.TempDir(), Forward: in.URL}
	return start(ctx, t, o), in, o
}

// stopAndCheck ends a server by SIGTERM and runs the invariant check.
func stopAndCheck(t *testing.T, server *bench.Server, o bench.ServerOptions) {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if o.Config == "" {
		fsck(t, o.Program, o.Data)
		return
	}
	out, err := exec.Command(o.Program, "fsck", "-c", o.Config).CombinedOutput()
	if err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
}

// TestRawClient sends every message of the corpus as it lies on disk. What the event says of it and what its raw link
// gives are the same octets, with CR LF at the end where the file had none: the protocol adds it (see wire).
func TestRawClient(t *testing.T) {
	ctx := within(t, patience)
	server, in, o := dev(ctx, t)
	samples := corpus(t)
	c := hello(ctx, t, server.SMTP)
	for _, s := range samples {
		if r := c.send(s.content, s.to); r.code != 250 {
			t.Errorf("%s: %s", s.path, r)
		}
	}
	c.quit()
	want := map[string][]byte{}
	for _, s := range samples {
		want[s.to] = wire(s.content)
	}
	same(ctx, t, in, want)
	odd := map[string]string{"\x00": "nul", "\n": "bare-lf", "\r": "bare-cr"}
	for _, s := range samples {
		e, _ := find(in.all(), s.to)
		for octet, word := range odd {
			if has := strings.Contains(strings.ReplaceAll(string(s.content), "\r\n", ""), octet); has && !strings.Contains(e.defects(), word) {
				t.Errorf("%s holds %q and the defects are %q", s.path, octet, e.defects())
			}
		}
	}
	stopAndCheck(t, server, o)
}

// same waits for one event for every recipient, and compares the raw octets that its link gives.
func same(ctx context.Context, t *testing.T, in *inbox, want map[string][]byte) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("nothing was accepted")
	}
	events := in.await(ctx, t, len(want))
	for to, content := range want {
		e, ok := find(events, to)
		if !ok {
			t.Errorf("no event for %s", to)
			continue
		}
		if raw := e.Data.Raw; raw.SHA256 != sum(content) || raw.Size != int64(len(content)) || e.Data.Size != raw.Size {
			t.Errorf("%s: raw is %+v, sent were %d octets with SHA-256 %s", to, raw, len(content), sum(content))
		}
		if got := fetch(ctx, t, e.Data.Raw.URL); !bytes.Equal(got, content) {
			t.Errorf("%s: the raw octets are not those that were sent: %d for %d", to, len(got), len(content))
		}
	}
	if len(events) > len(want) {
		t.Errorf("%d events for %d messages", len(events), len(want))
	}
}

// listing is what a peer in another language needs to know: recipient and path.
func listing(samples []sample) [][2]string {
	var list [][2]string
	for _, s := range samples {
		list = append(list, [2]string{s.to, s.path})
	}
	return list
}

const smtplibScript = `
import json, smtplib, sys
host, port = sys.argv[1:]
peer = smtplib.SMTP(host, int(port), timeout=60)
for to, path in json.load(sys.stdin):
    with open(path, "rb") as f:
        peer.sendmail("smtplib@client.example", [to], f.read())
peer.quit()
`

// TestSmtplib lets the SMTP client of Python's standard library deliver the corpus.
func TestSmtplib(t *testing.T) {
	python := needTool(t, "python3")
	ctx := within(t, patience)
	server, in, o := dev(ctx, t)
	tp := newTap(t, server.SMTP)
	samples := corpus(t)
	list, err := json.Marshal(listing(samples))
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(tp.addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, python, "-c", smtplibScript, host, port)
	cmd.Stdin = bytes.NewReader(list)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("smtplib: %v\n%s", err, out)
	}
	asTapped(ctx, t, tp, in, len(samples))
	stopAndCheck(t, server, o)
}

// asTapped compares what the tap saw accepted, which must be n mails, with what arrived.
func asTapped(ctx context.Context, t *testing.T, tp *tap, in *inbox, n int) {
	t.Helper()
	mails := tp.mails(t)
	if len(mails) != n {
		t.Errorf("the tap saw %d mails accepted, want %d", len(mails), n)
	}
	same(ctx, t, in, mails)
}

// TestSwaks lets swaks deliver the corpus, a connection for each message.
func TestSwaks(t *testing.T) {
	swaks := needTool(t, "swaks")
	ctx := within(t, patience)
	server, in, o := dev(ctx, t)
	tp := newTap(t, server.SMTP)
	samples := corpus(t)
	if os.Getenv("CORPUS") == "" {
		samples = sparse(samples, 4) // swaks takes a long time to start
	}
	work := make(chan sample)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for s := range work {
				cmd := exec.CommandContext(ctx, swaks, "--silent", "1", "--server", tp.addr, "--ehlo", "swaks.example",
					"--from", "swaks@client.example", "--to", s.to, "--data", "-")
				cmd.Stdin = bytes.NewReader(s.content)
				if !bytes.Contains(s.content, []byte("\n")) { // swaks would take a single line for the name of a file
					cmd.Stdin = bytes.NewReader(wire(s.content))
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("swaks %s: %v\n%.1000s", s.path, err, out)
				}
			}
		})
	}
	for _, s := range samples {
		work <- s
	}
	close(work)
	wg.Wait()
	asTapped(ctx, t, tp, in, len(samples))
	stopAndCheck(t, server, o)
}

// sparse keeps every n-th.
func sparse(samples []sample, n int) []sample {
	var kept []sample
	for i := 0; i < len(samples); i += n {
		kept = append(kept, samples[i])
	}
	return kept
}

// TestPostfix has Postfix relay the corpus. It is given lines that end in CR LF: it would make them so itself, but it would also
// take a lone dot between bare LFs for the end of the data, which is not what is tested here.
func TestPostfix(t *testing.T) {
	ctx := within(t, patience)
	server, in, o := dev(ctx, t)
	tp := newTap(t, server.SMTP)
	relay := startPostfix(ctx, t, smtpTo(t, tp.addr), "")
	samples := corpus(t)
	c := hello(ctx, t, relay.addr)
	for _, s := range samples {
		if r := c.send(canonical(s.content), s.to); r.code != 250 {
			t.Errorf("Postfix refused %s: %s", s.path, r)
		}
	}
	c.quit()
	eventually(ctx, t, "Postfix has relayed everything", func() bool { return relay.empty(ctx, t) })
	asTapped(ctx, t, tp, in, len(samples))
	stopAndCheck(t, server, o)
}

// smtpTo is the transport of Postfix to an address.
func smtpTo(t *testing.T, addr string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return "smtp:[" + host + "]:" + port
}

// canonical makes every line end CR LF.
func canonical(content []byte) []byte {
	lf := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n"))
}
