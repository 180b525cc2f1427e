package storage

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
)

// catchAllDomain is the name under which the route of [Declaration.AcceptAll] is known again.
const catchAllDomain = "*"

// Apply makes a declaration the current one and returns its snapshot. Names that were declared before keep their ids;
// endpoints that no longer are declared stay known and come back Disabled, so what they are owed waits for them. A
// declaration with a fault changes nothing.
func (s *Store) Apply(ctx context.Context, d Declaration) (*Directory, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("apply declaration: %w", err)
	}
	var directory *Directory
	err := s.do(ctx, func(w *writer) (err error) {
		directory, err = s.apply(w, &d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("apply declaration: %w", err)
	}
	if s.meter.declare(directory) {
		if err := s.ReadMeter(ctx); err != nil {
			s.cfg.Log.Warn("limits go by what was known before", "error", err)
		}
	}
	return directory, nil
}

// Preview gives the snapshot that [Store.Apply] would, and changes nothing. Names that were never declared before have ids that
// nobody will see again.
func (s *Store) Preview(ctx context.Context, d Declaration) (*Directory, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("preview declaration: %w", err)
	}
	var directory *Directory
	err := s.do(ctx, func(w *writer) (err error) {
		if directory, err = s.apply(w, &d); err == nil {
			err = errPreview // takes everything back
		}
		return err
	})
	if !errors.Is(err, errPreview) {
		return nil, fmt.Errorf("preview declaration: %w", err)
	}
	return directory, nil
}

var errPreview = errors.New("no more than a preview")

func (s *Store) apply(w *writer, d *Declaration) (*Directory, error) {
	for _, table := range []string{"account", "domain", "endpoint", "route"} {
		if _, err := w.exec("UPDATE " + table + " SET declared = 0 WHERE declared <> 0"); err != nil {
			return nil, err
		}
	}
	a := applying{store: s, w: w, accounts: map[string]string{}, endpoints: map[[2]string]string{}, first: map[string]string{}}
	a.directory = &Directory{
		Endpoints: map[string]*Endpoint{}, Accounts: map[string]string{}, Limits: map[string]Limits{}, Retention: map[string]AccountRetention{},
		now: s.cfg.Now, domains: map[string]*domain{}, filters: map[string][]Filter{}, suppressions: suppressed(d.Suppressions),
	}
	for _, read := range []func(*Declaration) error{a.readAccounts, a.readEndpoints, a.readDomains, a.readRoutes, a.readAcceptAll} {
		if err := read(d); err != nil {
			return nil, err
		}
	}
	return a.directory, nil
}

// applying turns the names of a declaration into ids.
type applying struct {
	store     *Store
	w         *writer
	directory *Directory
	accounts  map[string]string    // name -> id
	endpoints map[[2]string]string // account id, name -> id
	first     map[string]string    // account id -> id of its first endpoint
}

// known gives the id of a row that the statement finds, or makes one.
func (a *applying) known(prefix, find, insert string, names ...string) (string, error) {
	id := newID(prefix, a.store.cfg.Now())
	args := []driver.Value{id}
	for _, n := range names {
		args = append(args, n)
	}
	old, err := a.w.queryText(find, args[1:]...)
	if err != nil || old != "" {
		return old, err
	}
	_, err = a.w.exec(insert, args...)
	return id, err
}

func (a *applying) readAccounts(d *Declaration) error {
	for _, name := range d.Accounts {
		id, err := a.known(accountPrefix, "UPDATE account SET declared = 1 WHERE name = ? RETURNING id",
			"INSERT INTO account (id, name, declared) VALUES (?,?,1)", name)
		if err != nil {
			return fmt.Errorf("account %q: %w", name, err)
		}
		a.accounts[name] = id
		if limits := d.Limits[name]; limits != (Limits{}) {
			a.directory.Limits[id] = limits
		}
		if kept := d.Retention[name]; kept != (AccountRetention{}) {
			a.directory.Retention[id] = kept
		}
	}
	return a.w.query(func(row []driver.Value) error {
		a.directory.Accounts[row[0].(string)] = row[1].(string)
		return nil
	}, "SELECT id, name FROM account")
}

