// Package config reads Letterhook's configuration: one YAML file with overrides from the environment.
//
// The promise of this package: a configuration is used whole or not at all, and every fault in it is reported at once
// as "file:line: key: reason". Unknown keys are faults, so that a mistyped setting never silently means its default.
// examples/letterhook.yaml documents every key; a test holds the two together.
package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// Config is the whole configuration of a server. [Load] fills it; [Default] has the value of every key left out.
type Config struct {
	Hostname  string  `yaml:"hostname"`   // name in the greeting, the EHLO reply and the Received field
	PublicURL string  `yaml:"public_url"` // base of the links in events, http or https
	DataDir   string  `yaml:"data_dir"`   // folder of the database, the packs and the keys
	Roles     []Role  `yaml:"roles"`      // what this node does, where several share a database; left out: everything
	Node      string  `yaml:"node"`       // name of this node, for people; left out: hostname and process
	SMTP      SMTP    `yaml:"smtp"`
	TLS       TLS     `yaml:"tls"`
	HTTP      HTTP    `yaml:"http"`
	Storage   Storage `yaml:"storage"`

	Defence        Defence        `yaml:"defence"`
	Authentication Authentication `yaml:"authentication"`

	Delivery  Delivery   `yaml:"delivery"`
	Scanners  Scanners   `yaml:"scanners"`
	Log       Log        `yaml:"log"`
	Users     []User     `yaml:"users"`    // who may log in
	Accounts  []Account  `yaml:"accounts"` // left out: one account called "default"
	Endpoints []Endpoint `yaml:"endpoints"`
	Domains   []Domain   `yaml:"domains"`

	RecipientChecks []RecipientCheck `yaml:"recipient_checks"`
	Notices         Notices          `yaml:"notices"`
	Tracing         Tracing          `yaml:"tracing"`
	OIDC            OIDC             `yaml:"oidc"`

	// Warnings name what is allowed but probably not meant. They are for people and may be logged.
	Warnings []string `yaml:"-"`

	positions map[string]position
}

// SMTP is the receiving side. Limits that a peer meets are told to it inside the session.
type SMTP struct {
	Listeners            []Listener `yaml:"listeners"`
	MaxMessageSize       Size       `yaml:"max_message_size"`   // octets; a message of exactly this size is accepted
	MaxRecipients        int        `yaml:"max_recipients"`     // RCPT commands accepted per message
	MaxLineLength        Size       `yaml:"max_line_length"`    // octets of a line of data, the line end included
	MemoryPerMessage     Size       `yaml:"memory_per_message"` // a larger body goes to a temporary file
	MemoryTotal          Size       `yaml:"memory_total"`       // of all bodies in memory; beyond it they go to files at once
	MaxReceived          int        `yaml:"max_received"`       // Received fields; more mean a loop
	TempDir              string     `yaml:"temp_dir"`           // of these files; empty: a folder in data_dir
	CommandTimeout       Duration   `yaml:"command_timeout"`    // RFC 5321 section 4.5.3.2
	DataIdleTimeout      Duration   `yaml:"data_idle_timeout"`  // silence within the data
	SessionTimeout       Duration   `yaml:"session_timeout"`    // the longest life of a connection
	MaxConnections       int        `yaml:"max_connections"`
	MaxConnectionsPerIP  int        `yaml:"max_connections_per_ip"` // an IPv6 /48 counts as one address, a /64 as half of one
	MaxErrors            int        `yaml:"max_errors"`             // refused commands per connection
	MaxUnknownRecipients int        `yaml:"max_unknown_recipients"` // per connection
	MaxAuthFailures      int        `yaml:"max_auth_failures"`      // per source, over all its connections; one a minute is forgiven
	MaxCommands          int        `yaml:"max_commands"`           // per connection, since its last accepted message
	MaxMessages          int        `yaml:"max_messages"`           // per connection
	RefuseBareLineEnds   bool       `yaml:"refuse_bare_line_ends"`  // 550 5.6.0 instead of a defect
	LogAddresses         bool       `yaml:"log_addresses"`          // mail addresses in the log
	ShutdownTimeout      Duration   `yaml:"shutdown_timeout"`       // for transactions that run at SIGTERM
}

