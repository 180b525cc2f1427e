package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// OIDC lets people log in to the dashboard by a provider of OpenID Connect, beside those who have a key.
type OIDC struct {
	Issuer       string      `yaml:"issuer"`        // URL of the provider; empty: people need a key
	Name         string      `yaml:"name"`          // of the provider, on the button; left out: its host
	ClientID     string      `yaml:"client_id"`     // that the provider knows this server by
	ClientSecret Password    `yaml:"client_secret"` // left out: a public client
	Scopes       []string    `yaml:"scopes"`        // that are asked for beside openid
	GroupsClaim  string      `yaml:"groups_claim"`  // of the token, that holds the groups of somebody
	Grants       []OIDCGrant `yaml:"grants"`        // what people get; the first one that fits counts
}

// OIDCGrant is what those people get whom one of its lists names.
type OIDCGrant struct {
	Emails  []string `yaml:"emails"`  // that the provider has verified
	Domains []string `yaml:"domains"` // of such addresses
	Groups  []string `yaml:"groups"`
	Account string   `yaml:"account"` // that they see; left out: they are the operator
	Scopes  []string `yaml:"scopes"`  // read, write, replay, admin
}

// keyScopes are what a key may do.
var keyScopes = []string{"read", "write", "replay", "admin"}

func (v *validator) oidc() {
	o := &v.OIDC
	if o.Issuer == "" {
		if o.ClientID != "" || len(o.Grants) > 0 {
			v.faultf("oidc.issuer", "is required: the URL of the provider")
		}
		return
	}
	u, err := httpURL(o.Issuer)
	switch {
	case err != nil:
		v.faultf("oidc.issuer", "%v", err)
	case u.Scheme != "https" && !onLoopback(hostPort(u)):
		v.faultf("oidc.issuer", "must begin with https://: whoever can answer in the provider's place lets himself in")
	}
	if o.ClientID == "" {
		v.faultf("oidc.client_id", "is required: the provider gives it")
	}
	if len(o.Grants) == 0 {
		v.faultf("oidc.grants", "at least one is required: without it nobody gets in")
	}
	for i := range o.Grants {
		v.oidcGrant(fmt.Sprintf("oidc.grants[%d]", i), &o.Grants[i])
	}
}

func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return u.Host + ":443"
	}
	return u.Host
}

func (v *validator) oidcGrant(key string, g *OIDCGrant) {
	if len(g.Emails)+len(g.Domains)+len(g.Groups) == 0 {
		v.faultf(key, "names nobody: give emails, domains or groups")
	}
	for i, address := range g.Emails {
		if !strings.Contains(address, "@") {
			v.faultf(fmt.Sprintf("%s.emails[%d]", key, i), "%q is not a mail address; a whole domain stands in domains", address)
		}
	}
	for i, domain := range g.Domains {
		if _, ok := normalDomain(domain); !ok || strings.HasPrefix(domain, "*") {
			v.faultf(fmt.Sprintf("%s.domains[%d]", key, i), "%q is not a domain", domain)
		}
	}
	if len(g.Scopes) == 0 {
		v.faultf(key+".scopes", "at least one is required: read, write, replay or admin")
	}
	for i, scope := range g.Scopes {
		if !slices.Contains(keyScopes, scope) {
			v.faultf(fmt.Sprintf("%s.scopes[%d]", key, i), "%q is none of read, write, replay and admin", scope)
		}
	}
}
