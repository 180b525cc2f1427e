package config

import (
	"strings"
	"testing"
)

// parseEndpoint parses a configuration whose one endpoint has the lines.
func parseEndpoint(t *testing.T, lines string) (*Config, error) {
	t.Helper()
	text := "hostname: mx.example.com\npublic_url: https://mx.example.com\ndata_dir: " + t.TempDir() +
		"\nhttp: {public: {address: \"127.0.0.1:8080\"}}\nsmtp: {listeners: [{name: mx, address: \"127.0.0.1:2525\"}]}\nendpoints:\n  - name: app\n    url: https://app.example\n"
	for line := range strings.Lines(lines) {
		text += "    " + line
	}
	return parse("letterhook.yaml", []byte(text), nil, func(string) bool { return true })
}

func TestFormatFaults(t *testing.T) {
	for lines, want := range map[string]string{
		"format: mailchimp\n":                            "must be one of cloudmailin, cloudmailin-multipart, mailgun, mailgun-mime, mandrill, native, postmark, raw, sendgrid, sendgrid-raw",
		"format: mailgun\n":                              "letterhook.yaml:7: endpoints[0].format_key: is required",
		"format: mandrill\n":                             "format_key: is required",
		"format: postmark\nformat_key: x\n":              "format postmark signs with no key",
		"format: sendgrid\nformat_key: x\n":              "the key is no private key",
		"format: native\n":                               "secrets: at least one is required",
		"format: raw\nstrict_status: true\n":             "strict_status: is for the formats sendgrid",
		"format: raw\ninclude_raw: true\n":               "include_raw: is for the format postmark",
		"format: raw\nevents: all\n":                     "events: ",
		"format: raw\nattachments: inline\n":             "attachments: the format raw has its own way",
		"format: cloudmailin\nattachments: none\n":       "attachments: the format cloudmailin has its own way",
		"format: raw\ngzip: true\n":                      "gzip: clients of the format raw",
		"format: raw\nheader_fields: [none]\n":           "header_fields: the format raw has them all",
		"inline_size: 1KiB\n":                            "inline_size: is for attachments: inline",
		"header_fields: [all, From]\n":                   "header_fields[0]: is all, none, or names",
		"format: raw\nshadow: true\n":                    "shadow: the first endpoint of an account",
		"format: mailgun\nformat_key_file: /nowhere/x\n": "/nowhere/x: no such file",
	} {
		if _, err := parseEndpoint(t, lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", lines, err, want)
		}
	}
}

func TestFormatDefaults(t *testing.T) {
	for lines, want := range map[string]string{
		"format: mailgun\nformat_key: k\n":                 "recipient",
		"format: cloudmailin\n":                            "message",
		"format: raw\nevents: message\n":                   "message",
		"secrets: [\"" + testSecret + "\"]\n":              "message",
		"format: sendgrid\nheaders: {X-Content-Type: x}\n": "recipient",
	} {
		c, err := parseEndpoint(t, lines)
		if err != nil {
			t.Errorf("%q: %v", lines, err)
		} else if c.Endpoints[0].Events != want {
			t.Errorf("%q: %q", lines, c.Endpoints[0].Events)
		}
	}
}

// A password in the URL of an endpoint is told to nobody.
func TestURLWithPassword(t *testing.T) {
	text := "endpoints: [{name: app, url: \"https://actionmailbox:hunter2@app.example/%\", format: raw}]\n"
	_, err := parse("letterhook.yaml", []byte(text), nil, func(string) bool { return true })
	if err == nil || !strings.Contains(err.Error(), "endpoints[0].url") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	text = "endpoints: [{name: app, url: \"https://actionmailbox:hunter2@app.example/\", format: raw}]\n"
	if _, err := parse("letterhook.yaml", []byte(text), nil, func(string) bool { return true }); strings.Contains(err.Error(), "url") && strings.Contains(err.Error(), "endpoints[0].url") {
		t.Errorf("%v", err)
	}
}

func TestShadowFaults(t *testing.T) {
	text := "endpoints:\n- {name: app, url: https://app.example, format: raw}\n- {name: new, url: https://new.example, format: raw, shadow: true}\n" +
		"domains: [{name: in.example, routes: [{match: a, endpoints: [new]}, {match: b, endpoints: [app, new]}]}]\n"
	_, err := parse("letterhook.yaml", []byte(text), nil, func(key string) bool { return strings.Contains(key, "routes") })
	if err == nil || !strings.Contains(err.Error(), "routes[0].endpoints: has shadow endpoints alone") || strings.Contains(err.Error(), "routes[1]") {
		t.Errorf("%v", err)
	}
}
