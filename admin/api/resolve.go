package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/dnscheck"
	"github.com/letterhook/letterhook/inbound"
)

// Resolution says where mail to an address would go, and why.
type Resolution struct {
	Address   string             `json:"address"`
	Accepted  bool               `json:"accepted" doc:"RCPT would be answered 250."`
	Text      string             `json:"text" doc:"What would happen, for people."`
	Reply     string             `json:"reply,omitempty" doc:"What the sender would hear instead of 250."`
	Domain    string             `json:"domain,omitempty" doc:"That the address belongs to."`
	Account   string             `json:"account_id,omitempty"`
	Route     string             `json:"route_id,omitempty" doc:"That takes it; left out: none, or postmaster and abuse, which always exist."`
	Endpoints []ResolvedEndpoint `json:"endpoints" nullable:"false"`
	Captures  map[string]string  `json:"captures,omitempty" doc:"Named groups of the expression."`
	Check     string             `json:"recipient_check,omitempty" doc:"The application that would be asked first."`
	Routes    []TriedRoute       `json:"routes" nullable:"false" doc:"All routes of the domain in their order."`
}

// ResolvedEndpoint is an endpoint that mail would go to.
type ResolvedEndpoint struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// TriedRoute is a route and what it makes of the address.
type TriedRoute struct {
	ID     string `json:"id"`
	Match  string `json:"match"`
	Kind   string `json:"kind" enum:"exact,detail,glob,regexp,all"`
	Chosen bool   `json:"chosen"`
	Why    string `json:"why" doc:"Why it is chosen or not, for people."`
	Source string `json:"source"`
}

func (s *service) registerResolve() {
	register(s, operation{
		method: http.MethodGet, path: "/resolve", id: "resolve-address", tag: tagRouting, scope: access.ScopeRead, summary: "Tell where an address would go, and why",
		about: "A dry run: nothing is sent and nobody is asked.",
	}, s.resolve)
	register(s, operation{
		method: http.MethodGet, path: "/domains/{domain}/dns", id: "check-domain-dns", tag: tagRouting, scope: access.ScopeRead, summary: "Hold DNS against what the domain needs",
		about: "It asks DNS, and may take seconds.",
	}, s.checkDNS)
}

func (s *service) resolve(_ context.Context, p access.Principal, in *struct {
	Address string `query:"address" required:"true" minLength:"1" maxLength:"400" doc:"A forward-path, without <>." example:"support@in.example.com"`
}) (*output[Resolution], error) {
	path, err := inbound.ParsePath(in.Address, true)
	if err != nil || path.Domain == "" && !strings.EqualFold(path.LocalPart, "postmaster") {
		return nil, invalid(fault("query.address", "is not a mail address"))
	}
	d := s.Configuration.Directory()
	e := d.Explain(path)
	owner := e.Account
	for _, known := range d.Domains() {
		if known.Name == e.Domain {
			owner = known.Account
		}
	}
	v := Resolution{Address: path.String(), Endpoints: []ResolvedEndpoint{}, Routes: []TriedRoute{}}
	if e.Domain == "" || !p.Sees(owner) {
		v.Text = "No domain of yours takes it."
		if p.Operator() {
			v.Text = e.Text
		}
		if e.Refuse != nil && p.Operator() {
			v.Reply = e.Refuse.Error()
		}
		return &output[Resolution]{v}, nil
	}
	v.Accepted, v.Text, v.Domain, v.Account, v.Route, v.Captures, v.Check = e.Refuse == nil, e.Text, e.Domain, owner, e.Route, e.Captures, e.Check
	if e.Refuse != nil {
		v.Reply = e.Refuse.Error()
	}
	for _, id := range e.Endpoints {
		if known := d.Endpoints[id]; known != nil {
			v.Endpoints = append(v.Endpoints, ResolvedEndpoint{id, known.Name})
		}
	}
	for i := range e.Routes {
		r := &e.Routes[i]
		v.Routes = append(v.Routes, TriedRoute{ID: r.ID, Match: r.Match, Kind: r.Kind, Chosen: r.Chosen, Why: r.Why, Source: r.Source})
	}
	return &output[Resolution]{v}, nil
}

// DNSReport is what was found about the server and the domain.
type DNSReport struct {
	Sections []DNSSection `json:"sections" nullable:"false" doc:"The server first, then the domain."`
}

// DNSSection is what was found about one name.
type DNSSection struct {
	Name     string       `json:"name"`
	Findings []DNSFinding `json:"findings" nullable:"false"`
}

// DNSFinding is one thing that was looked at.
type DNSFinding struct {
	What    string         `json:"what" example:"MX"`
	State   dnscheck.State `json:"state" enum:"ok,missing,wrong,advice,unknown"`
	Text    string         `json:"text" doc:"What is there, or what follows from what is not."`
	Publish []string       `json:"publish" nullable:"false" doc:"Records for the zone, in the form of zone files."`
}

func (s *service) checkDNS(ctx context.Context, p access.Principal, in *DomainPath) (*output[DNSReport], error) {
	d, _, err := s.domain(ctx, p, in.Domain)
	if err != nil {
		return nil, err
	}
	report, err := s.CheckDNS(ctx, d.Name)
	if err != nil {
		return nil, err
	}
	out := &output[DNSReport]{DNSReport{Sections: []DNSSection{}}}
	for _, section := range report {
		v := DNSSection{Name: section.Name, Findings: []DNSFinding{}}
		for _, f := range section.Findings {
			v.Findings = append(v.Findings, DNSFinding(f))
		}
		out.Body.Sections = append(out.Body.Sections, v)
	}
	return out, nil
}
