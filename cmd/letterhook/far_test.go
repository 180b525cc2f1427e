package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
)

// workstation is a user elsewhere with a context for the server of an account or, "", of the operator.
func workstation(t *testing.T, h *apiHouse, account string, scopes ...string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	url := strings.TrimSuffix(h.base, "/api/v1")
	if out, err := command(t, "context", "add", "there", "--url", url, "--key", h.key(t, account, scopes...), "--use"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// must runs a command line that must do.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(t, args...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

// says runs a command line whose output must have all the words.
func says(t *testing.T, args []string, words ...string) string {
	t.Helper()
	out := must(t, args...)
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("%q does not say %q:\n%s", args, word, out)
		}
	}
	return out
}

func words(line string) []string { return strings.Fields(line) }

// firstJSON reads the first line of what a command printed.
func firstJSON(t *testing.T, out string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

// TestFarCommands asks a server for everything that the commands know of, as the operator does from another machine.
func TestFarCommands(t *testing.T) {
	h := newAPIHouse(t)
	workstation(t, h, "")
	says(t, words("context list"), "* there", h.base[:len(h.base)-len("/api/v1")])

	must(t, words("accounts create umbrella")...)
	says(t, words("accounts list"), "acme", "umbrella", "api")
	secret := must(t, "endpoints", "create", "app", "--account", "acme", "--url", "http://127.0.0.1:1/", "--set", "allow_private=true", "--set", "concurrency=3")
	if !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("the secret is %q", secret)
	}
	must(t, words("endpoints set app --set concurrency=5 --set gzip=true")...)
	if e := firstJSON(t, must(t, words("endpoints show app --json")...)); e["concurrency"] != 5.0 || e["gzip"] != true {
		t.Errorf("%v", e)
	}
	must(t, words("domains create in.acme.example --account acme --set greylist=false")...)
	says(t, words("domains list"), "in.acme.example", "takes mail", "declared.example.com")
	route := strings.TrimSpace(must(t, words("routes create in.acme.example support --endpoint app")...))
	says(t, words("routes list --domain in.acme.example"), route, "support", "app")
	must(t, "routes", "create", "in.acme.example", "*", "--refuse", "No such mailbox")
	must(t, "routes", "set", route, "--set", "position=3")
	says(t, words("why support@in.acme.example"), "is accepted", "goes to", "app")

	smtp := h.smtpListeners[0].Addr().String()
	id := send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"support@in.acme.example"}, text: "one"})
	says(t, words("messages list from:sender.example"), id)
	says(t, words("messages show "+id), "support@in.acme.example", "app", "pending")
	says(t, words("messages show --raw "+id), "one")
	if m := firstJSON(t, must(t, words("messages list --json")...)); m["id"] != id {
		t.Errorf("%v", m)
	}
	d := firstJSON(t, must(t, words("deliveries list --endpoint app --json")...))
	says(t, []string{"deliveries", "retry", d["id"].(string)}, "is tried again")
	says(t, []string{"deliveries", "show", d["id"].(string)}, "app")
	says(t, words("endpoints pause app"), "app is paused; 1 pending")
	says(t, words("endpoints list"), "paused", "declared")
	says(t, words("endpoints disable app"), "app is disabled")
	says(t, words("endpoints enable app"), "app is enabled")
	if out, err := command(t, words("endpoints test app")...); err == nil || !strings.Contains(out, "refused") {
		t.Errorf("%v %s", err, out)
	}
	if one, two := must(t, words("endpoints rotate-secret app --overlap 0s")...), must(t, words("endpoints secrets app")...); !strings.HasPrefix(one, "whsec_") || strings.Contains(two, one) {
		t.Errorf("%s %s", one, two)
	}
	must(t, words("endpoints pause app")...) // so that nothing of it finishes

	out, err := command(t, words("why nobody@in.acme.example")...)
	if err == nil || !strings.Contains(out, "is refused") || !strings.Contains(out, "No such mailbox") {
		t.Errorf("%v %s", err, out)
	}
	says(t, words("replay create --all --dry-run"), "WOULD MAKE")
	says(t, words("replay create --endpoint app --missing"), "nothing to replay")
	says(t, words("replay list"), "REPLAY")
	token := strings.TrimSpace(must(t, words("keys create ci --account acme --scope read")...))
	says(t, words("keys list"), "ci", keyID(token), "works")
	if rotated := must(t, "keys", "rotate", keyID(token), "--overlap", "0s"); !strings.HasPrefix(rotated, "lhk_") {
		t.Error(rotated)
	}
	must(t, "keys", "revoke", keyID(token))
	says(t, words("audit"), "endpoint.create", "domain.create", "route.create", "key.revoke", "of ")
	for line := range strings.Lines(must(t, words("audit")...)) {
		if strings.Contains(line, "endpoint.create") && !strings.HasSuffix(line, " acme\n") {
			t.Errorf("without the name of the account: %s", line)
		}
	}
	says(t, words("usage"), "DAY")
	for _, flag := range []string{"--from", "--until"} {
		if _, err := command(t, "usage", flag, "yesterday"); err == nil || !strings.HasSuffix(err.Error(), flag+`: "yesterday" is not a day like 2026-11-25`) {
			t.Errorf("%v", err)
		}
	}
	says(t, words("nodes"), version(), "yes")
	says(t, words("levers defer"), "defer   on")
	says(t, words("levers resume"), "defer   off")
	says(t, words("levers block 192.0.2.0/24 --for 2h --reason flood"), "192.0.2.0/24", "flood")
	says(t, words("levers unblock 192.0.2.0/24"), "blocks  0")
	says(t, words("api get /self"), `"operator":true`)
	says(t, words("api get /messages?limit=1"), id)
	if _, err := command(t, words("domains delete in.acme.example")...); err == nil || !strings.Contains(err.Error(), "route") {
		t.Errorf("a domain with routes: %v", err)
	}
	must(t, "routes", "delete", route)

	says(t, words("messages parsed "+id), `"text":"one`)
	says(t, words("accounts show umbrella"), `"name":"umbrella"`)
	must(t, words("accounts set umbrella --set limits.messages_per_hour=1000")...)
	says(t, words("accounts show umbrella"), `"messages_per_hour":1000`)
	says(t, words("usage --now"), "ACCOUNT", "acme")
	says(t, words("erase "+id+" --yes"), "erased: 1 message, ")
	for _, line := range []string{"messages parsed " + id, "messages show --raw " + id} {
		if out, err := command(t, words(line)...); err == nil || !strings.Contains(err.Error(), "was erased") {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	for _, line := range []string{"messages list", "messages show " + id} { // the null reverse-path would be another thing
		if out := says(t, words(line), id, "(erased)"); strings.Contains(out, "<>") || strings.Contains(out, "a unix socket") {
			t.Errorf("%s:\n%s", line, out)
		}
	}
	if out := must(t, words("messages show --json "+id)...); strings.Contains(out, "sha256") {
		t.Errorf("a hash of what was erased:\n%s", out)
	}
}

// TestFarAttachments: what a sender calls his file leads nowhere.
func TestFarAttachments(t *testing.T) {
	h := newAPIHouse(t)
	there, _, _ := zenithHouse(t, h)
	workstation(t, h, "zenith", "read")
	evil := filepath.Join(t.TempDir(), "mail.eml")
	text := "From: a@sender.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf\r\n" +
		"Content-Disposition: attachment; filename=\"../../evil.pdf\"\r\n\r\nthe content\r\n"
	if err := os.WriteFile(evil, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "send", "--smtp", h.smtpListeners[0].Addr().String(), "--to", "bob@zen.example", evil)
	there.next(t)
	id := firstJSON(t, must(t, words("messages list --json")...))["id"].(string)
	says(t, words("messages attachments "+id), "evil.pdf", "application/pdf")
	dir := t.TempDir()
	path := strings.TrimSpace(must(t, "messages", "attachments", id, "--save", dir))
	if got, err := os.ReadFile(path); err != nil || filepath.Dir(path) != dir || !strings.HasPrefix(string(got), "the content") {
		t.Errorf("%s: %q %v", path, got, err)
	}
	if _, err := command(t, "messages", "attachments", id, "--save", dir); err == nil {
		t.Error("a file is written over")
	}
}

// TestFarRefusal: what a sender was refused is explained from another machine.
func TestFarRefusal(t *testing.T) {
	h := newAPIHouse(t)
	workstation(t, h, "")
	o := sendOptions{
		server: h.smtpListeners[0].Addr().String(), from: "ann@sender.example", to: []string{"nobody@declared.example.com"}, tls: string(tlsNever), count: 1,
		connections: 1, helo: "client.example",
	}
	if err := o.run(t.Context(), nil, nil, io.Discard); err == nil {
		t.Fatal("nobody is accepted")
	}
	if err := h.store.FlushNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := command(t, words("why nobody@declared.example.com")...)
	if err == nil || !strings.Contains(text, "Last refused") || !strings.Contains(text, "ann@sender.example") {
		t.Errorf("%v %s", err, text)
	}
	r := firstJSON(t, must(t, words("refusals list --recipient nobody@declared.example.com --json")...))
	says(t, []string{"refusals", "show", r["id"].(string)}, "RCPT TO", "550")
}

// TestFarAccount: the commands of an account show and change what is its own.
func TestFarAccount(t *testing.T) {
	h := newAPIHouse(t)
	workstation(t, h, "zenith", "read", "write")
	if out := must(t, words("endpoints list")...); strings.Contains(out, "declared") {
		t.Errorf("another account's endpoint:\n%s", out)
	}
	if _, err := command(t, words("endpoints pause declared")...); err == nil {
		t.Error("another account's endpoint is paused")
	}
	must(t, words("endpoints create own --url https://app.zenith.example/hook")...)
	says(t, words("domains create in.zenith.example"), "not proved", "_letterhook.in.zenith.example TXT")
	if _, err := command(t, words("audit")...); err == nil || !strings.Contains(err.Error(), "scope admin") {
		t.Errorf("%v", err)
	}
	if _, err := command(t, words("nodes")...); err == nil || !strings.Contains(err.Error(), "operator") {
		t.Errorf("%v", err)
	}
}

// TestWhichServer: nothing is done on this machine by somebody who has a server in use, and nothing on a server by somebody who names
// the data of this machine.
func TestWhichServer(t *testing.T) {
	h := newAPIHouse(t)
	workstation(t, h, "")
	for _, args := range [][]string{words("deliveries show dlv_01 --curl"), words("fsck")} {
		if out, err := command(t, args...); err == nil || !strings.Contains(err.Error(), "there is in use") {
			t.Errorf("%q: %v %s", args, err, out)
		}
	}
	says(t, []string{"accounts", "list", "-c", h.path}, "acme")
	must(t, "accounts", "create", "inside", "-c", h.path)
	says(t, words("accounts list"), "inside") // the server has noticed
	if out := must(t, "audit", "-c", h.path); !strings.Contains(out, cliName) {
		t.Errorf("%s", out)
	}
	must(t, words("context use local")...)
	if _, err := command(t, words("accounts list --data nowhere")...); err == nil {
		t.Error("data that are not there are listed")
	}
	t.Setenv(contexts.EnvURL, strings.TrimSuffix(h.base, "/api/v1"))
	t.Setenv(contexts.EnvKey, h.key(t, "zenith"))
	if out := must(t, words("accounts list")...); !strings.Contains(out, "zenith") || strings.Contains(out, "acme") {
		t.Errorf("%s", out)
	}
	says(t, words("accounts list --context there"), "acme")
	if _, err := command(t, words("context add wrong --url")...); err == nil {
		t.Error("a context without URL")
	}
	if _, err := command(t, "context", "add", "wrong", "--url", os.Getenv(contexts.EnvURL), "--key", "lhk_wrong"); err == nil || !strings.Contains(err.Error(), "not kept") {
		t.Errorf("a key that does not work: %v", err)
	}
	info, err := os.Stat(filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "letterhook", "contexts.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

// TestLocalAudit: what commands beside the server change stands in the audit log too.
func TestLocalAudit(t *testing.T) {
	s := serveFile(t, strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"))
	id := send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}})
	for _, args := range []string{"endpoints pause app", "endpoints rotate-secret app", "replay create --endpoint app --missing", "messages retry " + id, "erase " + id + " --yes", "erase Ann@in.example.com --yes"} {
		must(t, append(words(args), "-c", s.path)...)
	}
	out := must(t, "audit", "-c", s.path)
	for _, action := range []string{"endpoint.pause", "endpoint.rotate-secret", "delivery.retry", "message.erase", "address.erase", " " + api.AddressMark("ann@in.example.com") + " "} {
		if !strings.Contains(out, action) {
			t.Errorf("%s is not in\n%s", action, out)
		}
	}
	if strings.Count(out, " "+cliName+" ") != 5 || strings.Contains(out, "whsec_") {
		t.Errorf("%s", out)
	}
}
