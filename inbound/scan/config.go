package scan

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Action is what follows from a verdict, or from the want of one.
type Action string

// The actions.
const (
	Mark   Action = "mark"   // the message is accepted, the verdict stands in the event
	Reject Action = "reject" // 550 5.7.1
	Defer  Action = "defer"  // 451 4.7.1
	Follow Action = "follow" // rspamd only: reject where its action is reject, defer where it is soft reject, else mark
	Accept Action = "accept" // of a scanner that failed: the message is accepted, the event says that there is no verdict
)

// Options say how one scanner is asked.
type Options struct {
	// Address is host:port, or the absolute path of a Unix socket. Required.
	Address string
	// Timeout bounds the wait of a message for this scanner, that for its turn included. Default: 20 seconds for spam,
	// 60 for viruses.
	Timeout time.Duration
	// MaxSize is the largest message in octets that is scanned. Default: 10 MiB for rspamd, 25 MiB for ClamAV, 512 KiB
	// for SpamAssassin.
	MaxSize int64
	// Concurrency is how many messages are scanned at the same time; the others wait for their turn. 16.
	Concurrency int
	// OnError is Accept or Defer: what follows from a scan that failed. Messages larger than MaxSize have not failed.
	// Default: Accept for spam, Defer for viruses.
	OnError Action
	// OnFound is Mark, Reject, Defer or, for rspamd, Follow: what follows from spam or from a virus. Default: Mark for
	// spam, Reject for viruses.
	OnFound Action
	// SpamScore is the score from which on a message is spam. 0: the engine says what is.
	SpamScore float64
}

// Config says which scanners there are. Those that are nil are not asked.
type Config struct {
	Rspamd       *Options
	ClamAV       *Options
	SpamAssassin *Options // not beside Rspamd: the event has room for one verdict on spam

	// Hostname is our name, for the scanners' own logs and rules.
	Hostname string
	// Log is where failures of scanners are written. Nil: nowhere.
	Log *slog.Logger
	// Registerer takes the metrics. Nil: none.
	Registerer prometheus.Registerer
}

// Default gives the options of the scanner of that name, without an address.
func Default(name string) Options {
	o := Options{Timeout: 20 * time.Second, MaxSize: 10 << 20, Concurrency: 16, OnError: Accept, OnFound: Mark}
	switch name {
	case SpamAssassin:
		o.MaxSize = 512 << 10
	case ClamAV:
		o.Timeout, o.MaxSize, o.OnError, o.OnFound = time.Minute, 25<<20, Defer, Reject
	}
	return o
}

// withDefaults fills in what is zero and reports what cannot be meant.
func (o Options) withDefaults(name string) (Options, error) {
	defaults := Default(name)
	o.Timeout = cmp.Or(o.Timeout, defaults.Timeout)
	o.MaxSize = cmp.Or(o.MaxSize, defaults.MaxSize)
	o.Concurrency = cmp.Or(o.Concurrency, defaults.Concurrency)
	o.OnError = cmp.Or(o.OnError, defaults.OnError)
	o.OnFound = cmp.Or(o.OnFound, defaults.OnFound)
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("scan: "+name+": "+format, args...))
	}
	if _, _, err := ParseAddress(o.Address); err != nil {
		fault("%w", err)
	}
	if o.Timeout < 0 || o.MaxSize < 0 || o.Concurrency < 0 || o.SpamScore < 0 || math.IsNaN(o.SpamScore) || math.IsInf(o.SpamScore, 0) {
		fault("a limit is negative or no number")
	}
	if o.OnError != Accept && o.OnError != Defer {
		fault("%q is no answer to a failure", o.OnError)
	}
	if o.OnFound != Mark && o.OnFound != Reject && o.OnFound != Defer && (o.OnFound != Follow || name != Rspamd) {
		fault("%q is no answer to a verdict", o.OnFound)
	}
	return o, errors.Join(faults...)
}
