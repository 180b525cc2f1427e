package config

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/letterhook/letterhook/admin"
)

// MTASTS is the policy of a domain that tells senders to verify our certificate (RFC 8461). It is served by the public HTTP
// listener under the name mta-sts and the domain.
type MTASTS struct {
	Mode   string   `yaml:"mode"`    // "none", "testing" or "enforce"; empty: no policy is served
	MaxAge Duration `yaml:"max_age"` // that senders remember it; left out: a week
	MX     []string `yaml:"mx"`      // mail exchangers of the domain; left out: the hostname of the server
}

// PolicyHost is the name that the policy of MTA-STS is served under; empty where there is none.
func (d *Domain) PolicyHost() string {
	name, ok := normalDomain(d.Name)
	if d.MTASTS.Mode == "" || !ok {
		return ""
	}
	return "mta-sts." + name
}

// Policies are the policies of MTA-STS by the name that they are served under.
func (c *Config) Policies() map[string]admin.Policy {
	policies := map[string]admin.Policy{}
	for i := range c.Domains {
		d := &c.Domains[i]
		host := d.PolicyHost()
		if host == "" {
			continue
		}
		policy := admin.Policy{Mode: d.MTASTS.Mode, MaxAge: cmp.Or(d.MTASTS.MaxAge, 7*day).Std(), MX: d.MTASTS.MX}
		if len(policy.MX) == 0 {
			policy.MX = []string{c.Hostname}
		}
		policies[host] = policy
	}
	return policies
}

// maxPolicyAge is 31557600 seconds (RFC 8461 section 3.2).
const maxPolicyAge = 31_557_600 * Duration(1e9)

func (v *validator) mtaSTS() {
	for i := range v.Domains {
		d := &v.Domains[i]
		key := fmt.Sprintf("domains[%d].mta_sts", i)
		if d.MTASTS.Mode == "" {
			if d.MTASTS.MaxAge != 0 || len(d.MTASTS.MX) > 0 {
				v.faultf(key+".mode", "is required: none, testing or enforce")
			}
			continue
		}
		v.word(key+".mode", d.MTASTS.Mode, "none", "testing", "enforce")
		if strings.HasPrefix(d.Name, "*.") {
			v.faultf(key, "a policy is for one domain: declare each that is to have one by its name") // RFC 8461 section 3.3
			continue
		}
		if d.MTASTS.MaxAge > maxPolicyAge {
			v.faultf(key+".max_age", "at most %s (RFC 8461 section 3.2)", maxPolicyAge)
		}
		if d.MTASTS.Mode == "enforce" && d.MTASTS.MaxAge != 0 && d.MTASTS.MaxAge < day {
			v.Warnings = append(v.Warnings, key+".max_age: less than a day protects little: senders forget the policy between two mails")
		}
		for n, mx := range d.MTASTS.MX {
			if !isHostname(strings.TrimPrefix(mx, "*.")) {
				v.faultf(fmt.Sprintf("%s.mx[%d]", key, n), "%q is neither a host name nor one behind *.", mx)
			}
		}
		v.policyCertificate(key, d.PolicyHost())
	}
}

// policyCertificate warns of a policy that nobody can fetch.
func (v *validator) policyCertificate(key, host string) {
	if v.HTTP.Public.TLS && len(v.TLS.ACME.Names) == 0 && !v.TLS.covers(host) {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s: no certificate is for %s, so nobody can fetch the policy", key, host))
	}
}
