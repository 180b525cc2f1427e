package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// DomainSettings are what holds for all mail to a domain. The keys are those of the file.
type DomainSettings struct {
	ReplyKeys      []string `json:"reply_keys,omitempty" nullable:"false" maxItems:"20" doc:"Keys that sign reply addresses, the first one mints. They are never shown."`
	MaxMessageSize int64    `json:"max_message_size,omitempty" minimum:"1024" maximum:"1073741824" doc:"Octets; left out: that of the server."`
	RecipientCheck string   `json:"recipient_check,omitempty" maxLength:"100" doc:"The application of the operator's file that is asked about recipients. The operator alone sets it."`
	DMARC          string   `json:"dmarc,omitempty" enum:"annotate,quarantine,reject" doc:"What happens to mail that fails DMARC."`
	Greylist       bool     `json:"greylist,omitempty" doc:"Put off senders that were never seen."`
	RequireTLS     bool     `json:"require_tls,omitempty" doc:"Refuse mail that comes in clear."`
	MTASTS         *MTASTS  `json:"mta_sts,omitempty"`
}

// MTASTS is a policy that tells senders to verify the certificate (RFC 8461).
type MTASTS struct {
	Mode   string   `json:"mode" enum:"none,testing,enforce"`
	MaxAge string   `json:"max_age,omitempty" maxLength:"40" doc:"That senders remember it." example:"7d"`
	MX     []string `json:"mx,omitempty" nullable:"false" maxItems:"50" doc:"Mail exchangers of the domain; left out: the hostname of the server."`
}

// Domain is a domain that mail is taken for, or will be when it is proved whose it is.
type Domain struct {
	ID        string    `json:"id" doc:"Of a domain in the operator's file: its name."`
	Name      string    `json:"name" doc:"In lower-case A-labels; *. in front: all below it."`
	Account   string    `json:"account_id"`
	Source    string    `json:"source" doc:"api, or where the operator's file declares it."`
	ReadOnly  bool      `json:"read_only" doc:"It is declared in the operator's file and can only be changed there."`
	Faults    []Fault   `json:"faults,omitempty" doc:"Why it does not hold now."`
	Ownership Ownership `json:"ownership"`

	DomainSettings
}

// NewDomain is a domain to be taken mail for.
type NewDomain struct {
	Account string `json:"account_id,omitempty" maxLength:"100" doc:"For the operator: whose it is; may be left out where there is one account."`
	Name    string `json:"name" minLength:"1" maxLength:"255" doc:"In either form of IDNA; *. in front: all below it." example:"in.example.com"`

	DomainSettings
}

// storedDomain is the body of the setting of a domain.
type storedDomain struct {
	Settings DomainSettings `json:"settings"`
	Proof    string         `json:"proof,omitempty"` // what the record holds; empty: none is needed
	ProvedAt time.Time      `json:"proved_at,omitzero"`
	LostAt   time.Time      `json:"lost_at,omitzero"` // when the proof was first missed; zero: it was there at the last look
}

func (d *storedDomain) proved() bool { return d.Proof == "" || !d.ProvedAt.IsZero() }

// StoredBody is what a setting declares, with the keys of the operator's file. It is false for what declares nothing yet.
func StoredBody(t *storage.Setting) (text []byte, holds bool, err error) {
	if t.Kind != storage.SettingDomain {
		return t.Body, true, nil
	}
	d, err := unbody[storedDomain](t)
	if err != nil {
		return nil, false, err
	}
	return body(d.Settings), d.proved(), nil
}

// DomainPath names a domain.
type DomainPath struct {
	Domain string `path:"domain" maxLength:"300" doc:"The id or the name of the domain."`
}

type domainOutput struct {
	ETagged

	Body Domain
}