// Listener is an address that speaks SMTP or LMTP.
type Listener struct {
	Name string `yaml:"name"` // stands in the envelope of every message that came through it
	// Address is host:port, where an empty host means every address of the machine, IPv4 and IPv6; "unix:" and the path
	// of a socket, for LMTP; or "systemd:" and the name of a socket that systemd has bound (FileDescriptorName).
	Address string       `yaml:"address"`
	Kind    ListenerKind `yaml:"kind"` // left out: mx
	TLS     TLSMode      `yaml:"tls"`  // left out: none
	// ProxyProtocol are the networks of the proxies in front, whose connections all begin with a PROXY header. Others are
	// closed. Left out: there is no proxy.
	ProxyProtocol []Network `yaml:"proxy_protocol"`
	Greylist      bool      `yaml:"greylist"` // for every recipient; else where the domain wants it
}

// The ways to write an address that is not host:port.
const (
	unixPrefix    = "unix:"
	systemdPrefix = "systemd:"
)

// Unix is the path of the unix socket that the listener binds; empty: it binds none.
func (l *Listener) Unix() string { return after(l.Address, unixPrefix) }

// Systemd is the name of the socket that systemd has bound for the listener; empty: it binds its own.
func (l *Listener) Systemd() string { return after(l.Address, systemdPrefix) }

// after is what follows prefix in s; empty where s does not begin with it.
func after(s, prefix string) string {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return ""
	}
	return rest
}

// ListenerKind says what a listener is for.
type ListenerKind string

// The kinds of listeners.
const (
	KindMX         ListenerKind = "mx"         // mail from anybody
	KindSubmission ListenerKind = "submission" // mail from users who log in, under TLS alone
	KindLMTP       ListenerKind = "lmtp"       // mail from a mail server in front (RFC 2033)
)

// User may log in on listeners of the kind submission.
type User struct {
	Name string `yaml:"name"` // stands in the envelope of every message of theirs
	// PasswordHash is what `letterhook hash-password` prints: bcrypt.
	PasswordHash string `yaml:"password_hash"`
}

// TLSMode says when a listener speaks TLS.
type TLSMode string

// The TLS modes of a listener.
const (
	TLSNone     TLSMode = "none"     // never
	TLSStartTLS TLSMode = "starttls" // after STARTTLS (RFC 3207); needs a certificate
	TLSImplicit TLSMode = "implicit" // from the first octet (RFC 8314); needs a certificate
)

// TLS is the server's identity, for SMTP and HTTP alike.
type TLS struct {
	Certificates []Certificate `yaml:"certificates"` // the one whose name fits the SNI is used, else the first
	MinVersion   string        `yaml:"min_version"`  // "1.2" or "1.3"
	ACME         ACME          `yaml:"acme"`
}

// Certificate names the PEM files of a certificate chain and its private key. They are read again on SIGHUP, and when they
// change.
type Certificate struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// HTTP is where links are served and where operators look.
type HTTP struct {
	Public  HTTPListener `yaml:"public"`
	Private HTTPListener `yaml:"private"`
	// TrustedProxies are the networks of the reverse proxies in front of the public listener: what their X-Forwarded-For names is who asks.
	TrustedProxies []Network `yaml:"trusted_proxies"`
}

// HTTPListener is a TCP address that speaks HTTP. Public and private may share one.
type HTTPListener struct {
	Address string `yaml:"address"` // host:port
	TLS     bool   `yaml:"tls"`     // with the certificates of the tls section
}

