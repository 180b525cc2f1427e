package config

import (
	"slices"
	"strings"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// ReplyKeysOf gives the keys of the reply addresses at a domain: its own, or those of its account.
func (c *Config) ReplyKeysOf(d *Domain) []replyaddr.Key {
	if len(d.ReplyKeys) > 0 || d.ReplyKeyFile != "" {
		return d.ReplyKeys
	}
	for i := range c.Accounts {
		if c.Accounts[i].Name == d.Account {
			return c.Accounts[i].ReplyKeys
		}
	}
	return nil
}

// DomainOf finds the declared domain that takes mail for name, which is in lower-case A-labels; nil: none does.
func (c *Config) DomainOf(name string) *Domain {
	for candidate := name; ; {
		for i := range c.Domains {
			if declared, ok := normalDomain(c.Domains[i].Name); ok && declared == candidate {
				return &c.Domains[i]
			}
		}
		_, parent, ok := strings.Cut(strings.TrimPrefix(candidate, "*."), ".")
		if !ok {
			return nil
		}
		candidate = "*." + parent
	}
}

// HasToken says whether a route of the domain looks for tokens at a local-part in lower case.
func (d *Domain) HasToken(local string) bool {
	return slices.ContainsFunc(d.Routes, func(r Route) bool { return r.Token != "" && strings.EqualFold(r.Match, local+"+*") })
}

// token checks what a route does about the tokens of reply addresses.
func (v *validator) token(key string, d Domain, r Route) {
	key += ".token"
	if r.Token == "" || !v.word(key, r.Token, string(storage.TokenRequired), string(storage.TokenMarked)) {
		return
	}
	local, detail := strings.CutSuffix(r.Match, "+*")
	switch {
	case !detail || strings.ContainsAny(local, "*?+"):
		v.faultf(key, "needs a match like reply+*, for the token is what stands behind the +")
	case r.Refuse != "":
		v.faultf(key, "makes no sense with refuse")
	case len(v.ReplyKeysOf(&d)) == 0 && !v.lostAny(replyKeys):
		v.faultf(key, "needs reply_keys, of the domain or of account %q", d.Account)
	}
}

// maxMessageSize checks the limit of a domain or a route, which can only be narrower than the server's.
func (v *validator) maxMessageSize(key string, size Size) {
	if size != 0 {
		v.between(key+".max_message_size", int64(size), 1<<10, int64(v.SMTP.MaxMessageSize))
	}
}
