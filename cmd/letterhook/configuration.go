package main

import (
	"context"
	"fmt"
	"time"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/admin/dnscheck"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/storage"
)

// configurationEvery is how often a running server looks whether another node, or a command beside it, has changed what came by
// the API.
const configurationEvery = 500 * time.Millisecond

// watchConfiguration takes what others have changed.
func (s *server) watchConfiguration(ctx context.Context) error {
	tick := time.NewTicker(configurationEvery)
	defer tick.Stop()
	said := "" // each reason once until it works again: the database may be away for hours
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		reason := ""
		if err := s.refreshIfChanged(ctx); err != nil && ctx.Err() == nil {
			if reason = err.Error(); reason != said {
				s.log.Error("changes of the configuration were not taken", "error", err)
			}
		}
		said = reason
	}
}

func (s *server) refreshIfChanged(ctx context.Context) error {
	revision, err := s.store.ConfigurationRevision(ctx)
	if err != nil || revision == s.revision.Load() {
		return err
	}
	return s.refresh(ctx)
}

// refresh takes what came by the API, beside the file as it was read last.
func (s *server) refresh(ctx context.Context) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.route(ctx, s.current); err != nil {
		return err
	}
	s.dispatcher.Wake()
	return nil
}

// route makes a file and what came by the API the current snapshot. What of the latter does not hold is left out and told in the log:
// no change of the database keeps the file from being applied. The caller holds applying.
func (s *server) route(ctx context.Context, c *config.Config) error {
	stored, err := s.store.Configuration(ctx)
	if err != nil {
		return err
	}
	list, lost, err := storedOf(ctx, s.store, c, stored.Settings)
	if err != nil {
		return err
	}
	merged, faults := c.With(list)
	for id, reasons := range faults {
		for _, f := range reasons {
			s.log.Warn("configured by the API, and does not hold", "id", id, "key", f.Key, "reason", f.Reason)
		}
	}
	for id, reason := range lost {
		s.log.Warn("configured by the API, and does not hold", "id", id, "reason", reason)
	}
	declared := s.declare(merged)
	if declared.Suppressions, err = api.Suppressions(stored.Settings); err != nil {
		return err
	}
	directory, err := s.store.Apply(ctx, declared)
	if err != nil && len(list) > 0 {
		s.log.Error("what came by the API cannot be applied, the file alone holds", "error", err)
		merged = c
		directory, err = s.store.Apply(ctx, s.declare(c))
	}
	if err != nil {
		return fmt.Errorf("applying accounts, domains and endpoints: %w", err)
	}
	policies := merged.Policies()
	s.policies.Store(&policies)
	s.merged.Store(merged)
	s.directory.Store(directory)
	s.revision.Store(stored.Revision)
	return nil
}

// storedOf turns settings into what a configuration takes. lost says why some cannot be, by their ids.
func storedOf(ctx context.Context, store *storage.Store, c *config.Config, settings []storage.Setting) (list []config.Stored, lost map[string]string, err error) {
	known, err := store.KnownAccounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	names, lost := map[string]string{}, map[string]string{}
	inFile := map[string]bool{}
	for i := range c.Accounts {
		inFile[c.Accounts[i].Name] = true
	}
	for _, a := range known {
		if inFile[a.Name] {
			names[a.ID] = a.Name
		}
	}
	for i := range settings {
		if t := &settings[i]; t.Kind == storage.SettingAccount {
			names[t.Account] = t.Name
		}
	}
	for i := range settings {
		t := &settings[i]
		if t.Kind == storage.SettingSuppression {
			continue // depends on nothing, and nothing on it
		}
		text, holds, err := api.StoredBody(t)
		switch {
		case err != nil:
			return nil, nil, err
		case !holds:
			continue
		case t.Kind != storage.SettingAccount && names[t.Account] == "":
			lost[t.ID] = "its account is declared no more"
			continue
		}
		list = append(list, config.Stored{ID: t.ID, Kind: t.Kind, Account: names[t.Account], Name: t.Name, Body: text})
	}
	return list, lost, nil
}

// checkSettings says what of settings would not hold beside the file.
func (s *server) checkSettings(ctx context.Context, settings []storage.Setting) (map[string][]problem.Fault, error) {
	s.applying.Lock()
	c := s.current
	s.applying.Unlock()
	list, lost, err := storedOf(ctx, s.store, c, settings)
	if err != nil {
		return nil, err
	}
	_, bad := c.With(list)
	faults := map[string][]problem.Fault{}
	for id, reasons := range bad {
		for _, f := range reasons {
			faults[id] = append(faults[id], problem.Fault{Location: f.Key, Message: f.Reason})
		}
	}
	for id, reason := range lost {
		faults[id] = append(faults[id], problem.Fault{Message: reason})
	}
	return faults, nil
}

// lookupTXT asks DNS afresh: whoever has just published a record does not want to hear what was there before.
func (s *server) lookupTXT(ctx context.Context, name string) ([]string, error) {
	dns, err := resolver.New(resolver.Config{Servers: s.cfg.Authentication.DNSServers, CacheSize: -1})
	if err != nil {
		return nil, err
	}
	found, err := dns.LookupTXT(ctx, name)
	if dnscheck.Absent(err) {
		return nil, nil
	}
	return found, err
}

// checkDomainDNS holds DNS against what the server and one domain need.
func (s *server) checkDomainDNS(ctx context.Context, name string) (dnscheck.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, domainPatience)
	defer cancel()
	c := *s.merged.Load()
	domain := c.DomainOf(name)
	if domain == nil || domain.Name != name {
		domain = &config.Domain{Name: name}
	}
	c.Domains = []config.Domain{*domain}
	return checkDNS(ctx, &c, nil, nil)
}

// domainPatience bounds a check that somebody waits for.
const domainPatience = 20 * time.Second
