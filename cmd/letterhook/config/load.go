package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// Load reads the file at path, applies the overrides of environ ("NAME=value", as [os.Environ] gives them) and checks
// the whole. The error is [Faults] unless the file could not be read at all. Relative paths in the file count from the
// working directory.
func Load(path string, environ []string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return parse(path, text, environ, func(string) bool { return true })
}

// LoadStorage is [Load] for a command that only looks into the data folder. Faults of other keys than data_dir and those
// of storage are passed over: the shell of an operator need not know the secrets of the endpoints.
func LoadStorage(path string, environ []string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return parse(path, text, environ, ofStorage)
}

// LoadRouting is [Load] for a command that only looks at accounts and domains. Faults of other keys are passed over, as
// in [LoadStorage].
func LoadRouting(path string, environ []string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return parse(path, text, environ, ofRouting)
}

// ofRouting says whether a fault of key hides how mail is routed.
func ofRouting(key string) bool {
	return key == "" || strings.HasPrefix(key, "accounts") || strings.HasPrefix(key, "domains")
}

// ofStorage says whether a fault of key hides where the data lie. A fault of the file as a whole has no key.
func ofStorage(key string) bool {
	key = strings.ToLower(strings.TrimPrefix(key, environmentPrefix))
	return key == "" || key == "data_dir" || strings.HasPrefix(key, "storage")
}

// parse reads a configuration. Only faults of keys that matter are told.
func parse(path string, text []byte, environ []string, matters func(key string) bool) (*Config, error) {
	f := &faults{file: path, lost: map[string]bool{}}
	c := Default()
	env := variables(environ)
	d := &decoder{
		faults:    f,
		positions: map[string]position{},
		anchors:   map[string]ast.Node{},
		lookup:    func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	root := syntax(f, text)
	if len(f.list) > 0 {
		return nil, f.err() // without a tree every other fault would be guesswork
	}
	if root != nil {
		d.decode(root, reflect.ValueOf(c).Elem(), "")
	}
	known := d.environment(reflect.ValueOf(c).Elem(), "")
	c.positions = d.positions
	c.warnUnknown(env, known)
	c.complete(f)
	c.validate(f)
	f.list = slices.DeleteFunc(f.list, func(fault Fault) bool { return !matters(fault.Key) })
	if err := f.err(); err != nil {
		return nil, err
	}
	return c, nil
}

var syntaxPosition = regexp.MustCompile(`^\[(\d+):\d+\] (.*)`)

// syntax gives the mapping that a configuration is, or nil when there is none.
func syntax(f *faults, text []byte) ast.Node {
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, reason := position{f.file, 0}, err.Error()
		if m := syntaxPosition.FindStringSubmatch(reason); m != nil {
			at.line, _ = strconv.Atoi(m[1])
			reason = m[2]
		}
		f.addf(at, "", "%s", reason)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) == 0 {
		return nil
	}
	if len(bodies) > 1 {
		f.addf(position{f.file, bodies[1].GetToken().Position.Line}, "", "a second document; a configuration is one")
	}
	return bodies[0]
}

func variables(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			m[name] = value
		}
	}
	return m
}

// warnUnknown names the variables that look like an override and are none. They are no faults, because an
// orchestrator invents such names itself: Kubernetes sets LETTERHOOK_PORT for a service called letterhook.
func (c *Config) warnUnknown(env map[string]string, known map[string]bool) {
	for name := range env {
		if strings.HasPrefix(name, environmentPrefix) && !known[name] && name != contexts.EnvURL && name != contexts.EnvKey {
			c.Warnings = append(c.Warnings, "environment: "+name+": overrides no key")
		}
	}
	slices.Sort(c.Warnings)
}

// complete fills in what the rest of the file implies.
func (c *Config) complete(f *faults) {
	if len(c.Accounts) == 0 {
		c.Accounts = []Account{{Name: DefaultAccount}}
	}
	only := ""
	if len(c.Accounts) == 1 {
		only = c.Accounts[0].Name
	}
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		key := fmt.Sprintf("endpoints[%d]", i)
		e.Source = c.source(f, key)
		if e.Account == "" {
			e.Account = only
		}
		keyFile(c, f, key+".secret_file", e.SecretFile, &e.Secrets, parseSigning)
		completeFormat(e)
		formatKeyFile(c, f, key+".format_key_file", e)
		completeAccess(c, f, key, e)
	}
	for i := range c.RecipientChecks {
		check := &c.RecipientChecks[i]
		key := fmt.Sprintf("recipient_checks[%d]", i)
		check.Source = c.source(f, key)
		check.complete(func(name string) bool { _, set := c.positions[key+"."+name]; return set })
		keyFile(c, f, key+".secret_file", check.SecretFile, &check.Secrets, parseSecret)
	}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		keyFile(c, f, fmt.Sprintf("accounts[%d].reply_key_file", i), a.ReplyKeyFile, &a.ReplyKeys, replyaddr.ParseKey)
	}
	for i := range c.Domains {
		d := &c.Domains[i]
		if d.Account == "" {
			d.Account = only
		}
		key := fmt.Sprintf("domains[%d]", i)
		d.Source = c.source(f, key)
		for n := range d.Routes {
			d.Routes[n].Source = c.source(f, fmt.Sprintf("%s.routes[%d]", key, n))
		}
		keyFile(c, f, key+".reply_key_file", d.ReplyKeyFile, &d.ReplyKeys, replyaddr.ParseKey)
	}
	keyFile(c, f, "notices.webhook.secret_file", c.Notices.Webhook.SecretFile, &c.Notices.Webhook.Secrets, parseSecret)
	passwordFile(c, f, "notices.mail.password_file", c.Notices.Mail.PasswordFile, &c.Notices.Mail.Password)
	c.completeDatabase(f)
	c.completeS3(f)
}

func (c *Config) completeS3(f *faults) {
	s3 := &c.Storage.S3
	if s3.SecretKeyFile == "" || c.Storage.Blobs != BlobsS3 {
		return
	}
	const key = "storage.s3.secret_key_file"
	if s3.SecretAccessKey != "" {
		f.addf(c.at(f, key), key, "secret_access_key is given too; give one of the two")
		return
	}
	text, err := os.ReadFile(s3.SecretKeyFile)
	if err != nil {
		f.addf(c.at(f, key), key, "%v", err)
		return
	}
	s3.SecretAccessKey = strings.TrimSpace(string(text))
}

// source says where key was set, for people.
func (c *Config) source(f *faults, key string) string {
	at := c.at(f, key)
	return fmt.Sprintf("%s:%d", filepath.Base(at.file), at.line)
}

// at is where key was set, or its nearest section, or the file.
func (c *Config) at(f *faults, key string) position {
	for {
		if at, ok := c.positions[key]; ok {
			return at
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return position{file: f.file}
		}
		key = key[:cut]
	}
}
