package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/dashboard"
	"github.com/letterhook/letterhook/admin/dnscheck"
)

// dashboard makes the pages that people see.
func (s *server) dashboard(gate *access.Gate) http.Handler {
	c := dashboard.Config{
		Store: s.store, Directory: s.directory.Load, Path: s.links.Path(), Secure: strings.HasPrefix(s.cfg.PublicURL, "https:"), Gate: gate,
		Hostname: s.cfg.Hostname, Version: version(), SMTP: s.smtpAddresses(), Ready: s.ready, Test: s.dispatcher.Test, Wake: s.dispatcher.Wake, DNS: s.lookAtDNS, Log: s.log,
	}
	if s.loopback { // dev
		c.Send = s.sendDraft
	}
	return dashboard.New(c)
}

// lookAtDNS holds DNS against what the server and one of its domains want there.
func (s *server) lookAtDNS(ctx context.Context, domain string) ([]dashboard.Finding, error) {
	asked := dnscheck.Config{Hostname: s.cfg.Hostname, Resolver: s.dns, Domains: []dnscheck.Domain{{Name: domain}}, Rotates: !s.cfg.TLS.ACME.ReuseKey}
	if found := s.identity.Find(s.cfg.Hostname); found != nil {
		asked.Certificate = found.Leaf
	}
	if policy, ok := (*s.policies.Load())["mta-sts."+domain]; ok {
		asked.Domains[0].Policy = &policy
	}
	report := dnscheck.Check(ctx, asked)
	var list []dashboard.Finding
	for _, section := range []dnscheck.Section{report[1], report[0]} {
		for _, f := range section.Findings {
			if section.Name == s.cfg.Hostname {
				f.What = s.cfg.Hostname + " " + f.What
			}
			list = append(list, dashboard.Finding{What: f.What, State: string(f.State), Text: f.Text, Publish: f.Publish})
		}
	}
	return list, nil
}

// sendDraft sends a mail that was written in the dashboard to the first listener of this server, as a stranger would.
func (s *server) sendDraft(ctx context.Context, d dashboard.Draft) (string, error) {
	message, err := sample{d.From, []string{d.To}, d.Subject, d.Text, nil, time.Now()}.bytes()
	if err != nil {
		return "", err
	}
	c, err := dialSMTP(ctx, s.smtpListeners[0].Addr().String(), "localhost", tlsAuto)
	if err != nil {
		return "", err
	}
	r, err := c.send(d.From, []string{d.To}, message)
	if err != nil {
		return "", errors.Join(err, c.conn.Close())
	}
	_ = c.quit() // the mail has its answer; nothing depends on the farewell
	return fmt.Sprintf("%d %s", r.Code, r.Text), nil
}
