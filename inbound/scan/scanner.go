package scan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/breaker"
)

// The names of the engines, in events, log lines and metrics.
const (
	Rspamd       = "rspamd"
	ClamAV       = "clamav"
	SpamAssassin = "spamassassin"
)

// finding is the verdict of one scanner: spam or virus.
type finding struct {
	spam  *inbound.SpamResult
	virus *inbound.VirusResult
	text  string // what the engine wants the peer to be told; may be empty
}

func (f *finding) found() bool {
	return f.spam != nil && f.spam.IsSpam || f.virus != nil && f.virus.Infected
}

// scanner is one scanner with its turns and its breaker. It is safe for concurrent use.
type scanner struct {
	name    string
	options Options
	ask     func(context.Context, *message) (*finding, error)
	turns   chan struct{}
	breaker breaker.Breaker
	metrics *metrics
	log     *slog.Logger
}

// errTooLarge says that the message is beyond the scanner's own limit. errAnswer wraps what is wrong with an answer.
var (
	errTooLarge = errors.New("larger than the scanner takes")
	errAnswer   = errors.New("no verdict")
	errResting  = errors.New("the scanner failed too often and is not asked for a while")
	errBusy     = errors.New("no turn came in time")
)

// scan asks the scanner. Without a verdict the error is one of those above, of the connection, or of a context.
func (s *scanner) scan(ctx context.Context, m *message) (*finding, error) {
	began := time.Now()
	f, err := s.attempt(ctx, m)
	s.metrics.count(s.name, outcome(ctx, f, err), time.Since(began))
	return f, err
}

func (s *scanner) attempt(ctx context.Context, m *message) (f *finding, err error) {
	if m.size > s.options.MaxSize {
		return nil, errTooLarge
	}
	if s.breaker.Resting(time.Now()) {
		return nil, errResting
	}
	asking, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-asking.Done():
	}
	if asking.Err() != nil { // both may have come
		return nil, errBusy
	}
	probe, ok := s.breaker.Enter(time.Now())
	if !ok {
		return nil, errResting
	}
	defer func() {
		if v := recover(); v != nil { // no message may take the process down
			err = fmt.Errorf("%w: panic: %v\n%s", errAnswer, v, debug.Stack())
		}
		s.note(ctx, probe, err)
	}()
	return s.ask(asking, m)
}

// note keeps the breaker and the log up to date after an attempt.
func (s *scanner) note(ctx context.Context, probe bool, err error) {
	r := breaker.Failed
	switch {
	case err == nil, errors.Is(err, errTooLarge):
		r = breaker.Answered
	case ctx.Err() != nil, isOurs(err):
		r = breaker.Unknown
	}
	rests, back := s.breaker.Leave(time.Now(), probe, r)
	switch {
	case rests:
		s.log.Error("a scanner fails and is not asked for a while", "scanner", s.name, "error", err)
		s.metrics.paused.WithLabelValues(s.name).Set(1)
	case back:
		s.log.Info("a scanner is back", "scanner", s.name)
		s.metrics.paused.WithLabelValues(s.name).Set(0)
	case r == breaker.Failed:
		s.log.Warn("a scan failed", "scanner", s.name, "error", err)
	}
}

// reason is the word for a failed scan.
func reason(err error) inbound.UnscannedReason {
	switch {
	case errors.Is(err, errTooLarge):
		return inbound.UnscannedTooLarge
	case errors.Is(err, errBusy):
		return inbound.UnscannedBusy
	case errors.Is(err, errAnswer), isOurs(err):
		return inbound.UnscannedError
	case errors.Is(err, context.DeadlineExceeded):
		return inbound.UnscannedTimeout
	}
	return inbound.UnscannedUnavailable
}

// The outcomes of a scan beside the reasons of [inbound.Unscanned]: the values of the label "outcome".
const (
	outcomeClean     = "clean"
	outcomeFound     = "found"
	outcomeCancelled = "cancelled" // the server was shut down
)

func outcome(ctx context.Context, f *finding, err error) string {
	switch {
	case err == nil && f.found():
		return outcomeFound
	case err == nil:
		return outcomeClean
	case ctx.Err() != nil:
		return outcomeCancelled
	}
	return string(reason(err))
}

// maxWord bounds names that scanners give to what they found.
const maxWord = 128

// word makes what a scanner said fit for events, log lines and replies.
func word(s string) string {
	b := []byte(s[:min(len(s), maxWord)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
