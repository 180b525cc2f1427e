package dashboard

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

// Finding is one thing that DNS was asked about a name.
type Finding struct {
	What    string   // for example MX
	State   string   // ok, missing, wrong, advice or unknown
	Text    string   // what is there, or what follows from what is not
	Publish []string // records for the zone, in the form of zone files
}

// dnsPatience bounds a look at DNS: somebody waits for the page.
const dnsPatience = 15 * time.Second

// domainsPage is what the list of domains shows.
type domainsPage struct {
	Domains  []domainLine
	Address  string // of the dry run
	Fault    string
	Answer   *storage.Explanation
	Hostname string
	MayWrite bool
}

// domainLine is a domain with its routes.
type domainLine struct {
	storage.KnownDomain

	Account string // name
	Lines   []routeLine
	Terms   string // what else holds for the domain
}

// routeLine is a route in the list of its domain.
type routeLine struct {
	storage.KnownRoute

	Kinds  string // the kind of match for people
	To     []fact // endpoints: name and id
	Does   string // where there is no endpoint
	Also   string
	Chosen bool
	Why    string // of the dry run; empty: there was none
}

// domains is the list, and the box that tells where an address would go.
func (d *dashboard) domains(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p := &domainsPage{Address: strings.Trim(strings.TrimSpace(r.URL.Query().Get("address")), "<>"), Hostname: d.Hostname, MayWrite: v.May(access.ScopeWrite)}
	directory := d.Directory()
	if p.Address != "" {
		path, err := inbound.ParsePath(p.Address, true)
		if err != nil {
			p.Fault = "This is no address: " + strings.TrimPrefix(err.Error(), "parsing path: ") + "."
		} else {
			answer := directory.Explain(path)
			p.Answer = &answer
		}
	}
	for _, known := range directory.Domains() {
		if !v.Sees(known.Account) {
			if p.Answer != nil && p.Answer.Domain == known.Name {
				p.Answer = &storage.Explanation{Text: "The domain is not one of yours."}
			}
			continue
		}
		p.Domains = append(p.Domains, d.domainLine(&known, directory, p.Answer))
	}
	return d.show(w, r, v, http.StatusOK, "domains", page{Title: "Domains", Here: "/domains", Body: p})
}

func (d *dashboard) domainLine(known *storage.KnownDomain, directory *storage.Directory, answer *storage.Explanation) domainLine {
	line := domainLine{KnownDomain: *known, Account: directory.Accounts[known.Account]}
	var terms []string
	if known.RequireTLS {
		terms = append(terms, "TLS only")
	}
	if known.Greylist {
		terms = append(terms, "greylisting")
	}
	if known.DMARC != "" {
		terms = append(terms, "DMARC failures: "+string(known.DMARC))
	}
	if known.MaxSize > 0 {
		terms = append(terms, "up to "+size(known.MaxSize))
	}
	line.Terms = strings.Join(terms, ", ")
	for _, route := range known.Routes {
		l := d.routeLine(route)
		if answer != nil && answer.Domain == known.Name {
			for _, x := range answer.Routes {
				if x.ID == route.ID {
					l.Chosen, l.Why = x.Chosen, x.Why
				}
			}
		}
		line.Lines = append(line.Lines, l)
	}
	return line
}

// matchWords are the kinds of matches.
var matchWords = map[string]string{"exact": "this local part", "detail": "with any detail", "glob": "pattern", "regexp": "expression", "all": "everything else"}

func (d *dashboard) routeLine(r storage.KnownRoute) routeLine {
	l := routeLine{KnownRoute: r, Kinds: matchWords[r.Kind]}
	for _, id := range r.Endpoints {
		l.To = append(l.To, fact{Name: d.endpointName(id), Text: id})
	}
	switch {
	case r.Refuse != nil:
		l.Does = "refused: " + r.Refuse.Error()
	case len(r.Endpoints) == 0:
		l.Does = "accepted and discarded"
	}
	var also []string
	if r.Sync {
		also = append(also, "the sender waits for the answer")
	}
	if r.Token != storage.TokenIgnored {
		also = append(also, "reply addresses, token "+string(r.Token))
	}
	if r.MaxSize > 0 {
		also = append(also, "up to "+size(r.MaxSize))
	}
	l.Also = strings.Join(also, "; ")
	return l
}

// domainPage is what the page of a domain shows.
type domainPage struct {
	domainLine

	Findings []Finding
	Asked    bool // DNS was asked
	Good     bool // nothing is missing or wrong
	Hostname string
}

// domain is the page of one, with what DNS says of it.
func (d *dashboard) domain(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	directory := d.Directory()
	for _, known := range directory.Domains() {
		if known.Name != r.PathValue("name") || !v.Sees(known.Account) {
			continue
		}
		p := &domainPage{domainLine: d.domainLine(&known, directory, nil), Hostname: d.Hostname}
		if d.DNS != nil && r.URL.Query().Get("dns") == "now" {
			ctx, cancel := context.WithTimeout(r.Context(), dnsPatience)
			defer cancel()
			var err error
			if p.Findings, err = d.DNS(ctx, known.Name); err != nil {
				return err
			}
			p.Asked = true
			p.Good = !slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.State == "missing" || f.State == "wrong" || f.State == "unknown" })
		}
		return d.show(w, r, v, http.StatusOK, "domain", page{Title: known.Name, Here: "/domains", Body: p})
	}
	return storage.ErrNotFound
}
