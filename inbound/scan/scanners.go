package scan

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"

	"github.com/letterhook/letterhook/inbound"
)

// Scanners are the scanners of a server. They are safe for concurrent use.
type Scanners struct {
	all []*scanner
}

// New checks the configuration, reporting all its faults, and makes Scanners. Nothing is connected before the first message.
func New(cfg Config) (*Scanners, error) {
	metrics, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Scanners{}
	var faults []error
	if cfg.Rspamd != nil && cfg.SpamAssassin != nil {
		faults = append(faults, errors.New("scan: one of rspamd and SpamAssassin"))
	}
	add := func(name string, declared *Options) {
		if declared == nil {
			return
		}
		options, err := declared.withDefaults(name)
		if err != nil {
			faults = append(faults, err)
			return
		}
		s.all = append(s.all, &scanner{
			name: name, options: options, ask: engine(name, options, cfg.Hostname),
			turns: make(chan struct{}, options.Concurrency), metrics: metrics, log: cfg.Log,
		})
		metrics.present(name)
	}
	add(Rspamd, cfg.Rspamd)
	add(SpamAssassin, cfg.SpamAssassin)
	add(ClamAV, cfg.ClamAV)
	return s, errors.Join(faults...)
}

// engine gives the protocol of a scanner.
func engine(name string, o Options, hostname string) func(context.Context, *message) (*finding, error) {
	network, address, _ := ParseAddress(o.Address) // withDefaults has read it
	to := target{network, address}
	switch name {
	case Rspamd:
		return rspamd{target: to, hostname: hostname, ownScore: o.SpamScore}.ask
	case SpamAssassin:
		return spamd{target: to, hostname: hostname, ownScore: o.SpamScore}.ask
	default:
		return clamd{to}.ask
	}
}

// Scan asks all scanners about a message at the same time and waits for the last. It calls for no more of env than is known before.
//
// The results hold every verdict there is. The error is an [*inbound.Rejection] where the message shall not be accepted;
// or that of ctx, and then nothing is known.
func (s *Scanners) Scan(ctx context.Context, env *inbound.Envelope, body inbound.Body) (*inbound.ScanResults, error) {
	if len(s.all) == 0 {
		return nil, nil
	}
	sum := body.SHA256()
	m := &message{env: env, content: body, size: body.Size(), id: hex.EncodeToString(sum[:10])}
	reports := make([]report, len(s.all))
	var group sync.WaitGroup
	for i, scanner := range s.all {
		ask := func() {
			f, err := scanner.scan(ctx, m)
			reports[i] = report{scanner: scanner, finding: f, err: err}
		}
		if i == len(s.all)-1 {
			ask()
		} else {
			group.Go(ask)
		}
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	results := &inbound.ScanResults{}
	var rejection *inbound.Rejection
	for i := range reports {
		r := &reports[i]
		r.add(results)
		if next := r.rejection(); next != nil && (rejection == nil || rejection.Reply.Temporary() && !next.Reply.Temporary()) {
			rejection = next
		}
	}
	if rejection != nil {
		return results, rejection
	}
	return results, nil
}

// report is what came of one scanner.
type report struct {
	scanner *scanner
	finding *finding // nil: no verdict
	err     error
}

// add puts the report into the results.
func (r *report) add(to *inbound.ScanResults) {
	switch {
	case r.finding == nil:
		to.Unscanned = append(to.Unscanned, inbound.Unscanned{Engine: r.scanner.name, Reason: reason(r.err)})
	case r.finding.spam != nil:
		to.Spam = r.finding.spam
	default:
		to.Virus = r.finding.virus
	}
}
