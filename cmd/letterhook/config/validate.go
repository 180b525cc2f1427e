package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/storage"
)

// The places of attachments and packs.
const (
	BlobsFolder = "folder"
	BlobsS3     = "s3"
)

// validate finds what a wrong combination of well-formed values is. It never stops at the first.
func (c *Config) validate(f *faults) {
	v := &validator{Config: c, faults: f, unread: map[string]bool{}, addresses: map[string]bool{}}
	for _, fault := range f.list {
		v.unread[fault.Key] = true
	}
	v.identity()
	v.roles()
	v.smtp()
	v.listeners()
	v.defence()
	v.users()
	v.tls()
	v.http()
	v.storage()
	v.delivery()
	v.scanners()
	v.accounts()
	v.endpoints()
	v.recipientChecks()
	v.domains()
	v.shadows()
	v.mtaSTS()
	v.authentication()
	v.notices()
	v.tracing()
	v.oidc()
}

type validator struct {
	*Config
	faults *faults
	unread map[string]bool // keys that could not be read, so that their value says nothing

	addresses map[string]bool // that a listener has taken
}

// faultf reports key where it was set. Of a key that could not be read, or of what stands within it, that fault is enough.
func (v *validator) faultf(key, format string, args ...any) {
	if v.lost(key) || v.lostWithin(key) {
		return
	}
	for k := key; ; {
		if v.unread[k] {
			return
		}
		cut := strings.LastIndexAny(k, ".[")
		if cut < 0 {
			break
		}
		k = k[:cut]
	}
	at := v.at(v.faults, key)
	if at.file == "environment" {
		key = environmentPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	}
	v.faults.addf(at, key, format, args...)
}

func (v *validator) identity() {
	if v.Hostname == "" {
		v.faultf("hostname", "is required: the name that the MX record of your domains points to")
	} else if !isHostname(v.Hostname) {
		v.faultf("hostname", "%q is not a host name", v.Hostname)
	}
	if v.PublicURL == "" {
		v.faultf("public_url", "is required: receivers fetch attachments and raw messages from it")
	} else if u, err := httpURL(v.PublicURL); err != nil {
		v.faultf("public_url", "%v", err)
	} else if u.RawQuery != "" {
		v.faultf("public_url", "must not hold a query")
	}
	if v.DataDir == "" {
		v.faultf("data_dir", "is required")
	}
	v.word("log.format", v.Log.Format, "text", "json")
	v.word("log.level", v.Log.Level, "debug", "info", "warn", "error")
}

func (v *validator) smtp() {
	s := &v.SMTP
	v.between("smtp.max_message_size", int64(s.MaxMessageSize), 64<<10, 1<<30) // RFC 5321 section 4.5.3.1.7
	v.between("smtp.max_recipients", int64(s.MaxRecipients), 1, 10_000)
	v.between("smtp.max_line_length", int64(s.MaxLineLength), 1000, 16<<20) // RFC 5321 section 4.5.3.1.6
	v.between("smtp.memory_per_message", int64(s.MemoryPerMessage), 1<<10, 1<<30)
	v.between("smtp.memory_total", int64(s.MemoryTotal), 1<<20, 1<<40)
	for _, limit := range []struct {
		key   string
		value int
	}{
		{"max_connections", s.MaxConnections}, {"max_connections_per_ip", s.MaxConnectionsPerIP},
		{"max_errors", s.MaxErrors}, {"max_unknown_recipients", s.MaxUnknownRecipients}, {"max_auth_failures", s.MaxAuthFailures},
		{"max_commands", s.MaxCommands}, {"max_messages", s.MaxMessages}, {"max_received", s.MaxReceived},
	} {
		v.between("smtp."+limit.key, int64(limit.value), 1, 1_000_000)
	}
	v.positive("smtp.command_timeout", s.CommandTimeout)
	v.positive("smtp.data_idle_timeout", s.DataIdleTimeout)
	v.positive("smtp.session_timeout", s.SessionTimeout)
	v.positive("smtp.shutdown_timeout", s.ShutdownTimeout)
}

