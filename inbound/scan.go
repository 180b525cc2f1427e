package inbound

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// scan has the scanners look at a message before it is accepted.
func (s session) scan(env *Envelope, message *content) (*refusal, error) {
	if s.srv.cfg.Scan == nil {
		return nil, nil
	}
	began := time.Now()
	ctx, span := s.step("scan")
	results, err := s.srv.cfg.Scan(ctx, env, message.body)
	s.tx.scanned = time.Since(began)
	if span != nil {
		describe(span, results.attrs(s.tx.scanned))
		endStep(span, err)
	}
	var rejection *Rejection
	switch {
	case errors.As(err, &rejection):
		return &refusal{Reply: rejection.Reply, reason: string(rejection.Reason), found: results.attrs(s.tx.scanned)}, nil
	case err != nil:
		return refuseTrouble, fmt.Errorf("scanning: %w", err)
	}
	env.ScanResults = results
	return nil, nil
}

// attrs are what the log shall know of the results.
func (r *ScanResults) attrs(took time.Duration) []slog.Attr {
	if r == nil {
		return nil
	}
	attrs := []slog.Attr{slog.Duration("scan_duration", took)}
	if r.Spam != nil {
		attrs = append(attrs, slog.Bool("spam", r.Spam.IsSpam), slog.Float64("spam_score", r.Spam.Score), slog.String("spam_action", r.Spam.Action))
	}
	if r.Virus != nil {
		attrs = append(attrs, slog.String("virus", r.Virus.Signature))
	}
	if r.Unscanned != nil {
		words := make([]string, len(r.Unscanned))
		for i, u := range r.Unscanned {
			words[i] = u.Engine + ":" + string(u.Reason)
		}
		attrs = append(attrs, slog.Any("unscanned", words))
	}
	return attrs
}