// Storage is what must survive.
type Storage struct {
	Database            DatabaseURL `yaml:"database"`             // postgres://...; empty: SQLite in data_dir
	DatabaseFile        string      `yaml:"database_file"`        // file that holds the URL instead
	DatabaseConnections int         `yaml:"database_connections"` // with PostgreSQL: that read, beside the three that write

	Blobs        string    `yaml:"blobs"`          // "folder" (in data_dir) or "s3"
	PacksInBlobs bool      `yaml:"packs_in_blobs"` // with s3: raw messages go to the bucket too
	S3           S3        `yaml:"s3"`
	MinFree      Size      `yaml:"min_free"`       // with less free space in data_dir, MAIL and DATA get 452 4.3.1
	KeyFile      string    `yaml:"key_file"`       // instance key that wraps message keys; empty: made in data_dir
	LinkKeyFiles []string  `yaml:"link_key_files"` // link-signing keys, the first signs; empty: made in data_dir
	LinkLifetime Duration  `yaml:"link_lifetime"`  // of the links in events
	Retention    Retention `yaml:"retention"`
}

// S3 is a bucket, used when blobs is "s3". It must exist.
type S3 struct {
	Endpoint        string `yaml:"endpoint"`      // URL; empty: AWS
	LinkEndpoint    string `yaml:"link_endpoint"` // URL of the server as receivers reach it; empty: endpoint
	Region          string `yaml:"region"`
	Bucket          string `yaml:"bucket"`
	Prefix          string `yaml:"prefix"`        // put before every key
	PathStyle       bool   `yaml:"path_style"`    // the bucket's name in the path instead of before the host
	Presign         bool   `yaml:"presign"`       // attachment links lead to the bucket; false: to our own listener
	Unconditional   bool   `yaml:"unconditional"` // store without If-None-Match
	Encryption      string `yaml:"encryption"`    // at rest: "AES256", "aws:kms" or empty
	KMSKeyID        string `yaml:"kms_key_id"`    // for "aws:kms"; empty: the default key
	StorageClass    string `yaml:"storage_class"` // of new objects; empty: the bucket's own
	AccessKeyID     string `yaml:"access_key_id"` // empty: the usual AWS sources of credentials
	SecretAccessKey string `yaml:"secret_access_key"`
	SecretKeyFile   string `yaml:"secret_key_file"` // file that holds the secret access key instead
}

// Retention says how long finished things are kept, counted from a message's last result. What a delivery still owes
// is never taken.
type Retention struct {
	Messages    Duration `yaml:"messages"`    // rows and raw bytes
	Attachments Duration `yaml:"attachments"` // attachment blobs
	Attempts    Duration `yaml:"attempts"`    // the log of attempts
}

// Delivery is how events are posted.
type Delivery struct {
	Schedule      []Duration `yaml:"schedule"`        // waits after the 1st, 2nd ... failed attempt
	Timeout       Duration   `yaml:"timeout"`         // of one attempt
	MaxAge        Duration   `yaml:"max_age"`         // a delivery older than this is dead
	DisableAfter  Duration   `yaml:"disable_after"`   // an endpoint that fails for so long without a success is disabled; 0: never
	Concurrency   int        `yaml:"concurrency"`     // attempts in flight per endpoint, at most
	Workers       int        `yaml:"workers"`         // attempts in flight in all, hanging ones included
	BytesInFlight Size       `yaml:"bytes_in_flight"` // memory of attempts in flight, by estimate
	MemoryBudget  Size       `yaml:"memory_budget"`   // octets of accepted messages kept for the first attempt
	MaxBody       Size       `yaml:"max_body"`        // octets of an event
	DrainTimeout  Duration   `yaml:"drain_timeout"`   // for attempts that run at SIGTERM
	Proxy         string     `yaml:"proxy"`           // URL of an HTTP proxy for all endpoints without one of their own; empty: none
	AllowNetworks []Network  `yaml:"allow_networks"`  // private networks that any endpoint may lie in
	AllowHosts    []string   `yaml:"allow_hosts"`     // host names that may lie in one; ".internal" stands for all below it
}

// Network is an address range in CIDR notation.
type Network struct{ netip.Prefix }

// UnmarshalText reads "10.1.0.0/16".
func (n *Network) UnmarshalText(text []byte) error {
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a network like 10.1.0.0/16", text)
	}
	if prefix.Addr().Is4In6() { // clients are never known by that form
		return fmt.Errorf("%q: write an IPv4 network as one, like 10.1.0.0/16", text)
	}
	n.Prefix = prefix
	return nil
}

