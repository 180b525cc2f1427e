package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestEraseBesideTheServer destroys messages of a running server by the command.
func TestEraseBesideTheServer(t *testing.T) {
	url, _ := endpointOf(t, testSecret, func() int { return http.StatusServiceUnavailable })
	s := serveFile(t, strings.ReplaceAll(served, "URL", url))
	mail := func(from string) string {
		return send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: from, to: []string{"ann@in.example.com"}, subject: "Private matters", text: "x"})
	}
	first, second, other := mail("victim@sender.example"), mail("victim@sender.example"), mail("other@sender.example")
	for _, id := range []string{first, second, other} { // each was tried once, so that its subject is known
		s.log.await(t, "msg=attempt message="+id)
	}
	run := func(wantErr bool, args ...string) string {
		t.Helper()
		out, err := command(t, append(args, "-c", s.path)...)
		if (err != nil) != wantErr {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return out
	}
	run(true, "erase", first)
	run(true, "erase", "all", "--yes")
	run(true, "erase", "msg_00000000000000000000000000", "--yes")
	if out := run(false, "erase", first, "--yes"); !strings.Contains(out, "erased: 1 message, 0 attachments; 1 delivery ended") {
		t.Errorf("it says %s", out)
	}
	if out := run(false, "erase", "VICTIM@sender.example", "--yes", "--json"); !strings.Contains(out, `"messages":1`) || !strings.Contains(out, `"log_emptied":true`) {
		t.Errorf("it says %s", out)
	}
	list := run(false, "messages", "list")
	if strings.Contains(list, "victim") || strings.Count(list, "(erased)") != 4 || strings.Contains(list, "<>") || !strings.Contains(list, "other@sender.example") {
		t.Errorf("the list is\n%s", list)
	}
	if out := run(false, "deliveries", "list", "--state", "dead"); strings.Count(out, "erased") != 2 {
		t.Errorf("the dead are\n%s", out)
	}
	run(true, "messages", "show", "--raw", first)
	if out := run(false, "messages", "show", first); strings.Contains(out, "<>") || strings.Contains(out, "socket") || strings.Contains(out, "sha256") || strings.Count(out, "(erased)") != 3 {
		t.Errorf("it is shown as\n%s", out)
	}
	if out := run(false, "messages", "show", first, "--json"); strings.Contains(out, "sha256") {
		t.Errorf("it is shown as\n%s", out)
	}
	if out := run(false, "messages", "list", "--json"); strings.Count(out, `"sha256":`) != 1 { // of the one that is left
		t.Errorf("the list is\n%s", out)
	}
	if out := run(false, "fsck"); !strings.Contains(out, "no faults") {
		t.Errorf("it finds\n%s", out)
	}
	run(false, "deliveries", "show", deliveryOf(t, run(false, "deliveries", "list", "--json"), second))
}

// deliveryOf finds the delivery of a message in a list of JSON lines.
func deliveryOf(t *testing.T, list, message string) string {
	t.Helper()
	for line := range strings.Lines(list) {
		if _, rest, ok := strings.Cut(line, `"dlv_`); ok && strings.Contains(line, message) {
			id, _, _ := strings.Cut(rest, `"`)
			return "dlv_" + id
		}
	}
	t.Fatalf("%s is not in\n%s", message, list)
	return ""
}