func (s *service) registerDomains() {
	register(s, operation{
		method: http.MethodGet, path: "/domains", id: "list-domains", tag: tagRouting, scope: access.ScopeRead, summary: "List domains",
	}, s.listDomains)
	register(s, operation{
		method: http.MethodPost, path: "/domains", id: "create-domain", tag: tagRouting, scope: access.ScopeWrite, status: http.StatusCreated, summary: "Ask for a domain",
		about: "An account proves by a TXT record that the domain is its own, and no mail is taken before that. The operator proves nothing.",
	}, s.createDomain)
	register(s, operation{
		method: http.MethodGet, path: "/domains/{domain}", id: "get-domain", tag: tagRouting, scope: access.ScopeRead, summary: "Show a domain",
	}, s.getDomain)
	register(s, operation{
		method: http.MethodPatch, path: "/domains/{domain}", id: "update-domain", tag: tagRouting, scope: access.ScopeWrite, summary: "Change a domain",
	}, s.updateDomain)
	register(s, operation{
		method: http.MethodDelete, path: "/domains/{domain}", id: "delete-domain", tag: tagRouting, scope: access.ScopeWrite, summary: "Take no more mail for a domain",
		about: "One that has routes is answered 409.",
	}, s.deleteDomain)
	register(s, operation{
		method: http.MethodPost, path: "/domains/{domain}/verify", id: "verify-domain", tag: tagRouting, scope: access.ScopeWrite, summary: "Look for the proof in DNS",
		about: "One that is not there yet is answered 409; ask again when it is published.",
	}, s.verifyDomain)
}

// domains are those that the principal may see: what the file declares, and what came by the API whether it holds or not.
func (s *service) domains(ctx context.Context, p access.Principal) ([]Domain, map[string]*storage.Setting, error) {
	c, err := s.Store.Configuration(ctx)
	if err != nil {
		return nil, nil, err
	}
	faults, err := s.Configuration.Check(ctx, c.Settings)
	if err != nil {
		return nil, nil, err
	}
	var list []Domain
	settings := map[string]*storage.Setting{}
	for _, k := range s.Configuration.Directory().Domains() {
		if p.Sees(k.Account) && k.Source != storage.SourceAPI && k.Source != "" {
			list = append(list, fileDomain(&k))
		}
	}
	for i := range c.Settings {
		t := &c.Settings[i]
		if t.Kind != storage.SettingDomain || !p.Sees(t.Account) {
			continue
		}
		v, err := showDomain(t, faults[t.ID])
		if err != nil {
			return nil, nil, err
		}
		settings[t.ID] = t
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b Domain) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) })
	return list, settings, nil
}

func fileDomain(k *storage.KnownDomain) Domain {
	return Domain{
		ID: k.Name, Name: k.Name, Account: k.Account, Source: k.Source, ReadOnly: true, Ownership: Ownership{State: "not_needed"},
		DomainSettings: DomainSettings{
			MaxMessageSize: k.MaxSize, RecipientCheck: k.Check, DMARC: dmarcWord(k.DMARC), Greylist: k.Greylist, RequireTLS: k.RequireTLS,
		},
	}
}

func dmarcWord(a inbound.DMARCAction) string {
	if a == "" {
		return "annotate"
	}
	return string(a)
}

func showDomain(t *storage.Setting, faults []Fault) (Domain, error) {
	d, err := unbody[storedDomain](t)
	return Domain{
		ID: t.ID, Name: t.Name, Account: t.Account, Source: storage.SourceAPI, Faults: faults, Ownership: d.ownership(t.Name), DomainSettings: d.Settings.shown(),
	}, err
}

// shown are the settings without what is secret.
func (d DomainSettings) shown() DomainSettings {
	d.ReplyKeys = nil
	return d
}

