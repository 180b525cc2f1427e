package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/dispatch/format"
)

// What migrate prints is a configuration that loads, with the format of the service.
func TestMigratePrintsWhatLoads(t *testing.T) {
	head := "hostname: mx.example.com\npublic_url: https://mx.example.com\ndata_dir: " + t.TempDir() + "\n" +
		"smtp: {listeners: [{name: mx, address: \"127.0.0.1:2525\"}]}\nhttp: {public: {address: \"127.0.0.1:8080\"}}\n"
	environ := []string{"MAILGUN_SIGNING_KEY=k", "MANDRILL_WEBHOOK_KEY=k", "RAILS_INBOUND_EMAIL_PASSWORD=p"}
	for name, s := range services {
		for _, raw := range []bool{false, true} {
			var out bytes.Buffer
			m := migration{Domain: "in.example.com", Host: "mx.example.com", Raw: raw}
			if err := m.print(&out, name); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "letterhook.yaml")
			if err := os.WriteFile(path, []byte(head+out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(path, environ)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out.String())
			}
			want := s.format
			if raw && s.raw != "" {
				want = s.raw
			}
			if e := c.Endpoints[0]; e.Format != want || e.IncludeRaw != (raw && name == "postmark") {
				t.Errorf("%s: %+v", name, e)
			}
			for _, line := range []string{"in.example.com.  MX 10 mx.example.com.", s.mx} {
				if !strings.Contains(out.String(), line) {
					t.Errorf("%s: %q is missing in\n%s", name, line, out.String())
				}
			}
		}
	}
	if len(services) < len(format.Names())-4 {
		t.Error("a service is missing")
	}
}

// The keys that it makes for SendGrid are a pair, and can be put into the file as printed.
func TestMigrateSendGridKeys(t *testing.T) {
	var out bytes.Buffer
	m := migration{Domain: "in.example.com", Host: "mx.example.com"}
	if err := m.print(&out, "sendgrid"); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(out.String(), `#     format_key: "`)
	private, rest, _ := strings.Cut(rest, `"`)
	_, rest, _ = strings.Cut(rest, "public key: ")
	public, _, _ := strings.Cut(rest, "\n")
	if got, err := format.SendGridPublicKey([]byte(private)); err != nil || got != public {
		t.Errorf("%q, %v, want %q", got, err, public)
	}
}
