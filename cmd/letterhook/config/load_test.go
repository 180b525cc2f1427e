package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound/scan"
)

const testSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

const testReplyKey = "replykey_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

const example = "../../../examples/letterhook.yaml"

// writeFile puts a file into a fresh folder and gives its path.
func writeFile(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes a self-signed one and gives the paths of its files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		writeFile(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// loadExample reads the documented example with files that exist in the place of those it names.
func loadExample(t *testing.T) *Config {
	t.Helper()
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t)
	text = []byte(strings.NewReplacer(
		"/etc/letterhook/mx.example.com.crt", cert, "/etc/letterhook/mx.example.com.key", key,
		"/etc/letterhook/partner.crt", cert, "/etc/letterhook/partner.key", key, "/etc/letterhook/partner-ca.crt", cert,
		"/etc/letterhook/archive.secret", writeFile(t, "archive.secret", []byte("# newest first\n"+testSecret+"\n")),
		"/etc/letterhook/blocked.txt", writeFile(t, "blocked.txt", []byte("192.0.2.0/24\n")),
		"/etc/letterhook/reply.key", writeFile(t, "reply.key", []byte(testReplyKey+"\n")),
		"/etc/letterhook/others.secret", writeFile(t, "others.secret", []byte(testSecret+"\n")),
	).Replace(string(text)))
	c, err := Load(writeFile(t, "letterhook.yaml", text), []string{"APP_SECRET=" + testSecret, "APP_TOKEN=t0ken", "REPLY_KEY=" + testReplyKey,
		"CHECK_SECRET=" + testSecret, "RAILS_PASSWORD=secret", "ARCHIVE_PASSWORD=secret", "PARTNER_SECRET=secret", "MAILGUN_SIGNING_KEY=key"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExampleIsValid(t *testing.T) {
	c := loadExample(t)
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %q", c.Warnings)
	}
	if got := c.Endpoints[0].Access.Bearer; got != "t0ken" {
		t.Errorf("the token is %q, the variable was not put in", got)
	}
	if got := dispatch.FormatSecret(c.Endpoints[1].Secrets[0].Key); got != testSecret {
		t.Errorf("the secret of the file is %q", got)
	}
	if got := c.Endpoints[1].Account; got != DefaultAccount {
		t.Errorf("the account left out is %q", got)
	}
	line := slices.Index(strings.Split(readFile(t, example), "\n"), "  - name: archive") + 1
	if want := "letterhook.yaml:" + itoa(line); c.Endpoints[1].Source != want {
		t.Errorf("source is %s, want %s", c.Endpoints[1].Source, want)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func itoa(n int) string { return big.NewInt(int64(n)).String() }

// TestExampleNamesEveryKey keeps the documentation whole: a key of the struct that the example leaves out fails it.
func TestExampleNamesEveryKey(t *testing.T) {
	c := loadExample(t)
	index := regexp.MustCompile(`\[\d+\]`)
	set := map[string]bool{}
	for key := range c.positions {
		set[index.ReplaceAllString(key, "[]")] = true
	}
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		if !set[key] {
			t.Errorf("%s does not stand in examples/letterhook.yaml", key)
		}
	}
}

func keysOf(typ reflect.Type, prefix string) []string {
	var keys []string
	for field := range typ.Fields() {
		name := field.Tag.Get("yaml")
		if name == "" || name == "-" {
			continue
		}
		key, inner := join(prefix, name), field.Type
		keys = append(keys, key)
		if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct {
			key, inner = key+"[]", inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[Network]() {
			keys = append(keys, keysOf(inner, key)...)
		}
	}
	return keys
}

// TestExampleStatesDefaults holds "each with its default" true for every section that has defaults.
func TestExampleStatesDefaults(t *testing.T) {
	c, d := loadExample(t), Default()
	c.SMTP.Listeners = nil
	c.Storage.S3, c.Storage.LinkKeyFiles = d.Storage.S3, nil
	c.Delivery.AllowNetworks = nil
	c.Authentication.TrustedSealers = nil
	c.Defence.Lists = nil
	for _, pair := range [][2]any{{c.SMTP, d.SMTP}, {c.Defence, d.Defence}, {c.Storage, d.Storage}, {c.Delivery, d.Delivery}, {c.Scanners, d.Scanners}, {c.Log, d.Log}, {c.Authentication, d.Authentication}, {c.HTTP.Private, d.HTTP.Private}, {c.TLS.MinVersion, d.TLS.MinVersion}} {
		if diff := cmp.Diff(pair[1], pair[0], cmpopts.EquateEmpty(), cmpopts.EquateComparable(Network{})); diff != "" {
			t.Errorf("the example differs from the default (-default +example):\n%s", diff)
		}
	}
}

const minimal = `hostname: mx.example.com
public_url: http://127.0.0.1:8080
data_dir: /tmp/letterhook
smtp:
  listeners: [{name: mx, address: "127.0.0.1:0"}]
http:
  public: {address: "127.0.0.1:0"}
`

func TestEnvironment(t *testing.T) {
	path := writeFile(t, "letterhook.yaml", []byte(minimal))
	c, err := Load(path, []string{
		"LETTERHOOK_HOSTNAME=mx2.example.com",
		"LETTERHOOK_SMTP_MAX_MESSAGE_SIZE=10MB",
		"LETTERHOOK_SMTP_REFUSE_BARE_LINE_ENDS=true",
		"LETTERHOOK_DELIVERY_SCHEDULE=1s, 2s",
		"LETTERHOOK_DELIVERY_ALLOW_NETWORKS=10.0.0.0/8",
		"LETTERHOOK_HTTP_PRIVATE_ADDRESS=127.0.0.1:1234",
		"LETTERHOOK_PORT_25_TCP=tcp://10.0.0.1:25",
		"LETTERHOOK_DOMAINS=in.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		c.Hostname, c.SMTP.MaxMessageSize, c.SMTP.RefuseBareLineEnds, c.Delivery.Schedule,
		c.Delivery.AllowNetworks[0].String(), c.HTTP.Private.Address, c.Warnings,
	}
	want := []any{
		"mx2.example.com", Size(10_000_000), true, []Duration{Duration(time.Second), Duration(2 * time.Second)},
		"10.0.0.0/8", "127.0.0.1:1234",
		[]string{"environment: LETTERHOOK_DOMAINS: overrides no key", "environment: LETTERHOOK_PORT_25_TCP: overrides no key", "domains: none is declared, so every recipient is refused"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReload(t *testing.T) {
	load := func(text string) *Config {
		c, err := Load(writeFile(t, "letterhook.yaml", []byte(text)), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	running := load(minimal)
	next := load(strings.Replace(minimal, "/tmp/letterhook", "/tmp/elsewhere", 1) + `
log: {level: debug, format: json}
storage: {retention: {messages: 1d}, min_free: 2GiB}
endpoints: [{name: app, url: "https://app.example.com", secrets: ["` + testSecret + `"]}]
`)
	if diff := cmp.Diff([]string{"data_dir", "log.format", "storage.min_free"}, Frozen(running, next)); diff != "" {
		t.Errorf("frozen (-want +got):\n%s", diff)
	}
	kept := Keep(running, next)
	if frozen := Frozen(running, kept); len(frozen) > 0 {
		t.Errorf("what cannot change did: %q", frozen)
	}
	if kept.Log.Level != "debug" || kept.Log.Format != "text" || kept.Storage.Retention.Messages != day || len(kept.Endpoints) != 1 {
		t.Errorf("what can change did not: %+v", kept)
	}
	if frozen := Frozen(kept, next); !slices.Equal(frozen, []string{"data_dir", "log.format", "storage.min_free"}) {
		t.Errorf("a live key was not taken over: %q", frozen)
	}
}

// TestReloadOfTLS: certificates change while the server runs, but TLS itself does not come or go.
func TestReloadOfTLS(t *testing.T) {
	with := func(certs ...string) *Config {
		c := Default()
		for _, cert := range certs {
			c.TLS.Certificates = append(c.TLS.Certificates, Certificate{cert, cert})
		}
		return c
	}
	acme := func(c *Config, names ...string) *Config {
		c.TLS.ACME.Names = names
		return c
	}
	for _, c := range []struct {
		running, next, kept *Config
		frozen              []string
	}{
		{acme(with(), "a"), acme(with(), "a", "b"), acme(with(), "a", "b"), nil},
		{acme(with(), "a"), acme(with("new"), "a"), acme(with("new"), "a"), nil},
		{acme(with("old"), "a"), with(), acme(with(), "a"), []string{"tls.acme.names"}},
		{with("old"), acme(with(), "a"), with("old"), []string{"tls.acme.names", "tls.certificates"}},
		{with(), acme(with(), "a"), with(), []string{"tls.acme.names"}},
		{with("old"), with("new"), with("new"), nil},
		{with("old"), with("old", "new"), with("old", "new"), nil},
		{with(), with("new"), with(), []string{"tls.certificates"}},
		{with("old"), with(), with("old"), []string{"tls.certificates"}},
	} {
		if got := Frozen(c.running, c.next); !slices.Equal(got, c.frozen) {
			t.Errorf("frozen %q, want %q", got, c.frozen)
		}
		if got := Keep(c.running, c.next).TLS; !reflect.DeepEqual(got, c.kept.TLS) {
			t.Errorf("kept %+v, want %+v", got, c.kept.TLS)
		}
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "250ms": 250 * time.Millisecond, "0s": 0} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want {
			t.Errorf("duration %q is %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "5", "-5s", "5 minutes", "d", "-1d", "99999999999h", "1.5d"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("duration %q is accepted as %v", text, d)
		}
	}
	for text, want := range map[string]Size{"25MiB": 25 << 20, "64KiB": 64 << 10, "256kB": 256_000, "1024": 1024, "1 GB": 1e9, "0": 0} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("size %q is %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "5 apples", "9999999999TiB", "5iB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("size %q is accepted as %d", text, s)
		}
	}
	var secret Secret
	if err := secret.UnmarshalText([]byte(testSecret)); err != nil || len(secret) != 24 || strings.Contains(fmt.Sprint(secret), "MDEy") {
		t.Errorf("secret: %v, %v", secret, err)
	}
}

// TestLoadStorage reads a configuration as a command beside the server does.
func TestLoadStorage(t *testing.T) {
	text := `data_dir: /somewhere
tls: {certificates: [{cert_file: /none, key_file: /none}]}
storage: {s3: {secret_key_file: /none}} # without blobs: s3 nobody reads it
endpoints: [{name: app, url: "https://app.example", secrets: ["${LETTERHOOK_TEST_UNSET}"]}]
`
	c, err := LoadStorage(writeFile(t, "letterhook.yaml", []byte(text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/somewhere" {
		t.Errorf("data_dir is %q", c.DataDir)
	}
	for _, wrong := range []string{"data_dir: ${LETTERHOOK_TEST_UNSET}", "storage: {blobs: tape}", "endpoints: {"} {
		if _, err := LoadStorage(writeFile(t, "letterhook.yaml", []byte(wrong)), nil); err == nil {
			t.Errorf("%q passes", wrong)
		}
	}
	environ := []string{"LETTERHOOK_STORAGE_MIN_FREE=much"}
	if _, err := LoadStorage(writeFile(t, "letterhook.yaml", []byte(text)), environ); err == nil {
		t.Errorf("%q passes", environ)
	}
}

func TestSecretKeyFile(t *testing.T) {
	text := "data_dir: /somewhere\nstorage: {blobs: s3, s3: {bucket: mail, region: eu-north-1, access_key_id: id, secret_key_file: FILE}}\n"
	present := strings.ReplaceAll(text, "FILE", writeFile(t, "s3.key", []byte("s3cret\n")))
	c, err := LoadStorage(writeFile(t, "letterhook.yaml", []byte(present)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Storage.S3.SecretAccessKey; got != "s3cret" {
		t.Errorf("the secret access key of the file is %q", got)
	}
	absent := strings.ReplaceAll(text, "FILE", "/none")
	if _, err := LoadStorage(writeFile(t, "letterhook.yaml", []byte(absent)), nil); err == nil {
		t.Error("a key file that is missing passes")
	}
}

// TestScanners holds that what the file says of scanners is what they are asked with.
func TestScanners(t *testing.T) {
	none, err := Load(writeFile(t, "letterhook.yaml", []byte(minimal)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scan.Config{Hostname: "mx.example.com"}, none.Scan()); diff != "" {
		t.Errorf("by default (-want +got):\n%s", diff)
	}
	text := minimal + `
scanners:
  rspamd: {address: "127.0.0.1:11333", timeout: 3s, max_size: 1MiB, concurrency: 2, on_error: defer, on_spam: follow, spam_score: 7.5}
  clamav: {max_size: 1MiB, on_virus: defer}
`
	c, err := Load(writeFile(t, "letterhook.yaml", []byte(text)), []string{"LETTERHOOK_SCANNERS_CLAMAV_ADDRESS=/run/clamd.ctl"})
	if err != nil {
		t.Fatal(err)
	}
	want := scan.Config{
		Hostname: "mx.example.com",
		Rspamd: &scan.Options{
			Address: "127.0.0.1:11333", Timeout: 3 * time.Second, MaxSize: 1 << 20, Concurrency: 2, OnError: scan.Defer, OnFound: scan.Follow,
			SpamScore: 7.5,
		},
		ClamAV: &scan.Options{
			Address: "/run/clamd.ctl", Timeout: time.Minute, MaxSize: 1 << 20, Concurrency: 16, OnError: scan.Defer, OnFound: scan.Defer,
		},
	}
	if diff := cmp.Diff(want, c.Scan()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := scan.New(c.Scan()); err != nil {
		t.Errorf("what is valid here is not there: %v", err)
	}
	if !slices.Contains(c.Warnings, "scanners.clamav: messages over 1MiB are accepted without being scanned") {
		t.Errorf("warnings: %q", c.Warnings)
	}
}
