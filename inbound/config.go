package inbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says how a [Server] behaves. The zero value of a limit is its default. A negative value of a field that says
// so means no limit.
type Config struct {
	// Hostname is our name in the greeting, in the reply to EHLO and behind a bare "postmaster". Required.
	Hostname string
	// Recipients decides about a forward-path. It is called once for every RCPT, must not block and must be safe for
	// concurrent use. Required.
	Recipients func(Path) Decision
	// Suppress is asked about each recipient that the routes accept, whether its account does not want mail of the sender or for it. It
	// gives a refusal, or may change the decision. It must not block and must be safe for concurrent use. Nil: all mail is wanted.
	Suppress func(from, to Path, decision *Decision) *Rejection
	// Exceeds says which of its limits the account of a recipient would pass with a further message of the size that MAIL declared, 0
	// where it declared none; nil: none. It is called for every RCPT that the routes accept, must not block and must be safe for concurrent
	// use. Nil: no account has limits.
	Exceeds func(account string, size int64) *Rejection
	// CheckRecipient is asked once for a forward-path whose Decision has a Check, and nil means that it is accepted. The
	// envelope is what the session has said so far, with that recipient alone. It may block, for that connection waits and
	// no other; when the context ends it must return. It must be safe for concurrent use. Nil: such a recipient is
	// deferred.
	CheckRecipient func(context.Context, *Envelope) *Reply
	// Spool takes the messages. Required.
	Spool Spool
	// Authenticate says whether a password is the user's. An error is trouble of ours and told to the peer as temporary. It
	// may take the time that a slow hash takes, must take as long for a user that does not exist, must bound how many
	// run at once by itself, and must be safe for concurrent use. Required by listeners of the kind Submission.
	Authenticate func(ctx context.Context, user, password string) (bool, error)
	// Scan, when not nil, has scanners look at a message before it is accepted. The body is as received and must not be
	// kept. nil results mean that nobody was asked. A [*Rejection] as error refuses the message, with the results beside it;
	// any other error is trouble of ours, and the peer hears 451 4.3.0. It must return when ctx ends and be safe for
	// concurrent use.
	Scan func(ctx context.Context, env *Envelope, body Body) (*ScanResults, error)
	// VerifySender, when not nil, finds out who vouches for a message that came by a listener of the kind MX, before it is
	// accepted. The body is as received and must not be kept. nil results mean that the sender is not checked; an error
	// is trouble of ours, and the peer hears 451 4.3.0. It must return when ctx ends and be safe for concurrent use.
	VerifySender func(ctx context.Context, env *Envelope, body Body) (*AuthResults, error)
	// TLS is what listeners of the modes TLSStartTLS and TLSImplicit need; nil where there are none.
	TLS *tls.Config
	// TLSReady says whether there is a certificate to show. While there is none STARTTLS is not offered and peers go on in
	// clear. It is called for each EHLO and must not block. Nil: there always is.
	TLSReady func() bool

	// MaxMessageSize is the size in octets up to which a message is accepted, as received and dot-unstuffed. 25 MiB.
	MaxMessageSize int64
	// MaxRecipients is the number of forward-paths in a transaction (RFC 5321 section 4.5.3.1.8). 100.
	MaxRecipients int
	// MaxLineLength is the length in octets of the longest line of a message, line end included. 64 KiB.
	MaxLineLength int
	// MaxReceived is the number of Received fields beyond which a message is taken for a loop (RFC 5321 section
	// 6.3). 50.
	MaxReceived int

	// MemoryPerMessage is how many octets of a message are held in memory before it goes to a temporary file. 1 MiB.
	MemoryPerMessage int64
	// MemoryTotal bounds the octets of all messages held in memory while they are received and accepted; beyond it
	// messages go to temporary files at once. 64 MiB. The buffers of a connection come on top: 32 KiB while it reads,
	// 64 KiB while its message goes to a file.
	MemoryTotal int64
	// TempDir is where temporary files lie, under no name. Empty: [os.TempDir].
	TempDir string

	// CommandTimeout is how long the peer may take for its next command and for reading our replies (RFC 5321
	// section 4.5.3.2.7). 5 minutes.
	CommandTimeout time.Duration
	// DataIdleTimeout is how long no octet of a message may come. 5 minutes.
	DataIdleTimeout time.Duration
	// SessionTimeout is how long a connection may last, whatever it does. 1 hour.
	SessionTimeout time.Duration

	// MaxErrors is the number of faulty commands on a connection: one more closes it. 20; negative: no limit.
	MaxErrors int
	// MaxUnknownRecipients is the number of recipients refused with 5yz on a connection: one more closes it. 20;
	// negative: no limit. It does not hold on listeners of the kind LMTP, whose peer passes on what strangers ask for.
	MaxUnknownRecipients int
	// MaxAuthFailures is the number of failed logins from one IPv4 address or one IPv6 /48 (half of it from one /64), over all
	// its connections; one of them is forgiven each minute. Beyond it AUTH is answered 421 without a look at the
	// password. 10; negative: no limit.
	MaxAuthFailures int
	// MaxCommands is the number of commands on a connection since its last accepted message. A BDAT counts if its
	// chunk has fewer than 512 octets. 1000; negative: no limit.
	MaxCommands int
	// MaxMessages is the number of messages on a connection. 1000; negative: no limit.
	MaxMessages int
	// MaxConnections bounds the connections of all listeners. 2000; negative: no limit.
	MaxConnections int
	// MaxConnectionsPerIP bounds the connections from one IPv4 address or one IPv6 /48; one /64 may have half of them. 50;
	// negative: no limit.
	MaxConnectionsPerIP int
	// Defence is what is done against abuse over many connections.
	Defence Defence

	// RefuseBareLineEnds refuses content with a bare CR, a bare LF or a NUL with 550 5.6.0, rather than to keep it.
	RefuseBareLineEnds bool
	// DiskFull, when not nil, says that the storage has passed its watermark: MAIL, DATA and BDAT are then answered
	// 452 4.3.1. It is called for each of them and must not block.
	DiskFull func() bool
	// Refused, when not nil, hears of every reply of 4yz or 5yz. It must not block, and be safe for concurrent use.
	Refused func(*Refusal)
	// LogAddresses puts reverse-path and forward-paths into the log.
	LogAddresses bool
	// Log is where the server writes. Nil: nowhere.
	Log *slog.Logger
	// Registerer takes the metrics. Nil: none.
	Registerer prometheus.Registerer
	// Tracing has the messages traced.
	Tracing Tracing
	// Step, when not nil, is called right after each named step of a message: "rcpt", "data-read", "accepted",
	// "replied". Crash tests end the process there.
	Step func(string)
}

