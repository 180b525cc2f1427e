package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// withEndpoint reads a configuration whose one endpoint has these lines.
func withEndpoint(t *testing.T, lines string) (*Config, error) {
	t.Helper()
	text := "hostname: mx.example.com\npublic_url: https://mx.example.com\ndata_dir: " + t.TempDir() +
		"\nhttp: {public: {address: \"127.0.0.1:8080\"}}\nsmtp: {listeners: [{name: mx, address: \"127.0.0.1:2525\"}]}\nendpoints:\n" +
		"  - name: app\n    secrets: [\"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]\n"
	if !strings.Contains(lines, "url: http") {
		text += "    url: https://app.example\n"
	}
	for line := range strings.Lines(lines) {
		text += "    " + line
	}
	return parse("letterhook.yaml", []byte(text+"\n"), nil, func(string) bool { return true })
}

func TestAccessFaults(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty, noPEM := file("empty", "\n"), file("no.pem", "hunter2")
	for lines, want := range map[string]string{
		"headers: {Webhook-Id: x}":                                                                      ":10: endpoints[0].headers.Webhook-Id: Webhook-Id is set by",
		"headers: {Proxy-Authorization: x}":                                                             "is set by the delivery itself",
		"headers: {Content-MD5: x}":                                                                     "is set by the delivery itself",
		"basic_auth: {username: a:b, password: x}":                                                      "basic_auth.username",
		"basic_auth: {username: a}":                                                                     "basic_auth.password: is required",
		"basic_auth: {username: a, password: x, password_file: " + noPEM + "}":                          "give one of the two",
		"basic_auth: {username: a, password_file: " + empty + "}":                                       "is empty",
		"bearer_token: hunter2\nheaders: {authorization: hunter2}":                                      ":7: endpoints[0]: give one of basic_auth",
		"bearer_token: hunter2\nbasic_auth: {username: a, password: hunter2}":                           "give one of",
		"bearer_token: hunter2\nurl: https://me:hunter2@app.example/":                                   "give one of",
		"bearer_token: \"hunter2 x\"":                                                                   "bearer_token: holds a space",
		"oauth: {client_id: a, client_secret: hunter2}":                                                 "oauth.token_url: is required",
		"oauth: {token_url: \"http://id.example\", client_id: a, client_secret: hunter2}":               "must start with https://",
		"oauth: {token_url: \"https://127.0.0.1\", client_id: a, client_secret: hunter2}":               "is not public",
		"oauth: {token_url: \"https://id.example\", client_id: a}":                                      "client_secret: is required",
		"oauth: {token_url: \"https://id.example\", client_id: a, client_secret: b, scopes: [\"a b\"]}": "scopes[0]",
		"client_certificate: {cert_file: " + noPEM + "}":                                                "belong together",
		"client_certificate: {cert_file: " + noPEM + ", key_file: " + noPEM + "}":                       "client_certificate: tls: failed to find",
		"ca_file: " + noPEM:                          "holds no certificate",
		"ca_file: /does/not/exist":                   "ca_file: open",
		"url: http://app.example\nca_file: " + noPEM: "needs a URL with https",
		"proxy: socks5://hunter2@proxy.example":      "proxy: is not a URL like",
		"proxy: http://me:hunter2@/x":                "proxy: is not a URL like",
		"proxy: http://me:hunter2@proxy.example/x":   "no path",
	} {
		c, err := withEndpoint(t, lines)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", lines, c != nil, err, want)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%q: the fault has the secret: %v", lines, err)
		}
	}
}

