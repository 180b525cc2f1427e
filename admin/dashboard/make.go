package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
)

// choice is one of a list to choose from.
type choice struct{ ID, Name string }

// accountChoices are the accounts that something new may be for; none where there is nothing to choose.
func (d *dashboard) accountChoices(r *http.Request, v *access.Principal) ([]choice, error) {
	if !v.Operator() {
		return nil, nil
	}
	list, err := askAll[api.Account](d, r, "/accounts")
	if err != nil || len(list) < 2 {
		return nil, err
	}
	choices := make([]choice, len(list))
	for i, a := range list {
		choices[i] = choice{a.ID, a.Name}
	}
	return choices, nil
}

// endpointChoices are the endpoints that a route may lead to, by name.
func (d *dashboard) endpointChoices(v *access.Principal, account string) (list []choice) {
	for _, e := range d.Directory().Endpoints {
		if !e.Disabled && v.Sees(e.Account) && (account == "" || e.Account == account) {
			list = append(list, choice{e.ID, e.Name})
		}
	}
	slices.SortFunc(list, func(a, b choice) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// makeEndpoint makes an endpoint and shows its page with the secret, this once.
func (d *dashboard) makeEndpoint(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	in := api.NewEndpoint{Account: r.PostFormValue("account"), Name: oneLine(r.PostFormValue("name"))}
	in.URL, in.AllowPrivate = strings.TrimSpace(r.PostFormValue("url")), r.PostFormValue("private") != ""
	var made api.CreatedEndpoint
	if err := d.ask(r, http.MethodPost, "/endpoints", in, &made); err != nil {
		return err
	}
	r.SetPathValue("id", made.ID)
	return d.showEndpoint(w, r, v, func(p *endpointPage) error {
		p.Made = &madeSecret{Text: made.Secret, First: true}
		return nil
	})
}

// moveEndpoint gives an endpoint another URL.
func (d *dashboard) moveEndpoint(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	id := r.PathValue("id")
	if err := d.ask(r, http.MethodPatch, "/endpoints/"+url.PathEscape(id), map[string]string{"url": strings.TrimSpace(r.PostFormValue("url"))}, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/endpoints/"+id, "changed")
	return nil
}

func (d *dashboard) deleteEndpoint(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	if err := d.ask(r, http.MethodDelete, "/endpoints/"+url.PathEscape(r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/endpoints", "deleted")
	return nil
}

// makeDomain takes mail for a domain, and leads all of it to an endpoint where one is chosen.
func (d *dashboard) makeDomain(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	in := api.NewDomain{Account: r.PostFormValue("account"), Name: strings.TrimSpace(r.PostFormValue("name"))}
	var made api.Domain
	if err := d.ask(r, http.MethodPost, "/domains", in, &made); err != nil {
		return err
	}
	if name := r.PostFormValue("endpoint"); name != "" {
		route := api.NewRoute{Domain: made.Name, Match: "*"}
		route.Endpoints = []string{name}
		if err := d.ask(r, http.MethodPost, "/routes", route, nil); err != nil {
			return err
		}
	}
	d.goTo(w, r, "/domains/"+url.PathEscape(made.Name), "domain")
	return nil
}

// verifyDomain looks for the proof that a domain belongs to who asked for it.
func (d *dashboard) verifyDomain(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	path := "/domains/" + url.PathEscape(r.PathValue("name"))
	if err := d.ask(r, http.MethodPost, path+"/verify", nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, path, "verified")
	return nil
}

func (d *dashboard) deleteDomain(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	if err := d.ask(r, http.MethodDelete, "/domains/"+url.PathEscape(r.PathValue("name")), nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/domains", "deleted")
	return nil
}