// Log is where and how the server logs: standard error, one line per fact.
type Log struct {
	Format string `yaml:"format"` // "text" or "json"
	Level  string `yaml:"level"`  // "debug", "info", "warn" or "error"
}

// Account owns domains and endpoints. What belongs to one is never shown to another.
type Account struct {
	Name         string          `yaml:"name"`
	ReplyKeys    []replyaddr.Key `yaml:"reply_keys"`     // of its domains that have none of their own
	ReplyKeyFile string          `yaml:"reply_key_file"` // one key a line, instead of reply_keys

	Limits    AccountLimits    `yaml:"limits"`
	Retention AccountRetention `yaml:"retention"`
}

// AccountLimits bound what an account may have. Beyond one its recipients get 452, and nobody else's.
type AccountLimits struct {
	Stored            Size `yaml:"stored"`              // octets of raw messages; 0: any
	Backlog           int  `yaml:"backlog"`             // deliveries that are not finished; 0: any
	MessagesPerMinute int  `yaml:"messages_per_minute"` // accepted; 0: any
	MessagesPerHour   int  `yaml:"messages_per_hour"`   // accepted; 0: any
}

// AccountRetention stands in the place of [Retention] for the messages of an account; 0: that one holds.
type AccountRetention struct {
	Messages    Duration `yaml:"messages"`    // rows and raw bytes
	Attachments Duration `yaml:"attachments"` // attachment blobs
}

// Endpoint is a webhook receiver.
type Endpoint struct {
	Name       string          `yaml:"name"`    // unique within its account
	Account    string          `yaml:"account"` // may be left out where there is only one
	URL        string          `yaml:"url"`
	Secrets    []SigningSecret `yaml:"secrets"`     // Standard Webhooks signing keys, the newest first; all sign
	SecretFile string          `yaml:"secret_file"` // one secret a line, instead of secrets
	// StoredSecrets: the first secret is made by the server and kept in its database, sealed.
	StoredSecrets bool              `yaml:"stored_secrets"`
	Schedule      []Duration        `yaml:"schedule"` // instead of the one of delivery
	Timeout       Duration          `yaml:"timeout"`
	MaxAge        Duration          `yaml:"max_age"`
	DisableAfter  Duration          `yaml:"disable_after"`
	Concurrency   int               `yaml:"concurrency"`
	Rate          Rate              `yaml:"rate"`    // of attempts; left out: any
	Burst         int               `yaml:"burst"`   // attempts that the rate lets begin at once after a rest; 0: 1
	Ordered       bool              `yaml:"ordered"` // strictly in the order of acceptance, one at a time
	MaxBody       Size              `yaml:"max_body"`
	AllowPrivate  bool              `yaml:"allow_private"` // it may lie in a private network
	Headers       map[string]string `yaml:"headers"`       // added to every request

	// How requests are let in; one of them, or none.
	BasicAuth       BasicAuth `yaml:"basic_auth"`
	BearerToken     Password  `yaml:"bearer_token"`
	BearerTokenFile string    `yaml:"bearer_token_file"` // file that holds it instead
	OAuth           OAuth     `yaml:"oauth"`

	ClientCertificate Certificate `yaml:"client_certificate"` // that requests have (mTLS); its files are read at the start and on SIGHUP
	CAFile            string      `yaml:"ca_file"`            // PEM roots of the receiver's certificate; empty: those of the system
	Proxy             string      `yaml:"proxy"`              // URL of an HTTP proxy; empty: that of delivery; "none": none

	// Format is the shape of the requests: "native" (empty means it) or that of a hosted parser, see package format.
	Format        string `yaml:"format"`
	FormatKey     string `yaml:"format_key"`      // what the format signs with, as its vendor shows it
	FormatKeyFile string `yaml:"format_key_file"` // file that holds it instead
	// Attachments is "url", "inline" or "none"; empty: as the format does it, natively by links.
	Attachments string `yaml:"attachments"`
	InlineSize  Size   `yaml:"inline_size"` // octets up to which an attachment is put into the event
	// HeaderFields are the names of the fields that the event has; empty or "all": all of them, "none": none.
	HeaderFields []string `yaml:"header_fields"`
	Gzip         bool     `yaml:"gzip"`   // the event is compressed
	Shadow       bool     `yaml:"shadow"` // what it does not take counts nowhere
	// Events is "message", one event for all recipients, or "recipient", one for each; empty: as the format's vendor does it.
	Events       string `yaml:"events"`
	StrictStatus bool   `yaml:"strict_status"` // sendgrid: an answer of 4xx is final
	IncludeRaw   bool   `yaml:"include_raw"`   // postmark: the raw mail too
	// Filters keep mail back.
	Filters []Filter `yaml:"filters"`

	Access storage.Access `yaml:"-"` // what the keys above come to, files read

	Source string `yaml:"-"` // where it was declared, for example "letterhook.yaml:41"
}