// TestSecretsThatEnd wants one that stays, and tells nothing of those that it cannot read.
func TestSecretsThatEnd(t *testing.T) {
	read := func(lines string) (*Config, error) {
		return parse("letterhook.yaml", []byte("endpoints:\n- name: app\n  url: https://app.example\n  "+lines+"\n"), nil,
			func(key string) bool { return strings.HasPrefix(key, "endpoints") })
	}
	for lines, want := range map[string]string{
		"stored_secrets: true":                                                                        "",
		"secrets: [" + testSecret + "]":                                                               "",
		"secrets: [\"" + testSecret + " until 2026-12-31T00:00:00Z\"]":                                ":4: endpoints[0].secrets: at least one is required that has no end",
		"secrets: [" + testSecret + ", \"" + testSecret + " until 2026-12-31T00:00:00Z\"]":            "",
		"secrets: [\"" + testSecret + " until soon\"]":                                                ":4: endpoints[0].secrets[0]: behind a signing secret",
		"secret_file: " + writeFile(t, "secrets", []byte(testSecret+" until 2026-12-31T00:00:00Z\n")): "at least one is required that has no end",
	} {
		_, err := read(lines)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", lines, err, want)
		}
		if err != nil && strings.Contains(err.Error(), testSecret) {
			t.Errorf("the fault has the secret: %v", err)
		}
	}
}

func TestAccess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := withEndpoint(t, "oauth: {token_url: \"https://id.example/token\", client_id: app, client_secret_file: "+path+
		", scopes: [a, b], params: {audience: x}, secret_in_body: true}\nproxy: http://me:pw@proxy.example:3128\nheaders: {X-Tenant: a}\n")
	if err != nil {
		t.Fatal(err)
	}
	got := c.Endpoints[0].Access.OAuth
	want := storage.OAuthClient{TokenURL: "https://id.example/token", ID: "app", Secret: "hunter2", Scopes: []string{"a", "b"},
		Params: map[string]string{"audience": "x"}, SecretInBody: true}
	if fmt.Sprint(got) != fmt.Sprint(&want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if shown := fmt.Sprintf("%v %+v %#v", c.Endpoints[0].OAuth, c.Endpoints[0].OAuth, c.Endpoints[0].OAuth); strings.Contains(shown, "hunter2") {
		t.Errorf("it prints as %s", shown)
	}
	next, err := withEndpoint(t, "bearer_token: other\n")
	if err != nil {
		t.Fatal(err)
	}
	next.DataDir, next.Delivery.Proxy = c.DataDir, "http://proxy.example"
	if frozen := Frozen(c, next); len(frozen) > 0 {
		t.Errorf("%v need a restart", frozen)
	}
	if kept := Keep(c, next); kept.Delivery.Proxy != next.Delivery.Proxy || kept.Endpoints[0].Access.Bearer != "other" {
		t.Errorf("the reload keeps %+v", kept)
	}
}

func TestNoticeFaults(t *testing.T) {
	for lines, want := range map[string]string{
		"webhook: {url: \"https://ops.example\"}":                                                                                "notices.webhook.secrets: at least one",
		"webhook: {url: \"http://127.0.0.1/\", secrets: [" + testSecret + "]}":                                                   "notices.webhook.url: 127.0.0.1 is not public",
		"mail: {smarthost: mx.example, from: a@b.example, to: [c@d.example]}":                                                    "is not host:port",
		"mail: {smarthost: \"mx.example:587\", from: a@b.example}":                                                               "notices.mail.to: at least one",
		"mail: {smarthost: \"mx.example:587\", from: \"A <a@b.example>\", to: [c@d.example]}":                                    "notices.mail.from",
		"mail: {smarthost: \"mx.example:587\", from: a@b.example, to: [c]}":                                                      "notices.mail.to[0]",
		"mail: {smarthost: \"mx.example:587\", from: a@b.example, to: [c@d.example], username: u}":                               "belong together",
		"mail: {smarthost: \"mx.example:587\", from: a@b.example, to: [c@d.example], username: u, password: hunter2, tls: none}": "not sent in clear",
		"mail: {tls: ssl}": "notices.mail.tls",
	} {
		_, err := parse("letterhook.yaml", []byte("notices:\n  "+lines+"\n"), nil, func(key string) bool { return strings.HasPrefix(key, "notices") })
		if err == nil || !strings.Contains(err.Error(), "letterhook.yaml:2: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", lines, err, want)
		}
	}
}
