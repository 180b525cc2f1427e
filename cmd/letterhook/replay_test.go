package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestReplayCommand replays beside a running server: counted first, then made, shown and cancelled.
func TestReplayCommand(t *testing.T) {
	var replayed atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("letterhook-replay") == "true" {
			replayed.Add(1)
		}
	}))
	defer receiver.Close()
	s := serveFile(t, strings.ReplaceAll(served, "URL", receiver.URL))
	replay := func(args ...string) string {
		t.Helper()
		out, err := command(t, append([]string{"replay", "-c", s.path}, args...)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return out
	}
	id := send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}})
	send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "b@other.example", to: []string{"ann@in.example.com"}, text: "two"})
	for !strings.Contains(replay("create", "--endpoint", "app", "--dry-run"), "app       2 ") {
		// the second delivery is being recorded
	}
	if out := replay("create", "--sender", "other.example", "--since", "1h", "--dry-run", "--json"); !strings.Contains(out, `"would_make":1,`) {
		t.Errorf("a dry run says\n%s", out)
	}
	for _, choice := range [][]string{{"--dead"}, {"--until", "1h"}, {"--sender", "nobody.example"}, {"--kind", "bounce"}, {"--recipient", "bob@in.example.com"}} {
		if out := replay(append([]string{"create"}, choice...)...); out != "nothing to replay\n" {
			t.Errorf("%q: %s", choice, out)
		}
	}
	if out := replay("create", "--endpoint", "app", "--missing"); !strings.Contains(out, "nothing to replay") {
		t.Errorf("missing: %s", out)
	}
	out := replay("create", "--message", id)
	job, _, ok := strings.Cut(out, " replays 1 delivery of app, ")
	if !ok {
		t.Fatalf("create says %s", out)
	}
	for !strings.Contains(replay("show", job), "state      done") {
		// it is being delivered
	}
	if out := replay("show", job); !strings.Contains(out, "made       1 of 1") || !strings.Contains(out, "finished   1 delivered") {
		t.Errorf("show says\n%s", out)
	}
	if n := replayed.Load(); n != 1 {
		t.Errorf("%d replays arrived", n)
	}
	out = replay("create", "--all", "--rate", "0.001", "--json")
	_, rest, _ := strings.Cut(out, `"id":"`)
	slow, _, _ := strings.Cut(rest, `"`)
	replay("pause", slow)
	if out := replay("list"); !strings.Contains(out, "paused") {
		t.Errorf("list says\n%s", out)
	}
	replay("resume", slow)
	replay("cancel", slow)
	for !strings.Contains(replay("show", slow), "state      cancelled") {
		// what it made is being taken back
	}
	if out, err := command(t, "replay", "-c", s.path, "resume", slow); err == nil {
		t.Errorf("a cancelled replay goes on: %s", out)
	}
}

// TestReplayIsChosen refuses a replay of nothing in particular, and conditions that cannot be read.
func TestReplayIsChosen(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--missing"}, {"--state", "lost"}, {"--since", "yesterday"}, {"--all", "--rate", "-1"}, {"--all", "--to-url", "ftp://x"},
		{"--endpoint", "a", "--to", "b", "--to-url", "https://c.example"},
	} {
		if _, err := command(t, append([]string{"replay", "create", "--data", t.TempDir()}, args...)...); err == nil {
			t.Errorf("%q passes", args)
		} else if strings.Contains(err.Error(), "no such file") {
			t.Errorf("%q is not looked at: %v", args, err)
		}
	}
}
