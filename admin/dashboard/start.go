package dashboard

import (
	"net/http"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// startPage is what the first steps show: each knows whether it is done.
type startPage struct {
	newEndpoint

	Endpoints []choice
	Endpoint  *storage.Endpoint // one that the viewer sees; nil: there is none
	URL       string
	Domain    *storage.KnownDomain
	Message   *storage.Listed // the newest
	Delivered bool
	SMTP      string
	Hostname  string
	Compose   bool
	Everybody bool // mail for every domain is taken: this is dev
}

// start gets a newcomer from nothing to the first webhook.
func (d *dashboard) start(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p := &startPage{Hostname: d.Hostname, Compose: d.Send != nil}
	if len(d.SMTP) > 0 {
		p.SMTP = d.SMTP[0]
	}
	directory := d.Directory()
	for _, known := range directory.Domains() {
		if !v.Sees(known.Account) || p.Domain != nil {
			continue
		}
		p.Domain, p.Everybody = &known, known.Name == "*"
	}
	for _, e := range directory.Endpoints {
		if !e.Disabled && v.Sees(e.Account) && (p.Endpoint == nil || e.ID < p.Endpoint.ID) {
			p.Endpoint, p.URL = e, shownURL(e.URL)
		}
	}
	found, err := d.Store.Search(r.Context(), storage.Search{Account: v.Account, Limit: 1})
	if err != nil {
		return err
	}
	if len(found.Messages) > 0 {
		p.Message = &found.Messages[0]
	}
	delivered, err := d.Store.Search(r.Context(), storage.Search{Account: v.Account, State: storage.StateDelivered, Limit: 1})
	if err != nil {
		return err
	}
	p.Delivered = len(delivered.Messages) > 0
	if p.Accounts, err = d.accountChoices(r, v); err != nil {
		return err
	}
	p.Operator, p.MayWrite, p.Back, p.Endpoints = v.Operator(), v.May(access.ScopeWrite), "/start", d.endpointChoices(v, "")
	return d.show(w, r, v, http.StatusOK, "start", page{Title: "First steps", Here: "/start", Body: p})
}

// Try is an address that mail is taken for.
func (p *startPage) Try() string {
	if p.Domain == nil || p.Everybody {
		return "hello@in.example.com"
	}
	for _, r := range p.Domain.Routes {
		if r.Kind == "exact" && r.Refuse == nil {
			return r.Match + "@" + p.Domain.Name
		}
	}
	return "hello@" + p.Domain.Name
}