// domain gives a domain by its id or its name, and its setting where it has one.
func (s *service) domain(ctx context.Context, p access.Principal, word string) (*Domain, *storage.Setting, error) {
	list, settings, err := s.domains(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	name, err := storage.DomainName(word)
	if err != nil {
		name = word
	}
	var found *Domain
	for i := range list {
		if list[i].ID == word {
			return &list[i], settings[word], nil
		}
		if list[i].Name == name && (found == nil || found.Ownership.State == "pending") {
			found = &list[i]
		}
	}
	if found == nil {
		return nil, nil, notFound()
	}
	return found, settings[found.ID], nil
}

func (s *service) listDomains(ctx context.Context, p access.Principal, in *struct {
	PageQuery

	Account string `query:"account_id" maxLength:"100" doc:"Of this account alone."`
}) (*pageOutput[Domain], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	list, _, err := s.domains(ctx, p)
	if err != nil {
		return nil, err
	}
	key := func(d Domain) string { return d.Name + " " + d.ID }
	list = slices.DeleteFunc(list, func(d Domain) bool { return in.Account != "" && d.Account != in.Account || key(d) <= after })
	return page(list, in.Limit, func(d Domain) Domain { return d }, key), nil
}

func (s *service) getDomain(ctx context.Context, p access.Principal, in *DomainPath) (*domainOutput, error) {
	d, t, err := s.domain(ctx, p, in.Domain)
	if err != nil {
		return nil, err
	}
	return &domainOutput{ETagged{etagOf(t, d.ID)}, *d}, nil
}

func etagOf(t *storage.Setting, id string) string {
	if t == nil {
		return fileTag(id)
	}
	return tag(t)
}

func (s *service) createDomain(ctx context.Context, p access.Principal, in *struct{ Body NewDomain }) (*domainOutput, error) {
	b := &in.Body
	account, err := s.owner(ctx, p, b.Account)
	if err != nil {
		return nil, err
	}
	name, err := storage.DomainName(b.Name)
	if err != nil {
		return nil, invalid(fault("body.name", "is not a domain"))
	}
	if b.RecipientCheck != "" {
		if err := operators(p, []string{"recipient_check"}); err != nil {
			return nil, err
		}
	}
	d := storedDomain{Settings: b.DomainSettings}
	made := &storage.Setting{Kind: storage.SettingDomain, Account: account, Name: name}
	err = s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		made.ID, made.Position = "", nextPosition(c, storage.SettingDomain)
		made.Body = body(d)
		if !p.Operator() {
			if err := s.taken(ctx, c, made); err != nil {
				return storage.SettingChange{}, err
			}
			// Whether it could hold is told now, not after the work of a proof.
			if err := s.holds(ctx, c.Settings, &storage.SettingChange{Put: made}); err != nil {
				return storage.SettingChange{}, err
			}
			d.Proof = "letterhook-verification=" + token()
			made.Body = body(d)
		}
		return storage.SettingChange{Put: made, Line: s.line(p, account, "domain.create", "", nil, namedDomain{name, d.Settings.shown()})}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.getDomain(ctx, p, &DomainPath{made.ID})
}

// namedDomain is how a domain stands in the audit log.
type namedDomain struct {
	Name string `json:"name"`

	DomainSettings
}

// editDomain changes the setting of a domain.
func (s *service) editDomain(ctx context.Context, p access.Principal, word string, m *IfMatch, edit func(*storage.Setting, *storedDomain) (storage.SettingChange, error)) (id string, err error) {
	d, t, err := s.domain(ctx, p, word)
	if err != nil {
		return "", err
	}
	if t == nil {
		return "", declaredByFile("domain", d.Source)
	}
	return d.ID, s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		t := find(c, p, storage.SettingDomain, d.ID)
		if t == nil {
			return storage.SettingChange{}, notFound()
		}
		if err := m.check(t); err != nil {
			return storage.SettingChange{}, err
		}
		stored, err := unbody[storedDomain](t)
		if err != nil {
			return storage.SettingChange{}, err
		}
		return edit(t, &stored)
	})
}

func (s *service) updateDomain(ctx context.Context, p access.Principal, in *struct {
	DomainPath
	IfMatch

	Body Patch[DomainSettings]
}) (*domainOutput, error) {
	id, err := s.editDomain(ctx, p, in.Domain, &in.IfMatch, func(t *storage.Setting, d *storedDomain) (storage.SettingChange, error) {
		old := d.Settings
		next, err := patched(old, in.Body)
		if err != nil {
			return storage.SettingChange{}, err
		}
		if next.RecipientCheck != old.RecipientCheck {
			if err := operators(p, []string{"recipient_check"}); err != nil {
				return storage.SettingChange{}, err
			}
		}
		d.Settings = next
		t.Body = body(d)
		return storage.SettingChange{Put: t, Line: s.lineOf(p, t, "domain.update", namedDomain{t.Name, old.shown()}, namedDomain{t.Name, next.shown()})}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.getDomain(ctx, p, &DomainPath{id})
}

func (s *service) deleteDomain(ctx context.Context, p access.Principal, in *struct {
	DomainPath
	IfMatch
}) (*struct{}, error) {
	_, err := s.editDomain(ctx, p, in.Domain, &in.IfMatch, func(t *storage.Setting, d *storedDomain) (storage.SettingChange, error) {
		return storage.SettingChange{Delete: t.ID, Line: s.lineOf(p, t, "domain.delete", namedDomain{t.Name, d.Settings.shown()}, nil)}, nil
	})
	return nil, err
}
