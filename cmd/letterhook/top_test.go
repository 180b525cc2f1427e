package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

// TestTop watches a server with an endpoint that takes mail and one that fails.
func TestTop(t *testing.T) {
	h := newAPIHouse(t)
	there, _, _ := zenithHouse(t, h)
	workstation(t, h, "")
	smtp := h.smtpListeners[0].Addr().String()
	send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}})
	there.next(t)
	send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"ann@declared.example.com"}})
	row := func(name string) map[string]any {
		if err := h.store.FlushNotes(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, _ := firstJSON(t, must(t, words("top --json")...))["endpoints"].([]any)
		for _, e := range all {
			if e, _ := e.(map[string]any); e["name"] == name {
				return e
			}
		}
		t.Fatalf("no %s in %v", name, all)
		return nil
	}
	for row("app")["delivered_per_minute"] == 0.0 || row("declared")["retrying"] == 0.0 || row("declared")["failed"] == 0.0 {
		// the attempts are being recorded
	}
	if e := row("app"); e["p99_ms"] == "" || e["state"] != "enabled" {
		t.Errorf("%v", e)
	}
	if e := row("declared"); e["failed"] != 1.0 || e["waiting"] != 1.0 {
		t.Errorf("%v", e)
	}
	out := says(t, words("top"), "2 accepted", "1 waiting, 1 retrying", "RETRYING", "app", "declared")
	if strings.Index(out, "declared") > strings.Index(out, "app  ") {
		t.Errorf("what waits most is not first:\n%s", out)
	}
	says(t, append(words("top -c"), h.path), "2 accepted", "declared") // beside the server
}

// TestTopWatched: the screen is painted until somebody has enough, and left as it was.
func TestTopWatched(t *testing.T) {
	h := newAPIHouse(t)
	c, err := apiclient.New(strings.TrimSuffix(h.base, "/api/v1"), h.key(t, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var screen lockedBuffer
	ended := make(chan error, 1)
	o := topOptions{minutes: 5, interval: time.Millisecond}
	go func() { ended <- o.watch(ctx, &screen, c) }()
	screen.await(t, enterScreen+toTop)
	screen.await(t, clearBelow+toTop) // the second time
	cancel()
	if err := <-ended; err != nil || !strings.HasSuffix(screen.String(), leaveScreen) {
		t.Errorf("%v, the screen ends with %q", err, screen.String()[max(0, screen.text.Len()-40):])
	}
}

func TestQuit(t *testing.T) {
	for _, keys := range []string{"q", "abcq", "\x03", ""} {
		quit := false
		awaitQuit(strings.NewReader(keys), func() { quit = true })
		if !quit {
			t.Errorf("%q does not end it", keys)
		}
	}
}

// TestManual: there is a page for each command that people see.
func TestManual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	t.Setenv("SOURCE_DATE_EPOCH", "1795300875")
	must(t, "man", dir)
	for name, words := range map[string]string{"letterhook.1": "letterhook-listen", "letterhook-why.1": "ADDRESS", "letterhook-endpoints-rotate-secret.1": "overlap", "letterhook-top.1": "Nov 2026"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(strings.ReplaceAll(string(text), `\-`, "-"), words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if hidden, err := filepath.Glob(filepath.Join(dir, "*parse-probe*")); err != nil || len(hidden) > 0 {
		t.Errorf("%v %v", hidden, err)
	}
}

// TestCompletion: a shell is offered the names of what there is on the server in use.
func TestCompletion(t *testing.T) {
	h := newAPIHouse(t)
	zenithHouse(t, h)
	workstation(t, h, "")
	must(t, words("suppressions add @spam.example --account zenith")...)
	for line, want := range map[string]string{
		"suppressions|remove|": "@spam.example", "suppressions|list|--account|": "zenith", "reply-address|mint|--domain|": "zen.example",
		"endpoints|pause|": "app", "deliveries|list|--endpoint|": "declared", "deliveries|list|--state|": "dead", "messages|list|--context|": "there",
		"context|use|": "local", "domains|show|": "zen.example", "endpoints|create|x|--account|": "zenith", "keys|create|x|--scope|": "replay", "listen|--endpoint|": "app",
		"replay|create|--to|": "app", "tail|--only|": "refusal",
	} {
		out := must(t, append([]string{"__complete"}, strings.Split(line, "|")...)...)
		if !strings.Contains("\n"+out, "\n"+want+"\n") {
			t.Errorf("%s: %s", line, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := must(t, "completion", shell); !strings.Contains(out, "letterhook") {
			t.Errorf("%s: %s", shell, out)
		}
	}
}
