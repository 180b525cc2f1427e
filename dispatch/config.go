package dispatch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// Config is what a [Dispatcher] works with.
type Config struct {
	Store *storage.Store
	Blobs storage.Blobs
	// Directory gives the endpoints as they are declared now. After a change call [Dispatcher.Wake].
	Directory func() *storage.Directory
	// Formats are those that endpoints may ask for by name, beside the native one.
	Formats map[string]Format
	// Hostname is ours, for the Received field of mail that leaves as mail; empty: "localhost".
	Hostname string
	// Links signs the links to the raw bytes.
	Links *storage.Links
	// LinkLifetime is how long the links in an event live; 0: 24 hours. Each attempt has fresh ones.
	LinkLifetime time.Duration

	// Workers is how many attempts may be in flight at once, hanging ones included; 0: 2,048. A slot costs little but
	// what it holds in memory, which BytesInFlight bounds.
	Workers int
	// BytesInFlight bounds the memory of attempts, by estimate, in octets; 0: 64 MiB. An eighth is for mails that are
	// made ready, an eighth for those whose senders wait for the answer, a quarter for attempts at endpoints that hang or
	// fail, the rest for the others.
	BytesInFlight int64
	// MemoryBudget bounds the mails that are kept in memory between their acceptance and their first attempt, with their
	// envelopes, by estimate, in octets; 0: 8 MiB. The others are read from the store.
	MemoryBudget int64
	// Schedule has the waits after the first, second ... failed attempt, for endpoints without one of their own; nil:
	// [DefaultSchedule].
	Schedule []time.Duration
	// DrainTimeout is how long a stop waits for attempts in flight; 0: 20 s.
	DrainTimeout time.Duration

	// Allow, AllowHosts and AllowLoopback open the [Guard]; BlockedAddrs are the server's own listeners.
	Allow         []netip.Prefix
	AllowHosts    []string
	AllowLoopback bool
	BlockedAddrs  []netip.AddrPort

	// Version of the program, for the User-Agent and the parse report.
	Version string
	// Parse reads a mail; nil: [parser.Parse]. Crash tests put their own in its place.
	Parse func(io.ReaderAt, int64, parser.Limits) (*parser.Message, error)
	// ProbeParse parses a mail in a process of its own and says whether that ended well. It is asked before a mail is
	// parsed that may have taken the program down. An error that Is ErrProbeDied is held against the mail; any other
	// only says that the probe could not be made. Nil: such a mail is parsed without.
	ProbeParse func(context.Context, *storage.Raw) error

	// Ledger is set where other nodes share the store: attempts are made only in lanes that it says are this node's. Nil: the
	// dispatcher is alone.
	Ledger Ledger
	// Node is the name of this node, for people.
	Node string
	// WakeOnly makes no attempts. The nodes that do are told of what was accepted here. It is for a Ledger.
	WakeOnly bool

	// Notice makes of a change in the life of an endpoint, or of a warning that one is going to be disabled, what becomes durable
	// with it for somebody to be told of; nil, also where the field is: nothing. For the same change it makes the same.
	Notice func(EndpointChange) *storage.Notice
	// Notify is told of every change and warning after it was made durable; nil: nobody. It must not block for long.
	Notify func(EndpointChange)

	// Tracing has attempts at messages that were traced when they came continue their traces.
	Tracing inbound.Tracing

	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
	Step       func(string)          // called after each named step of a delivery; nil: not
}

const (
	defaultWorkers       = 2048
	defaultBytesInFlight = 64 << 20
	defaultMemoryBudget  = 8 << 20
	defaultLinkLifetime  = 24 * time.Hour
	defaultDrainTimeout  = 20 * time.Second
)

func (c *Config) setDefaults() error {
	if c.Store == nil || c.Blobs == nil || c.Directory == nil || c.Links == nil {
		return errors.New("dispatch: Store, Blobs, Directory and Links are required")
	}
	if c.LinkLifetime <= 0 {
		c.LinkLifetime = defaultLinkLifetime
	}
	if c.Workers <= 0 {
		c.Workers = defaultWorkers
	}
	if c.BytesInFlight <= 0 {
		c.BytesInFlight = defaultBytesInFlight
	}
	if c.MemoryBudget <= 0 {
		c.MemoryBudget = defaultMemoryBudget
	}
	if c.Schedule == nil {
		c.Schedule = DefaultSchedule()
	}
	if c.DrainTimeout <= 0 {
		c.DrainTimeout = defaultDrainTimeout
	}
	if c.Parse == nil {
		c.Parse = parser.Parse
	}
	if c.Hostname == "" {
		c.Hostname = "localhost"
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Notice == nil {
		c.Notice = func(EndpointChange) *storage.Notice { return nil }
	}
	if c.Notify == nil {
		c.Notify = func(EndpointChange) {}
	}
	if c.Step == nil {
		c.Step = func(string) {}
	}
	return nil
}
