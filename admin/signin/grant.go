package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// Grant is what some people get. It fits whoever one of its lists names.
type Grant struct {
	Emails  []string // addresses, verified by the provider
	Domains []string // of such addresses
	Groups  []string
	Account string // name of the account that they see; empty: they are the operator
	Scopes  []access.Scope
}

// person is what the provider says of somebody.
type person struct {
	subject string
	email   string // lower case; empty: none that the provider has verified
	groups  []string
}

// read takes what counts out of a token that was verified.
func (p *Provider) read(id *oidc.IDToken) (*person, error) {
	var claims map[string]json.RawMessage
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("reading a token of %s: %w", p.cfg.Issuer, err)
	}
	who := &person{subject: id.Subject}
	var email string
	if says(claims["email"], &email) && verified(claims["email_verified"]) {
		who.email = strings.ToLower(email)
	}
	if one := ""; !says(claims[p.cfg.GroupsClaim], &who.groups) && says(claims[p.cfg.GroupsClaim], &one) {
		who.groups = []string{one}
	}
	return who, nil
}

// says reads a claim; false: it is not there, or of another type.
func says(claim json.RawMessage, into any) bool {
	return len(claim) > 0 && json.Unmarshal(claim, into) == nil
}

// verified reads email_verified, which some providers send as a text.
func verified(claim json.RawMessage) bool {
	var yes bool
	var word string
	return says(claim, &yes) && yes || says(claim, &word) && word == "true"
}

// fits says whether the grant is for somebody.
func (g *Grant) fits(who *person) bool {
	same := func(word string) bool { return strings.EqualFold(word, who.email) }
	if who.email != "" {
		if slices.ContainsFunc(g.Emails, same) {
			return true
		}
		domain := who.email[strings.LastIndexByte(who.email, '@')+1:]
		if strings.Contains(who.email, "@") && slices.ContainsFunc(g.Domains, func(word string) bool { return strings.EqualFold(word, domain) }) {
			return true
		}
	}
	return slices.ContainsFunc(g.Groups, func(word string) bool { return slices.Contains(who.groups, word) })
}

// admit gives the key that somebody's logins stand on. There is one for each person and what was granted to him; nobody knows its token.
// Whoever may end keys ends it, and with it the person's logins for good.
func (p *Provider) admit(ctx context.Context, who *person) (*storage.APIKey, error) {
	i := slices.IndexFunc(p.cfg.Grants, func(g Grant) bool { return g.fits(who) })
	if i < 0 {
		p.cfg.Log.Warn("somebody logged in to whom nothing is granted", "issuer", p.cfg.Issuer, "subject", who.subject)
		return nil, &DeniedError{"You are known to " + p.cfg.Name + ", but nothing here is granted to you. Ask whoever runs this server."}
	}
	g := &p.cfg.Grants[i]
	account, err := p.account(ctx, g.Account)
	if err != nil {
		return nil, err
	}
	key := &storage.APIKey{ID: keyOf(p.cfg.Issuer, who.subject, account, g.Scopes), Account: account, Name: nameOf(who), CreatedAt: p.cfg.Now()}
	for _, s := range g.Scopes {
		key.Scopes = append(key.Scopes, string(s))
	}
	rand.Read(key.Hash[:])
	known, err := p.cfg.Store.APIKey(ctx, key.ID)
	if errors.Is(err, storage.ErrNotFound) {
		line := storage.AuditLine{Account: account, Name: key.Name, Action: "key.create", Object: key.ID}
		if err = p.cfg.Store.CreateAPIKey(ctx, key, line); err == nil {
			return key, nil
		}
		if again, readErr := p.cfg.Store.APIKey(ctx, key.ID); readErr == nil { // another login of the same person was faster
			known, err = again, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if !known.Works(p.cfg.Now()) {
		return nil, &DeniedError{"Your access was ended here. Ask whoever runs this server."}
	}
	return known, nil
}

// account gives the id of an account by its name.
func (p *Provider) account(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	known, err := p.cfg.Store.KnownAccounts(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range known {
		if a.Declared && a.Name == name {
			return a.ID, nil
		}
	}
	return "", &DeniedError{"The account " + name + " that is granted to you is not there."}
}

// keyOf is the id of the key of a person and a grant.
func keyOf(issuer, subject, account string, scopes []access.Scope) string {
	text, err := json.Marshal([]any{issuer, subject, account, scopes})
	if err != nil {
		panic(err) // texts always encode
	}
	sum := sha256.Sum256(text)
	return "key_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// nameOf is what a person is called in lists and the audit log.
func nameOf(who *person) string {
	name := who.email
	if name == "" {
		name = who.subject
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	runes := []rune(name)
	return string(runes[:min(len(runes), 100)])
}
