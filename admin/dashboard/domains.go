package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
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
	Domains   []domainLine
	Address   string // of the dry run
	Fault     string
	Answer    *storage.Explanation
	Hostname  string
	Pending   []api.Domain // asked for, and not proved yet
	Lost      []api.Domain // whose proof is gone from DNS
	MayWrite  bool
	Accounts  []choice
	Endpoints []choice
	Back      string
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

	Own      bool // it can be changed here
	Up, Down bool // and moved
}

// domains is the list, and the box that tells where an address would go.
func (d *dashboard) domains(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p := &domainsPage{Hostname: d.Hostname, MayWrite: v.May(access.ScopeWrite)}
	directory := d.Directory()
	p.Address, p.Fault, p.Answer = dryRun(directory, r.URL.Query().Get("address"))
	for _, known := range directory.Domains() {
		if !v.Sees(known.Account) {
			if p.Answer != nil && p.Answer.Domain == known.Name {
				p.Answer = &storage.Explanation{Text: "The domain is not one of yours."}
			}
			continue
		}
		p.Domains = append(p.Domains, d.domainLine(&known, directory, p.Answer))
	}
	if err := d.readDomains(r, v, p); err != nil {
		return err
	}
	return d.show(w, r, v, http.StatusOK, "domains", page{Title: "Domains", Here: "/domains", Body: p})
}

// dryRun tells where an address would go.
func dryRun(directory *storage.Directory, text string) (address, fault string, answer *storage.Explanation) {
	if address = strings.Trim(strings.TrimSpace(text), "<>"); address == "" {
		return "", "", nil
	}
	path, err := inbound.ParsePath(address, true)
	if err != nil {
		return address, "This is no address: " + strings.TrimPrefix(err.Error(), "parsing path: ") + ".", nil
	}
	found := directory.Explain(path)
	return address, "", &found
}

// arrange says of the routes which can be changed here, and which of those can be moved.
func (d *dashboard) arrange(r *http.Request, p *domainPage) error {
	own, err := d.ownRoutes(r, p.Name)
	if err != nil {
		return err
	}
	p.Order = orderOf(own)
	for i := range own {
		if own[i].Kind == "" {
			p.Broken = append(p.Broken, own[i])
			continue
		}
		for n := range p.Lines {
			if l := &p.Lines[n]; l.ID == own[i].ID {
				l.Own = true
				l.Up = i > 0 && own[i-1].Kind == own[i].Kind
				l.Down = i+1 < len(own) && own[i+1].Kind == own[i].Kind
			}
		}
	}
	return nil
}

// readDomains fills in what the API knows beside the routes.
func (d *dashboard) readDomains(r *http.Request, v *access.Principal, p *domainsPage) (err error) {
	all, err := askAll[api.Domain](d, r, "/domains")
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Ownership.State == "pending" {
			p.Pending = append(p.Pending, one)
		}
		if one.Ownership.LostAt != nil {
			p.Lost = append(p.Lost, one)
		}
	}
	p.Endpoints, p.Back = d.endpointChoices(v, ""), "/domains"
	p.Accounts, err = d.accountChoices(r, v)
	return err
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

	Address string // of the dry run
	Fault   string
	Answer  *storage.Explanation

	Locals []string          // in front of the + of reply addresses that can be minted
	Minted *api.ReplyAddress // just now

	Order  string      // of the routes that can be changed here
	Broken []api.Route // those of them that do not hold

	Ownership api.Ownership
	Own       bool // it came by the API, so that it can be changed here
	Faults    []api.Fault
	MayWrite  bool
	Endpoints []choice
}

// domain is the page of one, with what DNS says of it. One that was asked for and is not proved takes no mail yet.
func (d *dashboard) domain(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	return d.showDomain(w, r, v, func(*domainPage) {})
}

// showDomain shows the page of a domain with what add puts on it.
func (d *dashboard) showDomain(w http.ResponseWriter, r *http.Request, v *access.Principal, add func(*domainPage)) error {
	var told api.Domain
	if err := d.ask(r, http.MethodGet, "/domains/"+url.PathEscape(r.PathValue("name")), nil, &told); err != nil {
		return err
	}
	directory := d.Directory()
	p := &domainPage{
		Hostname: d.Hostname, Ownership: told.Ownership, Own: !told.ReadOnly, Faults: told.Faults, MayWrite: v.May(access.ScopeWrite),
		Endpoints:  d.endpointChoices(v, told.Account),
		domainLine: domainLine{KnownDomain: storage.KnownDomain{Name: told.Name, Account: told.Account}, Account: directory.Accounts[told.Account]},
	}
	p.Address, p.Fault, p.Answer = dryRun(directory, r.URL.Query().Get("address"))
	if p.Answer != nil && p.Answer.Domain != told.Name {
		p.Answer = &storage.Explanation{Text: "The address is none of this domain."}
	}
	for _, known := range directory.Domains() {
		switch {
		case known.Name != told.Name:
		case !v.Sees(known.Account): // asked for here, and another account's as long as it is not proved
			if p.Answer != nil {
				p.Answer = &storage.Explanation{Text: "No mail is taken for it here."}
			}
		default:
			p.domainLine = d.domainLine(&known, directory, p.Answer)
			p.Locals = mintable(&known)
		}
	}
	add(p)
	if err := d.arrange(r, p); err != nil {
		return err
	}
	if r.URL.Query().Get("dns") == "now" {
		ctx, cancel := context.WithTimeout(r.Context(), dnsPatience)
		defer cancel()
		var err error
		if p.Findings, err = d.DNS(ctx, told.Name); err != nil {
			return err
		}
		p.Asked = true
		p.Good = !slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.State == "missing" || f.State == "wrong" || f.State == "unknown" })
	}
	return d.show(w, r, v, http.StatusOK, "domain", page{Title: told.Name, Here: "/domains", Body: p})
}
