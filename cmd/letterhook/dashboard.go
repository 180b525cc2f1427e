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
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/storage"
)

// dashboardConfig is what the pages that people see need. They make changes through served, the API.
func (s *server) dashboardConfig(gate *access.Gate, served http.Handler, desk *reading.Desk) dashboard.Config {
	c := dashboard.Config{
		Store: s.store, Directory: s.directory.Load, Path: s.links.Path(), Secure: strings.HasPrefix(s.cfg.PublicURL, "https:"), Gate: gate,
		Hostname: s.cfg.Hostname, Version: version(), SMTP: s.smtpAddresses(), Ready: s.ready, Test: s.dispatcher.Test, API: served, Desk: desk, SignIn: s.signIn(gate), Levers: s.smtp.Levers,
		Retention: func() storage.Retention { return *s.retention.Load() }, DNS: s.lookAtDNS, Log: s.log,
	}
	if s.loopback { // dev
		c.Send = s.sendDraft
	}
	return c
}

// lookAtDNS holds DNS against what the server and one of its domains want there: first the domain.
func (s *server) lookAtDNS(ctx context.Context, domain string) ([]dashboard.Finding, error) {
	report, err := s.checkDomainDNS(ctx, domain)
	if err != nil {
		return nil, err
	}
	var list []dashboard.Finding
	for i := range report {
		section := &report[len(report)-1-i]
		for _, f := range section.Findings {
			if section.Name != domain {
				f.What = section.Name + " " + f.What
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