func (a *applying) readEndpoints(d *Declaration) error {
	for i := range d.Endpoints {
		e := d.Endpoints[i]
		e.Account = a.accounts[e.Account]
		id, err := a.known(endpointPrefix, "UPDATE endpoint SET declared = 1 WHERE account = ? AND name = ? RETURNING id",
			"INSERT INTO endpoint (id, account, name, declared) VALUES (?,?,?,1)", e.Account, e.Name)
		if err != nil {
			return fmt.Errorf("endpoint %q: %w", e.Name, err)
		}
		e.ID = id
		if e.StoredSecrets {
			if err := a.store.ensureSecret(a.w, id); err != nil {
				return fmt.Errorf("endpoint %q: %w", e.Name, err)
			}
		}
		a.endpoints[[2]string{e.Account, e.Name}] = id
		a.directory.Endpoints[id] = &e
		if a.first[e.Account] == "" {
			a.first[e.Account] = id
		}
	}
	return a.w.query(func(row []driver.Value) error {
		e := &Endpoint{ID: row[0].(string), Account: row[1].(string), Name: row[2].(string), Disabled: true}
		a.directory.Endpoints[e.ID] = e
		return nil
	}, "SELECT id, account, name FROM endpoint WHERE declared = 0")
}

func (a *applying) domain(account string) *domain {
	dom := &domain{account: account, exact: map[string]*route{}, detail: map[string]*route{}}
	if id := a.first[account]; id != "" {
		dom.fallback = []string{id}
	}
	return dom
}

func (a *applying) readDomains(d *Declaration) error {
	for i := range d.Domains {
		declared := &d.Domains[i]
		name, err := normalDomain(declared.Name)
		if err != nil {
			return fmt.Errorf("domain %q: %w", declared.Name, err)
		}
		account := a.accounts[declared.Account]
		_, err = a.w.exec(`INSERT INTO domain (name, account, declared) VALUES (?,?,1)
			ON CONFLICT (name) DO UPDATE SET account = excluded.account, declared = 1`, name, account)
		if err != nil {
			return fmt.Errorf("domain %q: %w", declared.Name, err)
		}
		dom := a.domain(account)
		dom.replyKeys, dom.maxSize = declared.ReplyKeys, declared.MaxSize
		dom.dmarc, dom.requireTLS, dom.greylist = declared.DMARC, declared.RequireTLS, declared.Greylist
		dom.check, dom.source = declared.Check, declared.Source
		a.directory.domains[name] = dom
		if a.directory.postmaster == nil {
			a.directory.postmaster = dom
		}
	}
	return nil
}

func (a *applying) readRoutes(d *Declaration) error {
	for i := range d.Routes {
		declared := &d.Routes[i]
		name, err := normalDomain(declared.Domain)
		if err != nil {
			return fmt.Errorf("domain %q: %w", declared.Domain, err)
		}
		dom := a.directory.domains[name]
		r, err := a.route(name, declared.Match)
		if err != nil {
			return fmt.Errorf("route %q of %q: %w", declared.Match, declared.Domain, err)
		}
		r.source = declared.Source
		r.refuse, r.token, r.maxSize = declared.Refuse, declared.Token, declared.MaxSize
		if len(declared.Filters) > 0 {
			a.directory.filters[r.id] = declared.Filters
		}
		r.sync, r.check = declared.Sync, cmp.Or(declared.Check, dom.check)
		for _, e := range declared.Endpoints {
			if id := a.endpoints[[2]string{dom.account, e}]; !slices.Contains(r.endpoints, id) {
				r.endpoints = append(r.endpoints, id)
			}
		}
		dom.add(r)
	}
	return nil
}

func (a *applying) route(domain, text string) (*route, error) {
	m, err := parseMatch(text)
	if err != nil {
		return nil, err
	}
	id, err := a.known(routePrefix, "UPDATE route SET declared = 1 WHERE domain = ? AND match = ? RETURNING id",
		"INSERT INTO route (id, domain, match, declared) VALUES (?,?,?,1)", domain, m.text)
	return &route{id: id, match: m}, err
}

func (a *applying) readAcceptAll(d *Declaration) error {
	if d.AcceptAll == nil {
		return nil
	}
	account := a.accounts[d.AcceptAll.Account]
	r, err := a.route(catchAllDomain, "*")
	if err != nil {
		return fmt.Errorf("accept all: %w", err)
	}
	r.endpoints = []string{a.endpoints[[2]string{account, d.AcceptAll.Endpoint}]}
	dom := a.domain(account)
	dom.add(r)
	a.directory.acceptAll = dom
	if a.directory.postmaster == nil {
		a.directory.postmaster = dom
	}
	return nil
}