func (v *validator) http() {
	v.address("http.private.address", v.HTTP.Private.Address)
	switch v.HTTP.Public.Address {
	case "":
		v.faultf("http.public.address", "is required: links lead to it")
	case v.HTTP.Private.Address: // one listener for both
	default:
		v.address("http.public.address", v.HTTP.Public.Address)
	}
	for key, l := range map[string]HTTPListener{"http.public": v.HTTP.Public, "http.private": v.HTTP.Private} {
		if l.TLS && !v.TLS.Speaks() {
			v.faultf(key+".tls", "needs a certificate in tls.certificates, or tls.acme")
		}
	}
	if v.HTTP.Public.Address != v.HTTP.Private.Address || v.HTTP.Public.Address == "" {
		return
	}
	if v.HTTP.Public.TLS != v.HTTP.Private.TLS {
		v.faultf("http.private.tls", "public and private share an address, so both or none speak TLS")
	}
	if !onLoopback(v.HTTP.Private.Address) {
		v.faultf("http.private.address", "public and private may share an address of this machine alone: metrics and profiles are not for strangers")
	}
}

// onLoopback says whether only this machine can reach the address.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // a fault of its own
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (v *validator) storage() {
	s := &v.Storage
	v.database()
	v.word("storage.blobs", s.Blobs, BlobsFolder, BlobsS3)
	if s.Blobs == BlobsS3 {
		v.s3()
	}
	if s.KeyFile != "" {
		v.keys("storage.key_file", s.KeyFile)
	} else {
		v.ownKeys(InstanceKeyName)
	}
	if len(s.LinkKeyFiles) == 0 {
		v.ownKeys(LinkKeyName)
	}
	for i, path := range s.LinkKeyFiles {
		v.keys(fmt.Sprintf("storage.link_key_files[%d]", i), path)
	}
	v.positive("storage.link_lifetime", s.LinkLifetime)
	if s.Blobs == BlobsS3 && s.S3.Presign && s.LinkLifetime > 7*day {
		v.faultf("storage.link_lifetime", "at most 7d with s3.presign: no presigned link lives longer")
	}
	v.positive("storage.retention.messages", s.Retention.Messages)
	v.positive("storage.retention.attachments", s.Retention.Attachments)
	v.positive("storage.retention.attempts", s.Retention.Attempts)
}

func (v *validator) s3() {
	s3 := &v.Storage.S3
	if s3.Bucket == "" {
		v.faultf("storage.s3.bucket", `is required when blobs is "s3"`)
	}
	if s3.Region == "" && s3.Endpoint == "" && !v.lost("storage.s3.endpoint") {
		v.faultf("storage.s3.region", "is required with AWS")
	}
	for key, value := range map[string]string{"endpoint": s3.Endpoint, "link_endpoint": s3.LinkEndpoint} {
		if value == "" {
			continue
		}
		if _, err := httpURL(value); err != nil {
			v.faultf("storage.s3."+key, "%v", err)
		}
	}
	v.word("storage.s3.encryption", s3.Encryption, "", "AES256", "aws:kms")
	if s3.KMSKeyID != "" && s3.Encryption != "aws:kms" && !v.lost("storage.s3.encryption") {
		v.faultf("storage.s3.kms_key_id", `needs encryption: "aws:kms"`)
	}
	if err := storage.CheckStorageClass(s3.StorageClass); err != nil {
		v.faultf("storage.s3.storage_class", "%v", err)
	}
	if (s3.AccessKeyID == "") != (s3.SecretAccessKey == "") {
		v.faultf("storage.s3", "access_key_id and a secret key belong together; leave out both for the usual AWS sources")
	}
}

func (v *validator) delivery() {
	d := &v.Delivery
	if len(d.Schedule) == 0 {
		v.faultf("delivery.schedule", "at least one wait is required")
	}
	v.schedule("delivery.schedule", d.Schedule)
	v.between("delivery.timeout", int64(d.Timeout), int64(Duration(1e9)), int64(5*minute))
	v.positive("delivery.max_age", d.MaxAge)
	v.between("delivery.concurrency", int64(d.Concurrency), 1, 10_000)
	v.between("delivery.workers", int64(d.Workers), 1, 100_000)
	v.between("delivery.bytes_in_flight", int64(d.BytesInFlight), 1<<20, 1<<40)
	v.between("delivery.memory_budget", int64(d.MemoryBudget), 1, 1<<40)
	v.between("delivery.max_body", int64(d.MaxBody), 16<<10, 25<<20)
	v.positive("delivery.drain_timeout", d.DrainTimeout)
	v.proxy("delivery.proxy", d.Proxy)
}

