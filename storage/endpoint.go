package storage

import "time"

// Endpoint is a webhook receiver. It is a lane: its deliveries wait in a queue of their own.
type Endpoint struct {
	ID       string // "ep_" and a ULID, the same for the same account and name over restarts
	Account  string
	Name     string // unique within the account
	URL      string
	Secrets  [][]byte // Standard Webhooks signing keys, decoded; the first is the newest; all sign
	Retiring []RetiringSecret
	// StoredSecrets has the store make the first secret where it has none. What the store has signs in any case.
	StoredSecrets bool
	Schedule      []time.Duration // waits after the 1st, 2nd ... failed attempt; nil: the default schedule
	Timeout       time.Duration   // of one attempt; 0: 15 s
	Concurrency   int             // attempts in flight; 0: the default
	MaxAge        time.Duration   // a delivery older than this dies; 0: 7 days
	MaxBody       int             // octets of the JSON body; 0: 256 kB
	Format        string          // shape of the requests; empty: the native one
	FormatKey     []byte          // what the format signs with, as its vendor gives it; nil: nothing
	PerRecipient  bool            // it gets an event of its own for each recipient
	StrictStatus  bool            // what the format's vendor takes for a refusal is one, see the formats
	IncludeRaw    bool            // the format postmark has the raw mail too
	Attachments   AttachmentMode  // how their content goes to the receiver
	InlineSize    int             // octets up to which an attachment is put into the body; 0: 64 KiB
	HeaderFields  []string        // the fields of the mail that the event has; nil: all
	Gzip          bool            // the body is compressed
	Shadow        bool            // it gets mail beside others, and whether it takes it counts nowhere
	AllowPrivate  bool            // the operator's file lets it lie in a private network
	Headers       map[string]string
	Access        Access
	Filters       []Filter      // any of them keeps mail back
	Rate          Rate          // of attempts; zero: any
	Ordered       bool          // strict order: one attempt at a time, in the order of acceptance; a retry holds up what follows
	DisableAfter  time.Duration // disabled when it fails for so long without a success; 0: 5 days, negative: never
	Source        string        // where it was declared: "letterhook.yaml:41" or such, or SourceAPI
	Disabled      bool          // known to the store but no longer declared: its deliveries wait
}

// RetiringSecret is a Standard Webhooks signing key that signs beside the others until a time.
type RetiringSecret struct {
	Key   []byte
	Until time.Time
}

// Rate bounds how often attempts at an endpoint begin.
type Rate struct {
	Every time.Duration // the mean distance between two; 0: any
	Burst int           // attempts that may begin at once after a rest; 0: 1
}

// AttachmentMode says how the content of attachments goes to a receiver.
type AttachmentMode string

// The attachment modes.
const (
	AttachmentsDefault AttachmentMode = ""       // as the format's vendor does it; natively by links
	AttachmentsURL     AttachmentMode = "url"    // by links
	AttachmentsInline  AttachmentMode = "inline" // in the body
	AttachmentsNone    AttachmentMode = "none"   // not at all, only what they are
)
