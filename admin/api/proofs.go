package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// ProofGrace is how long mail is still taken for a domain whose proof has gone from DNS. Somebody who tidied a zone has so long to notice;
// somebody who gave the domain away has mail of its new owner no longer.
const ProofGrace = 14 * 24 * time.Hour

// RecheckProofs looks whether the proofs of domains are still in DNS. One that is gone is told in the log, the audit log and the domain;
// gone for [ProofGrace] at every look, it proves nothing any more and no mail is taken. An answer that DNS does not give changes nothing.
func RecheckProofs(ctx context.Context, cfg Config) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &service{Config: cfg}
	c, err := s.Store.Configuration(ctx)
	if err != nil {
		return err
	}
	var failures error
	for i := range c.Settings {
		if t := &c.Settings[i]; t.Kind == storage.SettingDomain && ctx.Err() == nil {
			failures = errors.Join(failures, s.recheck(ctx, t))
		}
	}
	return failures
}

func (s *service) recheck(ctx context.Context, t *storage.Setting) error {
	d, err := unbody[storedDomain](t)
	if err != nil || d.Proof == "" || !d.proved() {
		return err
	}
	found, err := s.LookupTXT(ctx, proofName(t.Name))
	if err != nil {
		s.Log.Info("a proof of a domain could not be looked up again", "domain", t.Name, "error", err)
		return nil
	}
	there := slices.Contains(found, d.Proof)
	switch {
	case there && d.LostAt.IsZero():
		return nil
	case there:
		return s.reprove(ctx, t.ID, "domain.proof-found", func(d *storedDomain) { d.LostAt = time.Time{} })
	case d.LostAt.IsZero():
		s.Log.Warn("the proof of a domain is gone from DNS", "domain", t.Name, "account", t.Account, "until", s.Now().Add(ProofGrace))
		return s.reprove(ctx, t.ID, "domain.proof-lost", func(d *storedDomain) { d.LostAt = s.Now() })
	case s.Now().Sub(d.LostAt) >= ProofGrace:
		s.Log.Warn("the proof of a domain did not come back: no mail is taken for it", "domain", t.Name, "account", t.Account)
		return s.reprove(ctx, t.ID, "domain.proof-ended", func(d *storedDomain) { d.ProvedAt, d.LostAt = time.Time{}, time.Time{} })
	}
	return nil
}

// reprove changes what is known of a proof, whatever depends on the domain.
func (s *service) reprove(ctx context.Context, id, action string, edit func(*storedDomain)) error {
	for range 8 {
		c, err := s.Store.Configuration(ctx)
		if err != nil {
			return err
		}
		t := find(&c, access.Principal{}, storage.SettingDomain, id)
		if t == nil {
			return nil // it was deleted meanwhile
		}
		d, err := unbody[storedDomain](t)
		if err != nil {
			return err
		}
		was := d.ownership(t.Name)
		edit(&d)
		t.Body = body(d)
		line := s.lineOf(access.Principal{Name: "the server"}, t, action, provedDomain{t.Name, was}, provedDomain{t.Name, d.ownership(t.Name)})
		_, err = s.Store.ChangeConfiguration(ctx, c.Revision, []storage.SettingChange{{Put: t, Line: line}})
		if errors.Is(err, storage.ErrStale) {
			continue
		}
		if err != nil {
			return fmt.Errorf("domain %s: %w", t.Name, err)
		}
		return s.Configuration.Reload(ctx)
	}
	return nil // the next look does it
}

// provedDomain is how a proof stands in the audit log.
type provedDomain struct {
	Name      string    `json:"name"`
	Ownership Ownership `json:"ownership"`
}
