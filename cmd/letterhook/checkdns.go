package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/letterhook/letterhook/admin/dnscheck"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/cmd/letterhook/identity"
	"github.com/letterhook/letterhook/inbound/resolver"
)

// dnsPatience bounds a check of DNS, however many domains there are.
const dnsPatience = 5 * time.Minute

// checkDNS holds DNS against a valid configuration. servers are asked instead of those of the configuration; client, when not nil,
// fetches the policies.
func checkDNS(ctx context.Context, c *config.Config, servers []string, client *http.Client) (dnscheck.Report, error) {
	if len(servers) == 0 {
		servers = c.Authentication.DNSServers
	}
	dns, err := resolver.New(resolver.Config{Servers: servers})
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--dns-server: %w", err)}
	}
	asked := dnscheck.Config{Hostname: c.Hostname, Resolver: dns, Client: client}
	if asked.Hostname, err = idna.Lookup.ToASCII(c.Hostname); err != nil {
		return nil, fmt.Errorf("hostname: %w", err)
	}
	if err := nameCertificate(c, &asked); err != nil {
		return nil, err
	}
	policies := c.Policies()
	for i := range c.Domains {
		d := &c.Domains[i]
		name, wildcard := strings.CutPrefix(d.Name, "*.")
		if name, err = idna.Lookup.ToASCII(name); err != nil {
			return nil, fmt.Errorf("domain %s: %w", d.Name, err) // the validation has passed it
		}
		if wildcard {
			name = "*." + name
		}
		domain := dnscheck.Domain{Name: name}
		if policy, ok := policies[d.PolicyHost()]; ok {
			domain.Policy = &policy
		}
		asked.Domains = append(asked.Domains, domain)
	}
	ctx, cancel := context.WithTimeout(ctx, dnsPatience)
	defer cancel()
	return dnscheck.Check(ctx, asked), nil
}

// nameCertificate finds the certificate that the server shows for its hostname.
func nameCertificate(c *config.Config, asked *dnscheck.Config) error {
	files, err := readIdentity(c)
	if err != nil {
		return err
	}
	certificates := identity.New(nil, slog.New(slog.DiscardHandler))
	certificates.SetFiles(files)
	if found := certificates.Find(c.Hostname); found != nil {
		asked.Certificate = found.Leaf
		return nil
	}
	if len(c.TLS.ACME.Names) > 0 {
		asked.Certificate = identity.Stored(filepath.Join(c.DataDir, acmeName), c.Hostname)
		asked.Rotates = !c.TLS.ACME.ReuseKey
	}
	return nil
}