// The words of Endpoint.Events.
const (
	EventsPerMessage   = "message"
	EventsPerRecipient = "recipient"
)

// Domain is a domain that mail is taken for.
type Domain struct {
	Name    string `yaml:"name"`    // "in.example.com", or "*.example.com" for every name below it
	Account string `yaml:"account"` // may be left out where there is only one
	// ReplyKeys sign the tokens of reply addresses; the first one mints, all are believed. Empty: those of the account.
	ReplyKeys      []replyaddr.Key `yaml:"reply_keys"`
	ReplyKeyFile   string          `yaml:"reply_key_file"`   // one key a line, instead of reply_keys
	MaxMessageSize Size            `yaml:"max_message_size"` // octets; 0: that of smtp
	Routes         []Route         `yaml:"routes"`

	// RecipientCheck names the one of RecipientChecks that is asked about its recipients; empty: none.
	RecipientCheck string `yaml:"recipient_check"`
	// DMARC is what happens to mail that fails DMARC where its author's domain asks for more than nothing: "annotate"
	// (empty means it), "quarantine" or "reject".
	DMARC string `yaml:"dmarc"`

	Greylist bool `yaml:"greylist"` // put off senders that were never seen

	// RequireTLS refuses mail for the domain that comes to an MX listener in clear.
	RequireTLS bool `yaml:"require_tls"`

	MTASTS MTASTS `yaml:"mta_sts"`

	Source string `yaml:"-"` // where it was declared, for example "letterhook.yaml:57"
}

// Route says where mail to some recipients of a domain goes. Exactly one of Endpoints, Refuse and Discard is set.
type Route struct {
	// Match chooses local-parts, without regard to case: "support" this one, "reply+*" any detail of reply, "news-*"
	// a glob of * and ?, "/ticket-(?P<n>[0-9]+)/" a regular expression over the whole, "*" all of them. The kinds are
	// tried in this order, routes of one kind in the order of the file.
	Match     string   `yaml:"match"`
	Endpoints []string `yaml:"endpoints"` // names
	Refuse    string   `yaml:"refuse"`    // text of the 550 reply
	Discard   bool     `yaml:"discard"`   // accept and forget
	// Token says what is done about the signed token of a reply address, where Match is like "reply+*": "required" refuses
	// an address without a valid one, "marked" accepts it and says so in the event, "" looks for none.
	Token          string `yaml:"token"`
	MaxMessageSize Size   `yaml:"max_message_size"` // octets; 0: that of the domain
	// RecipientCheck stands in the place of the domain's; "none": nobody is asked.
	RecipientCheck string `yaml:"recipient_check"`
	// Sync has the sender wait for the answer of the endpoint, of which there must be one, and hear it.
	Sync bool `yaml:"sync"`
	// Filters keep mail for the recipients of the route back.
	Filters []Filter `yaml:"filters"`

	Source string `yaml:"-"` // where it was declared, for example "letterhook.yaml:63"
}

// DefaultAccount owns everything where no account is declared.
const DefaultAccount = "default"
