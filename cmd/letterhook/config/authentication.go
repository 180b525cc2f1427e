package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/mailauth"
	"github.com/letterhook/letterhook/inbound/resolver"
)

// Authentication is the checks of the sender of mail that comes by an MX listener: SPF, DKIM, DMARC, ARC and iprev.
type Authentication struct {
	Enabled        bool      `yaml:"enabled"`
	Timeout        Duration  `yaml:"timeout"`         // of all questions to DNS for one message
	DNSServers     []string  `yaml:"dns_servers"`     // addresses, with or without a port; empty: those of /etc/resolv.conf
	TrustedSealers []string  `yaml:"trusted_sealers"` // domains whose ARC seals are believed
	SkipNetworks   []Network `yaml:"skip_networks"`   // clients whose mail is not checked
}

// defaultAuthentication leaves out this machine: what it sends to itself, SPF knows nothing of.
func defaultAuthentication() Authentication {
	return Authentication{
		Enabled: true,
		Timeout: 15 * Duration(time.Second),
		SkipNetworks: []Network{
			{netip.MustParsePrefix("127.0.0.0/8")}, {netip.MustParsePrefix("::1/128")},
		},
	}
}

// Skips says whether mail from a client is not checked.
func (a *Authentication) Skips(client netip.Addr) bool {
	for _, network := range a.SkipNetworks {
		if network.Contains(client) {
			return true
		}
	}
	return !a.Enabled || !client.IsValid()
}

func (v *validator) authentication() {
	a := &v.Authentication
	v.between("authentication.timeout", int64(a.Timeout), int64(Duration(time.Second)), int64(5*minute))
	for i, server := range a.DNSServers {
		if _, err := resolver.New(resolver.Config{Servers: []string{server}}); err != nil {
			v.faultf(fmt.Sprintf("authentication.dns_servers[%d]", i), "%q is not the IP address of a DNS server", server)
		}
	}
	for i, sealer := range a.TrustedSealers {
		if !mailauth.IsDomain(sealer) {
			v.faultf(fmt.Sprintf("authentication.trusted_sealers[%d]", i), "%q is not a domain", sealer)
		}
	}
	for i, d := range v.Domains {
		if d.DMARC == "" {
			continue
		}
		key := fmt.Sprintf("domains[%d].dmarc", i)
		known := v.word(key, d.DMARC, string(inbound.DMARCAnnotate), string(inbound.DMARCQuarantine), string(inbound.DMARCReject))
		if known && !a.Enabled && d.DMARC != string(inbound.DMARCAnnotate) {
			v.faultf(key, "needs authentication.enabled")
		}
	}
}
