package main

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound/guard"
)

// lever runs `letterhook lever` against a server and gives what it prints.
func lever(t *testing.T, s *serving, args ...string) (string, error) {
	t.Helper()
	root, _ := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append([]string{"lever", "--address", s.private.Addr().String()}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// TestLeverCommand pulls every lever of a running server, sees what a sender hears, and what is on disk for a restart.
func TestLeverCommand(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	pull := func(args ...string) string {
		t.Helper()
		out, err := lever(t, s, args...)
		if err != nil {
			t.Fatalf("lever %q: %v", args, err)
		}
		return out
	}
	hears := func(want string) {
		t.Helper()
		c, err := dialSMTP(t.Context(), s.smtpListeners[0].Addr().String(), "localhost", tlsNever)
		if err == nil {
			_, err = c.command(250, "MAIL FROM:<eve@sender.example>")
			c.conn.Close()
		}
		switch {
		case err == nil && want != "":
			t.Errorf("the sender is served, want %s", want)
		case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("the sender hears %v, want %q", err, want)
		}
	}
	hears("")
	pull("defer", "--keep")
	hears("451 4.3.2")
	if err := s.ready(); err == nil || !strings.Contains(err.Error(), "deferred by a lever") {
		t.Errorf("ready says %v", err)
	}
	if err := askHealth(t.Context(), s.private.Addr().String(), "/readyz", false); err == nil || !strings.Contains(err.Error(), "by a lever") || !strings.HasSuffix(err.Error(), "}") {
		t.Errorf("letterhook health: %v", err)
	}
	kept, err := guard.OpenLevers(filepath.Join(s.cfg.DataDir, leverFile))
	if err != nil || !kept.Deferring() {
		t.Errorf("a restart would not know: %v", err)
	}
	pull("drain")
	hears("421 4.3.2")
	if out := pull("resume"); !strings.Contains(out, "drain   off") || !strings.Contains(out, "defer   off") {
		t.Errorf("printed %s", out)
	}
	hears("")
	if out := pull("block", "127.0.0.1", "--for", "1h", "--reason", "a flood"); !strings.Contains(out, "127.0.0.1/32") || !strings.Contains(out, "a flood") {
		t.Errorf("printed %s", out)
	}
	hears("421 4.7.1")
	pull("unblock", "127.0.0.1")
	pull("block", "@sender.example")
	hears("550 5.7.1")
	pull("unblock", "sender.example")
	hears("")
	s.pull(true)
	hears("451 4.3.2")
	s.pull(false)
	hears("")
	if out := pull("show", "--json"); !strings.Contains(out, `"blocks":[]`) {
		t.Errorf("printed %s", out)
	}
	for _, wrong := range [][]string{{"unblock", "192.0.2.1"}, {"block", "a b"}, {"block", "a@b", "--for", "-1h"}} {
		if out, err := lever(t, s, wrong...); err == nil {
			t.Errorf("lever %q prints %s", wrong, out)
		}
	}
}

// TestNoLeversForThePublic: where the public can ask, nobody pulls a lever.
func TestNoLeversForThePublic(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	shared := serveFile(t, strings.ReplaceAll(strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"), `"localhost:0"`, `"127.0.0.1:0"`))
	for _, address := range []string{s.public.Addr().String(), shared.public.Addr().String()} {
		response, err := http.Get("http://" + address + "/levers")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("the levers are served with %d", response.StatusCode)
		}
	}
	if _, err := lever(t, shared, "drain"); err == nil || !strings.Contains(err.Error(), "no levers") {
		t.Errorf("the command says %v", err)
	}
}