// withDefaults checks what is required and fills in what is zero.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	if err := checkDomain(c.Hostname, false); err != nil {
		faults = append(faults, fmt.Errorf("hostname %q: %w", c.Hostname, err))
	}
	if c.Recipients == nil {
		faults = append(faults, errors.New("no Recipients"))
	}
	if c.Spool == nil {
		faults = append(faults, errors.New("no Spool"))
	}
	setDefault(&c.MaxMessageSize, 25<<20)
	setDefault(&c.MaxRecipients, 100)
	setDefault(&c.MaxLineLength, 64<<10)
	setDefault(&c.MaxReceived, 50)
	setDefault(&c.MemoryPerMessage, 1<<20)
	setDefault(&c.MemoryTotal, 64<<20)
	setDefault(&c.CommandTimeout, 5*time.Minute)
	setDefault(&c.DataIdleTimeout, 5*time.Minute)
	setDefault(&c.SessionTimeout, time.Hour)
	setDefault(&c.MaxErrors, 20)
	setDefault(&c.MaxUnknownRecipients, 20)
	setDefault(&c.MaxAuthFailures, 10)
	setDefault(&c.MaxCommands, 1000)
	setDefault(&c.MaxMessages, 1000)
	setDefault(&c.MaxConnections, 2000)
	setDefault(&c.MaxConnectionsPerIP, 50)
	c.Defence = c.Defence.withDefaults()
	if c.MaxMessageSize < 0 || c.MaxRecipients < 0 || c.MaxLineLength < 0 || c.MaxReceived < 0 ||
		c.MemoryPerMessage < 0 || c.MemoryTotal < 0 ||
		c.CommandTimeout < 0 || c.DataIdleTimeout < 0 || c.SessionTimeout < 0 {
		faults = append(faults, errors.New("a size or a timeout is negative"))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.DiskFull == nil {
		c.DiskFull = func() bool { return false }
	}
	if c.Suppress == nil {
		c.Suppress = func(Path, Path, *Decision) *Rejection { return nil }
	}
	if c.Exceeds == nil {
		c.Exceeds = func(string, int64) *Rejection { return nil }
	}
	if c.TLSReady == nil {
		c.TLSReady = func() bool { return true }
	}
	if c.CheckRecipient == nil {
		c.CheckRecipient = func(context.Context, *Envelope) *Reply { return ReplyStorageTrouble }
	}
	if c.Step == nil {
		c.Step = func(string) {}
	}
	return c, errors.Join(faults...)
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// over says whether the count n has passed a limit; a negative limit is none.
func over(n, limit int) bool { return limit >= 0 && n > limit }