// name checks a name that others refer to.
func (v *validator) name(key, name string, seen map[string]bool) {
	switch {
	case name == "":
		v.faultf(key, "is required")
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		v.faultf(key, "%q holds a space or a control character", name)
	case seen[name]:
		v.faultf(key, "%q is declared twice", name)
	}
	seen[name] = true
}

// address checks a listening address that no other listener may have. Port 0 lets the system choose.
func (v *validator) address(key, address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		v.faultf(key, "%q is not host:port", address)
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		v.faultf(key, "%q is not a port", port)
	}
	if host != "" && net.ParseIP(strings.Split(host, "%")[0]) == nil && !isHostname(host) {
		v.faultf(key, "%q is neither an IP address nor a host name", host)
	}
	if port != "0" {
		v.once(key, address)
	}
}

// once reports an address that another listener has.
func (v *validator) once(key, address string) {
	if v.addresses[address] {
		v.faultf(key, "%q is used twice", address)
	}
	v.addresses[address] = true
}

// word checks a word against a list and says whether it stands there.
func (v *validator) word(key, word string, allowed ...string) bool {
	if slices.Contains(allowed, word) {
		return true
	}
	last := len(allowed) - 1
	v.faultf(key, "must be %s or %s, not %q", strings.Join(allowed[:last], ", "), allowed[last], word)
	return false
}

func (v *validator) between(key string, n, low, high int64) {
	if n < low || n > high {
		v.faultf(key, "must lie between %s and %s", v.show(key, low), v.show(key, high))
	}
}

// show writes a bound in the unit that the key is written in.
func (v *validator) show(key string, n int64) string {
	switch word := key[strings.LastIndexByte(key, '.')+1:]; word {
	case "timeout", "list_timeout":
		return Duration(n).String()
	case "max_message_size", "max_size", "max_line_length", "memory_per_message", "memory_total", "max_body", "bytes_in_flight", "memory_budget", "temp_total":
		return Size(n).String()
	default:
		return strconv.FormatInt(n, 10)
	}
}

func (v *validator) positive(key string, d Duration) {
	if d <= 0 {
		v.faultf(key, "must be longer than 0")
	}
}

// schedule checks that every retry waits.
func (v *validator) schedule(key string, waits []Duration) {
	for i, wait := range waits {
		v.positive(fmt.Sprintf("%s[%d]", key, i), wait)
	}
}

// keys checks a key file as the start of the server would read it.
func (v *validator) keys(key, path string) {
	if _, err := storage.ReadKeys(path); err != nil {
		v.faultf(key, "%v", err)
	}
}

// The key files that the server makes in data_dir, where none is named.
const (
	InstanceKeyName = "instance.key"
	LinkKeyName     = "link.key"
)

// ownKeys checks a key file in data_dir, if it is there already. Others than the server's user may not get as far as that.
func (v *validator) ownKeys(name string) {
	if v.DataDir == "" {
		return
	}
	path := filepath.Join(v.DataDir, name)
	_, err := storage.ReadKeys(path)
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrPermission):
		v.Warnings = append(v.Warnings, fmt.Sprintf("data_dir: this user cannot read %s, so it was not checked", path))
	default:
		v.faultf("data_dir", "%v", err)
	}
}

// httpURL parses an absolute http or https URL without credentials.
func httpURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("%q is not a URL like https://example.com/path", s)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("must start with http:// or https://")
	case u.User != nil:
		return nil, fmt.Errorf("must not hold a user name or password; use headers")
	case u.Fragment != "":
		return nil, fmt.Errorf("must not hold a fragment")
	}
	return u, nil
}

// isHostname accepts letters, digits and hyphens in labels of up to 63 octets (RFC 1123 section 2.1).
func isHostname(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
				return false
			}
		}
	}
	return true
}
